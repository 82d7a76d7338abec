//! Completion: the scripts, and the words behind them.

use std::path::Path;
use std::process::Command;

use gloo_rs::cli;

use crate::support::Sandbox;
use crate::support::stub::Stub;

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "powershell", "elvish"];

/// `GLOO_RS_BLESS=1 cargo test completion` writes them anew.
#[test]
fn the_scripts_in_the_repository_are_those_the_command_prints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    for ((file, shell), name) in cli::scripts().into_iter().zip(SHELLS) {
        let path = folder.join(file);
        if std::env::var_os("GLOO_RS_BLESS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, cli::registration(shell)).unwrap();
        }
        let script = std::fs::read_to_string(&path).unwrap_or_default();
        let output = Sandbox::new().run(&["completion", name]);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
        assert!(output.stdout == script, "completions/{file} is old: GLOO_RS_BLESS=1 cargo test completion");
    }
}

#[test]
fn a_script_calls_the_program_by_its_name_alone() {
    for (file, shell) in cli::scripts() {
        let script = String::from_utf8(cli::registration(shell)).unwrap();
        assert!(script.contains("gloo-rs") && script.contains(cli::COMPLETION_VARIABLE), "{file}");
        assert!(!script.contains("/gloo-rs") && !script.contains("target"), "{file}:\n{script}");
        assert!(script.ends_with('\n'), "{file}");
    }
}

#[test]
fn words_are_completed_without_a_cluster() {
    let trap = Stub::new();
    let complete = |index: usize, words: &[&str]| {
        let sandbox = Sandbox::new().env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", index.to_string());
        let sandbox = sandbox.env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_COMP_TYPE", "9");
        sandbox.kubeconfig(trap.kubeconfig());
        let output = sandbox.run(&[&["--", "gloo-rs"], words].concat());
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
        output.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(1, &["pro"]), ["proxy"]);
    assert_eq!(complete(1, &["v"]), ["version"]);
    assert_eq!(complete(2, &["istio", "en"]), ["enable-mtls"]);
    assert_eq!(complete(3, &["proxy", "url", "--loc"]), ["--local-cluster"]);
    assert_eq!(complete(2, &["completion", "p"]), ["powershell"]);
    assert_eq!(complete(4, &["proxy", "url", "--prefer", ""]), ["ip", "hostname"]);
    assert_eq!(trap.connections(), 0);
}

#[test]
fn bash_completes_with_the_script_and_the_program_on_path() {
    let program = Path::new(env!("CARGO_BIN_EXE_gloo-rs"));
    let path = std::env::join_paths([program.parent().unwrap(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let ask = "source <(gloo-rs completion bash); COMP_WORDS=(gloo-rs proxy u); COMP_CWORD=2; COMP_TYPE=9; \
        _clap_complete_gloo_rs gloo-rs u proxy; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["--norc", "-c", ask]).env_clear().env("PATH", path).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "url");
}

#[test]
fn an_unknown_shell_is_usage() {
    let output = Sandbox::new().run(&["completion", "tcsh"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    for shell in SHELLS {
        assert!(output.stderr.contains(shell), "{}", output.stderr);
    }
}

#[test]
fn a_usual_format_set_for_all_commands_does_not_stand_in_the_way() {
    let plain = Sandbox::new().run(&["completion", "bash"]);
    assert_eq!(Sandbox::new().env("GLOO_RS_OUTPUT", "json").run(&["completion", "bash"]), plain);
    assert_eq!(Sandbox::new().run(&["completion", "bash", "-o", "json"]).code, Some(2));
}
