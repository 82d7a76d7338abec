//! Random manifests in many styles: an edit does what was asked, and nothing else.

#[allow(clippy::format_collect, reason = "a generator of texts, read for its shapes")]
mod styles;

use serde_json::{Value, json};

use self::styles::{Random, Shape};
use super::*;
use crate::model::{Object, kinds::UPSTREAM};

fn ssl() -> Value {
    json!({
        "alpnProtocols": ["istio"],
        "sds": {
            "certificatesSecretName": "istio_server_cert",
            "clusterName": "gateway_proxy_sds",
            "targetUri": "127.0.0.1:8234",
            "validationContextName": "istio_validation_context",
        },
    })
}

fn path() -> FieldPath {
    FieldPath::keys(&["spec", "sslConfig"])
}

fn enable() -> [Edit; 1] {
    [Edit::set(path(), ssl())]
}

fn disable() -> [Edit; 1] {
    [Edit::remove(path())]
}

/// The objects and places of a text. No document may be refused.
fn all(text: &str) -> Vec<(Object, ManifestPlace)> {
    let members = members(text, &UPSTREAM);
    members
        .found
        .into_iter()
        .map(|found| match found {
            ManifestObject::Member { object, place } => (object, place),
            ManifestObject::Refused { why, .. } => panic!("{why}\n{text}"),
        })
        .collect()
}

fn edited(text: &str, place: &ManifestPlace, edits: &[Edit]) -> String {
    match edit(text, place, edits) {
        Ok(splice_of) => splice(text, &[splice_of]),
        Err(refused) => panic!("{refused:?}\n{text}"),
    }
}

/// Checks that the edit changes the one object as it changes the JSON, and no other object.
fn assert_edit(text: &str, index: usize, edits: &[Edit]) -> String {
    let before = all(text);
    let after_text = edited(text, &before[index].1, edits);
    let after = all(&after_text);
    assert_eq!(before.len(), after.len(), "{text}\n=>\n{after_text}");
    for (at, ((old, _), (new, _))) in before.iter().zip(&after).enumerate() {
        let planned =
            if at == index { super::super::json::apply(&old.value, edits).unwrap() } else { old.value.clone() };
        assert_eq!(new.value, planned, "{text}\n=>\n{after_text}");
    }
    assert_eq!(comments(&after_text), comments(text), "{text}\n=>\n{after_text}");
    after_text
}

/// The comments that no edit may remove: those outside what is removed or replaced.
fn comments(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.find("# keep").map(|at| line[at..].trim_end())).collect()
}

fn round_trip(text: &str) {
    for index in 0..all(text).len() {
        let on = assert_edit(text, index, &enable());
        let again = edited(&on, &all(&on)[index].1, &enable());
        assert_eq!(again, on, "enabling twice is enabling once");
        let off = assert_edit(&on, index, &disable());
        assert_eq!(off, text, "disabling gives back the bytes; between them:\n{on}");
    }
}

#[test]
fn enable_and_disable_give_back_the_bytes_of_random_manifests() {
    let mut random = Random::seeded(1);
    for _ in 0..5_000 {
        round_trip(&random.stream(Shape::Plain));
    }
}

#[test]
fn enable_and_disable_give_back_the_bytes_of_random_lists_and_json() {
    let mut random = Random::seeded(2);
    for _ in 0..1_400 {
        round_trip(&random.stream(Shape::List));
        round_trip(&random.stream(Shape::Json));
    }
}

#[test]
fn a_config_that_a_person_wrote_anywhere_is_removed_or_replaced_alone() {
    let mut random = Random::seeded(3);
    for _ in 0..3_000 {
        let text = random.stream(Shape::Written);
        for index in 0..all(&text).len() {
            assert_edit(&text, index, &disable());
            let on = assert_edit(&text, index, &enable());
            assert_edit(&on, index, &disable());
        }
    }
}

#[test]
fn many_edits_of_one_text_do_what_they_do_one_by_one() {
    let mut random = Random::seeded(4);
    for round in 0..400 {
        let text = random.stream([Shape::Plain, Shape::List, Shape::Written, Shape::Json][round % 4]);
        let before = all(&text);
        let edits = enable();
        let job = |(object, place)| Job { place, edits: &edits, object };
        let jobs: Vec<Job> = before.iter().map(|(object, place)| job((Some(&object.value), place))).collect();
        let splices: Vec<Splice> = edit_all(&text, &jobs).into_iter().map(Result::unwrap).collect();
        let parsed_again: Vec<Job> = before.iter().map(|(_, place)| job((None, place))).collect();
        assert_eq!(edit_all(&text, &parsed_again).into_iter().map(Result::unwrap).collect::<Vec<_>>(), splices);
        let after = splice(&text, &splices);
        for ((old, _), (new, _)) in before.iter().zip(all(&after)) {
            assert_eq!(new.value, super::super::json::apply(&old.value, &edits).unwrap(), "{text}\n=>\n{after}");
        }
    }
}

#[test]
fn damaged_manifests_are_edited_right_or_refused() {
    let mut random = Random::seeded(5);
    for round in 0..3_000 {
        let text = random.stream([Shape::Plain, Shape::List, Shape::Written, Shape::Json][round % 4]);
        let text = random.damaged(&text);
        for found in members(&text, &UPSTREAM).found {
            let ManifestObject::Member { object, place } = found else { continue };
            for edits in [enable(), disable()] {
                let Ok(one) = edit(&text, &place, &edits) else { continue };
                let after = splice(&text, &[one]);
                let planned = super::super::json::apply(&object.value, &edits).unwrap();
                let is_there = members(&after, &UPSTREAM)
                    .found
                    .iter()
                    .any(|found| matches!(found, ManifestObject::Member { object, .. } if object.value == planned));
                assert!(is_there, "{text}\n=>\n{after}");
            }
        }
    }
}

fn one(text: &str) -> members::Members {
    members(text, &UPSTREAM)
}

fn refused(text: &str) -> (usize, String, Option<String>) {
    match &one(text).found[..] {
        [ManifestObject::Refused { line, why, reference, .. }] => {
            (*line, why.clone(), reference.as_ref().map(|reference| reference.name.clone()))
        }
        other => panic!("{other:?}"),
    }
}

const HEAD: &str = "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata:\n  name: a\n";

#[test]
fn the_lines_that_are_put_in_follow_their_neighbours() {
    let on = |spec: &str| {
        let text = format!("{HEAD}{spec}");
        edited(&text, &all(&text)[0].1, &enable()).split_off(HEAD.len())
    };
    assert_eq!(
        on("spec:\n    kube:\n        serviceName: x # keep\n    # keep too"),
        "spec:\n    kube:\n        serviceName: x # keep\n    sslConfig:\n        alpnProtocols:\n        - istio\n        \
         sds:\n            certificatesSecretName: istio_server_cert\n            clusterName: gateway_proxy_sds\n            \
         targetUri: \"127.0.0.1:8234\"\n            validationContextName: istio_validation_context\n    # keep too"
    );
    assert_eq!(
        on("spec: {kube: {}} # c\n"),
        "spec: {kube: {}, sslConfig: {alpnProtocols: [istio], sds: {certificatesSecretName: istio_server_cert, \
         clusterName: gateway_proxy_sds, targetUri: \"127.0.0.1:8234\", validationContextName: \
         istio_validation_context}}} # c\n"
    );
    assert!(on("spec:\n  hosts:\n    - x\n").contains("\n    alpnProtocols:\n      - istio\n"));
    assert!(on("spec: {} # c\n").starts_with("spec: # c\n  sslConfig:\n    alpnProtocols:\n"));
    assert!(on("spec:\n").starts_with("spec:\n  sslConfig:\n"));
    assert!(on("").starts_with("spec:\n  sslConfig:\n"));
}

#[test]
fn json_stays_json_in_its_own_style() {
    let object =
        json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": {"name": "a"}, "spec": {"kube": {}}});
    let mut planned = object.clone();
    planned["spec"]["sslConfig"] = ssl();
    for indent in ["  ", "    ", "\t"] {
        let print = |value: &Value| {
            let mut out = Vec::new();
            let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            serde::Serialize::serialize(value, &mut serde_json::Serializer::with_formatter(&mut out, formatter))
                .unwrap();
            String::from_utf8(out).unwrap()
        };
        let text = print(&object);
        assert_eq!(edited(&text, &all(&text)[0].1, &enable()), print(&planned));
    }
    let text = object.to_string();
    assert_eq!(edited(&text, &all(&text)[0].1, &enable()), planned.to_string());
}

#[test]
fn a_block_scalar_at_the_end_of_a_file_without_a_line_break_stays_the_same_text() {
    let text = format!("{HEAD}spec:\n  note: |\n    text");
    let on = assert_edit(&text, 0, &enable());
    assert!(on.ends_with("  note: |\n    text"), "{on}");
    assert_eq!(assert_edit(&on, 0, &disable()), text);
}

#[test]
fn what_cannot_be_read_is_refused_with_its_line_and_name() {
    let text = format!("# first\n---\n{HEAD}spec:\n  kube: {{}}\n  kube: {{}}\n");
    assert_eq!(refused(&text), (9, "it cannot be read: duplicate mapping key: kube".into(), Some("a".into())));
    let template = format!("{{{{- if .Values.on }}}}\n{HEAD}spec: {{}}\n{{{{- end }}}}\n");
    assert_eq!(refused(&template).1, "it is a template ({{ }}), not a manifest");
    assert_eq!(refused(&template).2.as_deref(), Some("a"));
    let quoted = "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata:\n  name: \"{{ .name }}\"\nspec: {}\n";
    assert_eq!(refused(quoted), (1, "it is a template ({{ }}), not a manifest".into(), None));
    assert_eq!(refused(&format!("{HEAD}spec:\n\tkube: x\n")).1, "it is indented with tabs, which is not YAML");
}

#[test]
fn nothing_in_an_encrypted_text_is_edited_and_the_change_to_make_is_told() {
    let plain = format!("{HEAD}spec: {{}}\n");
    for text in [format!("{plain}sops:\n  mac: ENC[x]\n"), format!("{plain}---\na: b\nsops: {{version: 3.9.0}}\n")] {
        let refused = edit(&text, &all(&text)[0].1, &enable()).unwrap_err();
        assert!(refused.why.starts_with("the file is encrypted with SOPS"), "{refused:?}");
        assert!(refused.manual.contains(&"    targetUri: \"127.0.0.1:8234\"".to_owned()), "{:?}", refused.manual);
    }
    let whole = "apiVersion: ENC[x]\nkind: ENC[Upstream]\nmetadata:\n  name: ENC[x]\nsops: {}\n";
    assert_eq!((one(whole).unreadable, one(whole).found.len()), (1, 0));
}

#[test]
fn an_alias_is_not_edited_through_and_the_change_by_hand_is_told() {
    let text = format!("{HEAD}base: &base\n  kube: {{}}\nspec: *base\n");
    let refused = edit(&text, &all(&text)[0].1, &enable()).unwrap_err();
    assert!(refused.why.starts_with("spec is an alias (*base) of another part of the file"), "{}", refused.why);
    assert!(refused.why.contains("'<<: *base'"), "{}", refused.why);
    assert_eq!(refused.manual[0], "set spec.sslConfig to");
    assert!(refused.manual.contains(&"    targetUri: \"127.0.0.1:8234\"".to_owned()), "{:?}", refused.manual);
    let anchored = format!("{HEAD}spec: &base\n  kube: {{}}\nother: *base\n");
    assert!(edit(&anchored, &all(&anchored)[0].1, &enable()).is_err());
    let merged = format!("{HEAD}base: &base\n  sslConfig: {{}}\nspec:\n  <<: *base\n  kube: {{}}\n");
    assert_eq!(
        edit(&merged, &all(&merged)[0].1, &disable()).unwrap_err().why,
        "spec.sslConfig comes from the merge key (<<)"
    );
}

#[test]
fn other_documents_are_passed_over_and_counted() {
    let text = format!("kind: Service\n---\n# Upstream\nkind: Deployment\nx: {{{{ y }}}}\n---\n{HEAD}---\n# nothing\n");
    let members = one(&text);
    assert_eq!((members.found.len(), members.others, members.unreadable), (1, 2, 1));
    assert_eq!(one("").found, []);
    assert_eq!(one("Upstream\0").unreadable, 1);
    assert_eq!(one("kind: UpstreamGroup\napiVersion: gloo.solo.io/v1\n").others, 1);
}

#[test]
fn items_of_a_typed_list_inherit_its_kind() {
    let text =
        "apiVersion: gloo.solo.io/v1\nkind: UpstreamList\nitems:\n- metadata: {name: a}\n  spec: {}\n- kind: Other\n";
    let found = all(text);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0.reference.name, "a");
    round_trip(text);
}

#[test]
fn a_key_that_is_spelled_with_escapes_is_seen() {
    let text = "apiVersion: gloo.solo.io/v1\n\"k\\u0069nd\": \"\\x55pstream\"\nmetadata: {name: a}\nspec: {\"ssl\\x43onfig\": 1, b: 2}\n";
    let found = all(text);
    let off = edited(text, &found[0].1, &disable());
    assert!(off.ends_with("spec: {b: 2}\n"), "{off}");
}

#[test]
fn one_unsafe_item_of_a_list_refuses_only_itself() {
    let item = |name: &str, spec: &str| {
        format!("- apiVersion: gloo.solo.io/v1\n  kind: Upstream\n  metadata: {{name: {name}}}\n  spec: {spec}\n")
    };
    let text = format!(
        "apiVersion: v1\nkind: List\nitems:\n{}{}{}",
        item("a", "&s {kube: {}}"),
        item("b", "*s"),
        item("c", "{}")
    );
    let found = all(&text);
    let edits = enable();
    let jobs: Vec<Job> = found.iter().map(|(_, place)| Job { place, edits: &edits, object: None }).collect();
    let answers: Vec<bool> = edit_all(&text, &jobs).iter().map(Result::is_ok).collect();
    assert_eq!(answers, [false, false, true]);
}

#[test]
fn a_document_comes_at_the_end_as_the_text_has_its_lines() {
    let document = serde_json::json!({"a": 1});
    let table = [
        ("", Some("a: 1\n")),
        ("b: 2\n", Some("b: 2\n---\na: 1\n")),
        ("b: 2", Some("b: 2\n---\na: 1\n")),
        ("b: 2\r\n", Some("b: 2\r\n---\r\na: 1\r\n")),
        ("# nothing yet\n", Some("# nothing yet\n---\na: 1\n")),
        ("b: 2\n...\n", Some("b: 2\n...\n---\na: 1\n")),
        ("{\"b\": 2}\n", None),
    ];
    for (text, wanted) in table {
        let after = appended(text, &document).map(|it| splice(text, &[it]));
        assert_eq!(after.as_deref(), wanted, "{text:?}");
    }
}

#[test]
fn a_document_goes_with_its_marker_and_the_rest_reads_as_before() {
    let upstream = "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: a}\n";
    for (before, after) in [("", ""), ("x: 1\n---\n", "---\ny: 2\n"), ("", "---\ny: 2\n"), ("x: 1\n---\n", "")] {
        let text = format!("{before}{upstream}{after}");
        let [ManifestObject::Member { place, .. }] = &members(&text, &UPSTREAM).found[..] else { panic!("{text}") };
        let left = splice(&text, &[without(place).unwrap()]);
        let read = |text: &str| -> Vec<_> { values(text).into_iter().filter(|value| !value.is_null()).collect() };
        assert_eq!(read(&left), read(&format!("{before}{after}")), "{left}");
    }
    let list = format!("apiVersion: v1\nkind: List\nitems:\n- {}\n", upstream.replace('\n', "\n  "));
    let [ManifestObject::Member { place, .. }] = &members(&list, &UPSTREAM).found[..] else { panic!() };
    assert_eq!(without(place), None);
}

#[test]
fn a_renamed_field_keeps_its_comments_and_its_style() {
    let renames = |new: Value| {
        [
            Edit::set(path(), new),
            Edit::remove(FieldPath::keys(&["spec", "ssl_config"])),
            Edit::set(FieldPath::keys(&["spec", "sslConfig", "sni"]), json!("b")),
        ]
    };
    let new = || json!({"alpnProtocols": ["istio"], "sds": {"targetUri": "x"}, "list": [{"oneWay": 1}]});
    let head = "kind: Upstream\napiVersion: gloo.solo.io/v1\nmetadata: {name: a}\nspec:\n";
    for (old, wanted) in [
        (
            "  # keep the first\n  ssl_config: # keep the second\n    alpn_protocols: [istio] # keep the third\n    # keep the last\n    sds: {'target_uri': 'x'}\n    list: [{\"one_way\": 1}]\n",
            "  # keep the first\n  sslConfig: # keep the second\n    alpnProtocols: [istio] # keep the third\n    # keep the last\n    sds: {'targetUri': 'x'}\n    list: [{\"oneWay\": 1}]\n    sni: b\n",
        ),
        (
            "  ssl_config: {alpn_protocols: [istio], sds: {target_uri: x}, list: [{one_way: 1}]}\n",
            "  sslConfig: {alpnProtocols: [istio], sds: {targetUri: x}, list: [{oneWay: 1}], sni: b}\n",
        ),
    ] {
        let text = format!("{head}{old}");
        assert_eq!(assert_edit(&text, 0, &renames(new())), format!("{head}{wanted}"));
    }
    // The value is another one, so it is written again.
    let text = format!("{head}  ssl_config: {{alpn_protocols: [h2]}}\n");
    let after = assert_edit(&text, 0, &renames(new()));
    assert!(after.contains("targetUri"), "{after}");
}
