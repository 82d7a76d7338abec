//! Secrets are in the values that are printed, and nowhere else.

use anyhow::{Context, Result};
use serde_json::Value;

use super::{REVISION, Shop, copied, open_source, text};
use crate::support::{Output, Sandbox};

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";
const SECRETS: [&str; 4] = ["hunter1", "hunter2", "hunter3", "eyJzdWIi"];

fn values() -> String {
    format!(
        "adminPassword: hunter1\nenv:\n- name: DB_PASSWORD\n  value: hunter2\ngatewayProxies:\n  gatewayProxy:\n    \
         istioDiscoveryAddress: {TOKEN}\nzone: b\nredis: {{password: hunter3}}\n"
    )
}

fn shows_none(text: &str, what: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{what} shows {secret}: {text}");
    }
}

#[test]
fn only_the_answer_has_them() -> Result<()> {
    let shop = Shop::new("secrets")?;
    shop.install("gloo", &open_source(), &values())?;
    let printed = shop.done(&[&REVISION[..], &["-vv"]].concat())?;
    assert!(printed.stdout.contains("adminPassword: hunter1") && printed.stdout.contains("hunter3"));
    shows_none(&printed.stderr, "-vv");
    assert!(printed.stderr.contains("*** -> istiod-1-28.istio-system.svc:15012"), "{}", printed.stderr);
    assert!(printed.stderr.contains("3 secret-looking values: "), "{}", printed.stderr);

    for flags in [&["--diff"][..], &["--check", "-o", "json"], &["--diff", "-o", "yaml"], &["--diff", "--remove"]] {
        let istiod = if flags.contains(&"--remove") { &[][..] } else { &REVISION };
        let Output { stdout, stderr, .. } = shop.run(&[istiod, flags].concat());
        shows_none(&stdout, &format!("{flags:?}"));
        shows_none(&stderr, &format!("{flags:?}"));
    }
    let shown = shop.run(&[&REVISION[..], &["--diff", "--show-secrets"]].concat());
    assert!(shown.stdout.contains("hunter3") && shown.stderr.contains(TOKEN), "{shown:?}");
    let answer: Value = serde_json::from_str(&shop.done(&[&REVISION[..], &["-o", "json"]].concat())?.stdout)?;
    assert_eq!(answer["values"]["redis"]["password"], "hunter3");
    Ok(())
}

#[test]
fn what_helm_says_of_them_is_masked() -> Result<()> {
    let shop = Shop::new("helm-says")?;
    shop.install("gloo", &open_source(), &values())?;
    let chart = copied(&shop.sandbox, "talks")?;
    shop.sandbox.write("talks/templates/x.yaml", "{{ fail (printf \"it is %s\" .Values.adminPassword) }}\n");
    let failed = shop.run(&["--revision", "1-28", "--chart", text(&chart)?, "--apply", "--yes"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    shows_none(&failed.stderr, "Helm");
    assert!(failed.stderr.contains("it is ***"), "{}", failed.stderr);
    Ok(())
}

#[test]
fn errors_about_a_file_do_not_show_them() {
    let sandbox = Sandbox::new();
    for (text, words) in [
        (format!("global: {TOKEN}\n"), "global: must be a map"),
        ("adminPassword: \"hunter1\nzone: b\n".to_owned(), "values.yaml:"),
        ("adminPassword: hunter1\nadminPassword: hunter2\n".to_owned(), "values.yaml:"),
        ("adminPassword: hunter1: hunter2\n".to_owned(), "values.yaml:"),
        ("password: &a hunter1\nglobal: *a\n".to_owned(), "global"),
        ("adminPassword: !!int hunter1\n".to_owned(), "values.yaml:"),
    ] {
        sandbox.write("values.yaml", &text);
        let address = ["--edition", "open-source", "--istio-discovery-address", "a.b.svc:15012"];
        let output = sandbox.run(&[&["upgrade-values", "--values", "values.yaml", "--diff"], &address[..]].concat());
        assert_ne!(output.code, Some(0), "{text}");
        shows_none(&output.stderr, &text);
        assert!(output.stderr.contains(words), "{text}: {}", output.stderr);
    }
}

#[test]
fn a_file_that_is_edited_is_shown_without_them_however_they_are_written() -> Result<()> {
    let sandbox = Sandbox::new();
    let text = "# adminPassword: hunter1\nglobal:\n  image:\n    pullSecret: shown\n    db_password: >-\n      hunter2\n      hunter3\n";
    sandbox.write("values.yaml", text);
    let address = ["--edition", "open-source", "--istio-discovery-address", "a.b.svc:15012"];
    let output = sandbox.run(&[&["upgrade-values", "--values", "values.yaml", "--diff"], &address[..]].concat());
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    shows_none(&format!("{}{}", output.stdout, output.stderr), "--diff");
    assert!(output.stdout.contains("pullSecret: shown"), "{}", output.stdout);
    let line = output.stdout.lines().find(|line| line.contains("db_password")).context("the line")?;
    assert!(line.ends_with("***"), "{line}");
    Ok(())
}
