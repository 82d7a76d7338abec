use std::process::Command;

use proptest::prelude::*;

use super::*;

fn target() -> Target {
    Target {
        kubeconfig: Some("my config".into()),
        context: Some("b;id".into()),
        user: Some("bob".into()),
        groups: vec!["a".into(), "$(id)".into()],
        uid: Some("7".into()),
    }
}

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

#[test]
fn each_program_gets_its_own_flags_for_cluster_and_user() {
    let flags = "--kubeconfig 'my config'";
    assert_eq!(
        gloo_rs("check").on(&target()).to_string(),
        format!("gloo-rs check {flags} --kube-context 'b;id' --as bob --as-group a --as-group '$(id)' --as-uid 7")
    );
    assert_eq!(
        kubectl("get pods").on(&target()).to_string(),
        format!("kubectl get pods {flags} --context 'b;id' --as bob --as-group a --as-group '$(id)' --as-uid 7")
    );
    assert_eq!(
        helm(Driver::ConfigMap, "status").value("gloo").on(&target()).to_string(),
        format!(
            "HELM_DRIVER=configmap helm status gloo {flags} --kube-context 'b;id' --kube-as-user bob \
             --kube-as-group a --kube-as-group '$(id)'"
        )
    );
}

#[test]
fn without_typed_flags_the_command_stays_short() {
    let command = gloo_rs("upgrade-values --values FILE").on(&Target::default());
    assert_eq!(command.to_string(), "gloo-rs upgrade-values --values FILE");
}

#[test]
fn a_name_with_a_leading_dash_is_never_a_flag() {
    let command = helm(Driver::Secret, "rollback").value("-h").value("3").fixed("-n").value("--debug");
    assert_eq!(command.to_string(), "helm rollback -n=--debug -- -h 3");
    assert_eq!(
        command.on(&target()).to_string(),
        "helm rollback -n=--debug --kubeconfig 'my config' --kube-context 'b;id' --kube-as-user bob \
         --kube-as-group a --kube-as-group '$(id)' -- -h 3"
    );
}

#[test]
fn a_hint_aims_each_of_its_commands() {
    let hint = gloo_rs("check").after("first: ").text(", or ").command(kubectl("get pods"));
    assert_eq!(hint, "first: gloo-rs check, or kubectl get pods");
    let target = Target { context: Some("b".into()), ..Target::default() };
    assert_eq!(hint.on(&target), "first: gloo-rs check --kube-context b, or kubectl get pods --context b");
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
