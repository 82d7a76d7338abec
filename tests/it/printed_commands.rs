//! Commands that are printed to be pasted, pasted into a real shell.

use std::process::Command;

use gloo_rs::command::{Driver, Target, gloo_rs, helm, kubectl};
use proptest::prelude::*;

/// The arguments that a fake program gets when a real shell runs the line.
fn arguments(line: &str, program: &str) -> Vec<String> {
    let record = r#"() { for word in "$@"; do printf '%s\0' "$word"; done; }"#;
    // A function cannot have a dash in its name in a POSIX shell.
    let script = match line.strip_prefix("gloo-rs ") {
        Some(rest) => format!("record{record}\nrecord {rest}"),
        None => format!("{program}{record}\n{line}"),
    };
    let output = Command::new("sh").arg("-c").arg(script).output().expect("a shell");
    assert!(output.status.success() && output.stderr.is_empty(), "{line}: {output:?}");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    stdout.split_terminator('\0').map(str::to_owned).collect()
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9'\"`$;&|<>()*?~#!{}\\\\ \t\n=-]{0,16}",
        Just("gloo-system;touch x".to_owned()),
        Just("$(touch x)".to_owned()),
        Just("a\nb".to_owned()),
        Just("-h".to_owned()),
        Just("--as=root".to_owned()),
        Just("~root".to_owned()),
        any::<String>().prop_map(|any| any.replace('\0', "")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_shell_hands_over_exactly_the_words(name in hostile(), namespace in hostile(), context in hostile()) {
        let target = Target { context: Some(context.clone()), ..Target::default() };
        let either = |flag: &str, value: &str| match value.starts_with('-') {
            true => vec![format!("{flag}={value}")],
            false => vec![flag.to_owned(), value.to_owned()],
        };
        let (ordinary, dashed) = match name.starts_with('-') {
            true => (vec![], vec!["--".to_owned(), name.clone()]),
            false => (vec![name.clone()], vec![]),
        };
        let commands = [
            (gloo_rs("get"), "gloo-rs", "--kube-context"),
            (kubectl("get"), "kubectl", "--context"),
            (helm(Driver::Secret, "get"), "helm", "--kube-context"),
        ];
        for (command, program, flag) in commands {
            let line = command.value(&name).fixed("-n").value(&namespace).on(&target).to_string();
            let wanted = [vec!["get".to_owned()], ordinary.clone(), either("-n", &namespace), either(flag, &context), dashed.clone()];
            prop_assert_eq!(arguments(&line, program), wanted.concat(), "{}", line);
        }
    }
}
