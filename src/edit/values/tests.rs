//! Values in each of their homes, as one text.

mod homes;
mod precedence;

use serde_json::json;

use super::*;
use crate::edit::Edit;
use crate::model::FieldPath;

fn edits() -> Vec<Edit> {
    vec![
        Edit::set(FieldPath::keys(&["global", "istioIntegration", "enabled"]), true.into()),
        Edit::set(FieldPath::keys(&["gatewayProxies", "gatewayProxy", "istioDiscoveryAddress"]), "a.b".into()),
    ]
}

fn removal() -> Vec<Edit> {
    ["global", "gatewayProxies"].map(|key| Edit::remove(FieldPath::keys(&[key]))).into()
}

/// The home of Gloo's chart in a text, or the values that it is.
fn the_home(text: &str) -> ValuesHome {
    let texts = [NamedText { name: "x.yaml", text }];
    let mut found = find(&texts, texts.len());
    if found.homes.is_empty() {
        assert_eq!((&found.refused[..], &found.broken[..]), (&[][..], &[][..]), "{text}");
        return of_files(&texts, &found.plain).unwrap();
    }
    if found.homes.iter().any(|home| home.chart.is_gloo()) {
        found.homes.retain(|home| home.chart.is_gloo());
    }
    let [home] = &found.homes[..] else { panic!("{:#?}", found.homes) };
    home.clone()
}

/// The text after the edits of its values.
fn try_edited(text: &str, edits: &[Edit]) -> Result<String, Refusal> {
    let home = the_home(text);
    let placed = placed(&home.sources, edits).unwrap();
    let changed = edited(&[text], &home.sources, &placed)?;
    Ok(changed.into_iter().next().map_or_else(|| without_header(text).to_owned(), |(_, new)| new))
}

fn with(text: &str, edits: &[Edit]) -> String {
    try_edited(text, edits).unwrap_or_else(|why| panic!("{why:?}\n{text}"))
}

fn changed(text: &str) -> String {
    with(text, &edits())
}

const ISTIO: &str = "global:\n  istioIntegration:\n    enabled: true\n";
const PROXY: &str = "gatewayProxies:\n  gatewayProxy:\n    istioDiscoveryAddress: a.b\n";

#[test]
fn what_is_not_edited_keeps_its_bytes() {
    let kept = "# ours\nreplicas: 1e3 # many\noctal: 0777\nword: \"yes\"\nversion: 1.10\nbig: 123456789012345678901234567890\n\
                day: 2001-01-01\ngone: null\nnone: ~\nempty: {}\ntext: |\n  a\n   b\n\nfolded: >-\n  c\n  d\n1: one\ntrue: two\n\
                base: &b {x: 1}\nuse: *b\n";
    assert_eq!(changed(kept), format!("{kept}{ISTIO}{PROXY}"));
}

#[test]
fn what_is_there_is_continued_in_its_own_style() {
    let text = "gatewayProxies:\n    gatewayProxy: # the first\n        podTemplate: {httpPort: 8080}\n    publicGw: {}\nglobal: {image: {tag: x}}\n";
    assert_eq!(
        changed(text),
        "gatewayProxies:\n    gatewayProxy: # the first\n        podTemplate: {httpPort: 8080}\n        \
         istioDiscoveryAddress: a.b\n    publicGw: {}\nglobal: {image: {tag: x}, istioIntegration: {enabled: true}}\n"
    );
}

#[test]
fn a_dump_loses_its_header_and_an_empty_one_is_filled() {
    assert_eq!(changed("USER-SUPPLIED VALUES:\na: 1\n"), format!("a: 1\n{ISTIO}{PROXY}"));
    assert_eq!(changed(""), format!("{ISTIO}{PROXY}"));
    assert_eq!(changed("# only this"), format!("# only this\n{ISTIO}{}", PROXY.trim_end()));
    assert_eq!(changed("{}\n"), format!("# {{}}\n{ISTIO}{PROXY}"));
    assert_eq!(changed("USER-SUPPLIED VALUES:\nnull\n"), format!("{ISTIO}{PROXY}"));
    let of_file = |text| of_file(0, NamedText { name: "x", text });
    assert!(of_file("COMPUTED VALUES:\na: 1\n").unwrap_err().1.why.contains("computed"));
    assert!(of_file("- a\n").is_err());
}

#[test]
fn secrets_are_masked_however_they_are_written() {
    let text = "# adminPassword: hunter0\na: {password: \"hun\\\"ter1\", x: shown}\ndb_password: >-\n  hunter2\n  hunter3\n\
                base: &b hunter4\ntoken: *b\nenv:\n- name: DB_PASSWORD\n  value: hunter5\napiKey: 987654\n";
    let shown = masked(text);
    assert!(!shown.contains("hunter") && !shown.contains("ter1") && !shown.contains("987654"), "{shown}");
    assert!(shown.contains("x: shown") && shown.contains("name: DB_PASSWORD"), "{shown}");
}

#[test]
fn a_file_without_values_comes_back_as_it_was() {
    for text in [
        "",
        "\n",
        "# only this",
        "# only this\n\n# and this\n",
        "# only this\r\n",
        "{}\n",
        "{}",
        "null\n",
        "~",
        "---\n",
        "---\n# x\n{}\n",
        "!i\n",
        "  # indented\n",
        "%YAML 1.2\n---\n",
        "\u{feff}",
        "\u{feff}{}\n",
    ] {
        let after = changed(text);
        assert_eq!(with(&after, &removal()), text, "{after}");
    }
}

const TWO_PROXIES: &str = "gatewayProxies:\n  gatewayProxy:\n    disabled: true\n  publicGw: &gw\n    kind:\n      deployment:\n        replicas: 2\n    service:\n      type: LoadBalancer\n  internalGw:\n    <<: *gw\n    service:\n      type: ClusterIP\n";

fn address(proxy: &str) -> Edit {
    Edit::set(FieldPath::keys(&["gatewayProxies", proxy, "istioDiscoveryAddress"]), "a.b".into())
}

fn without_address(proxy: &str) -> Edit {
    Edit::remove(FieldPath::keys(&["gatewayProxies", proxy, "istioDiscoveryAddress"]))
}

#[test]
fn a_value_for_all_users_of_an_anchor_is_set_once_and_comes_back() {
    for order in [["publicGw", "internalGw"], ["internalGw", "publicGw"]] {
        let after = with(TWO_PROXIES, &order.map(address));
        let values = the_home(&after).sources[0].values().unwrap().clone();
        for proxy in order {
            assert_eq!(values["gatewayProxies"][proxy]["istioDiscoveryAddress"], "a.b", "{after}");
        }
        for order in [["publicGw", "internalGw"], ["internalGw", "publicGw"]] {
            assert_eq!(with(&after, &order.map(without_address)), TWO_PROXIES, "{after}");
        }
    }
    let once = with(TWO_PROXIES, &["publicGw", "internalGw"].map(address));
    assert_eq!(once.matches("istioDiscoveryAddress").count(), 1, "{once}");
}

#[test]
fn a_value_for_one_user_of_an_anchor_stands_beside_the_merge_key_or_is_refused() {
    let after = with(TWO_PROXIES, &[address("internalGw")]);
    let values = the_home(&after).sources[0].values().unwrap().clone();
    assert_eq!(values["gatewayProxies"]["internalGw"]["istioDiscoveryAddress"], "a.b");
    assert_eq!(values["gatewayProxies"]["publicGw"]["istioDiscoveryAddress"], json!(null));
    assert_eq!(with(&after, &[without_address("internalGw")]), TWO_PROXIES);

    let (_, why) = try_edited(TWO_PROXIES, &[address("publicGw")]).unwrap_err();
    assert!(why.why.contains("gatewayProxies.publicGw has the anchor &gw"), "{why:?}");
    assert_eq!((why.line, why.manual.len()), (11, 1));
    let merged = "x: &g\n  istioIntegration: {a: 1}\nglobal:\n  <<: *g\n";
    let (_, why) = try_edited(merged, &edits()[..1]).unwrap_err();
    assert!(why.why.contains("global.istioIntegration comes from the merge key (<<)"), "{why:?}");
    assert_eq!(why.line, 4);
}

#[test]
fn the_line_of_a_refusal_is_that_of_the_file() {
    let text = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: x}\nspec:\n  source:\n    chart: gloo\n    helm:\n      values: |\n        base: &base\n          image: {}\n        global: *base\n";
    let (_, why) = try_edited(text, &edits()[..1]).unwrap_err();
    assert_eq!(why.line, 11, "{why:?}");
}
