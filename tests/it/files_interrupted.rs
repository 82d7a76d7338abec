//! `-f DIR --write` and the signals: every file or none, no file left behind, and a report.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Running, Sandbox};

const FILES: usize = 3_000;

fn upstream(number: usize) -> String {
    format!(
        "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata:\n  name: u{number}\n  namespace: gloo-system\n\
         spec:\n  kube: {{serviceName: s, serviceNamespace: shop, servicePort: 80}}\n"
    )
}

fn staged(directory: &Path) -> usize {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".gloo-rs-")).count()
}

/// A signal while files are staged: each is as it was, or each is written.
#[test]
fn a_signal_while_files_are_staged_leaves_all_or_none_written_and_is_reported() {
    for signal in [Running::interrupt, Running::terminate, Running::hang_up] {
        let sandbox = Sandbox::new();
        for number in 0..FILES {
            sandbox.write(&format!("d/u{number}.yaml"), upstream(number));
        }
        let directory = sandbox.dir().join("d");
        let running = sandbox.start(&["istio", "enable-mtls", "--all", "-f", "d", "--write", "-o", "json"]);
        running.wait_until(|| staged(&directory) > 0);
        signal(&running);
        let output = sandbox.end_of(running);
        assert_eq!(output.code, Some(130), "{}", output.stderr);
        let report: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(report["exitCode"], 130);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), FILES, "nothing is left behind");
        let text = |number: usize| fs::read_to_string(directory.join(format!("u{number}.yaml"))).unwrap();
        let written = (0..FILES).filter(|number| text(*number) != upstream(*number)).count();
        assert!([0, FILES].contains(&written), "{written} of {FILES} files are written");
    }
}
