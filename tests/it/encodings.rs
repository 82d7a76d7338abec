//! Files in UTF-16, as some Windows tools write them: read as kubectl reads them, and written back in UTF-16.

use crate::support::Sandbox;

const UPSTREAM: &str = "apiVersion: gloo.solo.io/v1\r\nkind: Upstream\r\nmetadata: {name: a} # \u{e9}\r\nspec:\r\n  kube: {serviceName: a, serviceNamespace: b, servicePort: 80}\r\n";
const ADDRESS: [&str; 2] = ["--istio-discovery-address", "a.b.svc:15012"];

fn little(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn big(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[test]
fn values_in_utf_16_come_back_to_the_byte() {
    for encoded in [little, big] {
        let sandbox = Sandbox::new();
        let before = encoded("a: 1 # \u{e9}\u{1f600}\r\n");
        let file = sandbox.write("values.yaml", &before);
        let write = |more: &[&str]| {
            let output = sandbox.run(
                &[&["upgrade-values", "--edition", "open-source", "--values", "values.yaml", "--write"], more].concat(),
            );
            assert_eq!(output.code, Some(0), "{}", output.stderr);
        };
        write(&ADDRESS);
        let after = std::fs::read(&file).unwrap();
        assert!(after.len() > before.len() && after.starts_with(&before), "{after:?}");
        assert_eq!(after.len() % 2, 0);
        write(&["--remove"]);
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }
}

#[test]
fn a_manifest_in_utf_16_comes_back_to_the_byte() {
    for encoded in [little, big] {
        let sandbox = Sandbox::new();
        let before = encoded(UPSTREAM);
        let file = sandbox.write("upstream.yaml", &before);
        for (command, is_before) in [("enable-mtls", false), ("disable-mtls", true)] {
            let output = sandbox.run(&["istio", command, "-u", "a", "-f", "upstream.yaml", "--write"]);
            assert_eq!(output.code, Some(0), "{}", output.stderr);
            assert_eq!(std::fs::read(&file).unwrap() == before, is_before, "{command}");
        }
    }
}

#[test]
fn other_encodings_are_named_and_nothing_is_written() {
    let sandbox = Sandbox::new();
    let without_mark: Vec<u8> = "a: 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, name) in [
        (without_mark, "UTF-16 without a byte order mark"),
        (b"\xff\xfe\0\0a\0\0\0".to_vec(), "UTF-32"),
        (b"a: \xe9\n".to_vec(), "ISO-8859-1"),
    ] {
        let file = sandbox.write("values.yaml", &bytes);
        let output = sandbox.run(&[&["upgrade-values", "--values", "values.yaml", "--write"], &ADDRESS[..]].concat());
        assert_eq!(output.code, Some(1), "{}", output.stderr);
        assert!(output.stderr.contains(name), "{}", output.stderr);
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
    }
}
