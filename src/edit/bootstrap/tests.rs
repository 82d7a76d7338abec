use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

const CHART: &str = include_str!("../../../tests/fixtures/bootstrap/chart.yaml");
const CHART_ISTIO: &str = include_str!("../../../tests/fixtures/bootstrap/chart-istio.yaml");

/// A bootstrap as `glooctl istio inject` rewrites it: camel case, sorted keys.
const GLOOCTL: &str = "\
admin:
  accessLogPath: /dev/null
dynamicResources:
  adsConfig:
    grpcServices:
    - envoyGrpc:
        clusterName: gloo.gloo-system.svc.cluster.local:9977
node:
  id: '{{.PodName}}.{{.PodNamespace}}'
staticResources:
  clusters:
  - altStatName: xds_cluster
    connectTimeout: 5s
    name: gloo.gloo-system.svc.cluster.local:9977
  - connectTimeout: 5s
    name: admin_port_cluster
    type: STATIC
  listeners: []
";

#[test]
fn the_charts_bootstrap_becomes_to_the_byte_what_the_chart_itself_renders_with_istio() {
    assert_eq!(insert(CHART).as_deref(), Ok(CHART_ISTIO));
    assert_eq!(remove(CHART_ISTIO).as_deref(), Ok(CHART));
}

#[test]
fn inserting_twice_and_removing_what_is_not_there_change_nothing() {
    assert_eq!(insert(CHART_ISTIO).as_deref(), Ok(CHART_ISTIO));
    assert_eq!(remove(CHART).as_deref(), Ok(CHART));
}

#[test]
fn what_glooctl_rewrote_gets_the_cluster_in_its_spelling() {
    let after = insert(GLOOCTL).unwrap();
    let added = "  - connectTimeout: 0.250s
    http2ProtocolOptions: {}
    loadAssignment:
      clusterName: gateway_proxy_sds
      endpoints:
      - lbEndpoints:
        - endpoint:
            address:
              socketAddress:
                address: 127.0.0.1
                portValue: 8234
    name: gateway_proxy_sds
";
    assert_eq!(after.replacen(added, "", 1), GLOOCTL, "{after}");
    let names: Vec<_> = after.lines().filter(|line| line.trim_start().starts_with("name: ")).collect();
    assert_eq!(names[1], "    name: gateway_proxy_sds");
    assert_eq!(cluster(&after), Ok(Cluster::Present));
}

#[test]
fn what_glooctl_added_at_the_end_comes_out() {
    let added = "  - connectTimeout: 0.250s\n    name: gateway_proxy_sds\n";
    let with = GLOOCTL.replacen("  listeners", &format!("{added}  listeners"), 1);
    assert_eq!(remove(&with).as_deref(), Ok(GLOOCTL));
    let twice = GLOOCTL.replacen("  listeners", &format!("{added}{added}  listeners"), 1);
    assert_eq!(remove(&twice).as_deref(), Ok(GLOOCTL));
}

#[test]
fn a_cluster_that_leads_elsewhere_is_told() {
    let elsewhere = CHART_ISTIO.replacen("port_value: 8234", "port_value: 9999", 1);
    assert_eq!(cluster(&elsewhere), Ok(Cluster::Elsewhere { address: "127.0.0.1:9999".into() }));
    assert_eq!(cluster(CHART), Ok(Cluster::Absent));
    assert_eq!(cluster(CHART_ISTIO), Ok(Cluster::Present));
    let text = "# gateway_proxy_sds\nstatic_resources: {clusters: []}\n";
    assert_eq!(cluster(text), Ok(Cluster::Absent));
}

#[test]
fn json_stays_json() {
    for text in [
        r#"{"static_resources":{"clusters":[{"name":"a","connect_timeout":"5s"}]}}"#,
        "{\n  \"staticResources\": {\n    \"clusters\": [\n      {\n        \"name\": \"a\"\n      }\n    ]\n  }\n}\n",
    ] {
        let after = insert(text).unwrap();
        assert!(serde_json::from_str::<Value>(&after).is_ok(), "{after}");
        assert_eq!(cluster(&after), Ok(Cluster::Present));
        assert_eq!(remove(&after).as_deref(), Ok(text));
    }
}

#[test]
fn what_cannot_be_edited_safely_is_refused_with_the_lines_to_add() {
    let table = [
        ("", "no static_resources"),
        ("a: 1\n", "no static_resources"),
        ("static_resources: {}\n", "has no clusters"),
        ("static_resources:\n  clusters:\n", "has no clusters"),
        ("static_resources:\n  clusters: []\n", "no clusters to add to"),
        ("static_resources:\n  clusters: {}\n", "not a list"),
        ("static_resources: {}\nstaticResources: {}\n", "both"),
        ("static_resources:\n\tclusters: []\n", "tabs"),
        ("static_resources: [\n", "cannot be read"),
        ("node: {id: {{.PodName}}}\nstatic_resources: {clusters: [{name: a}]}\n", "cannot be read"),
        ("static_resources: {clusters: [{name: a}]}\nstatic_resources: {}\n", "duplicate"),
        ("x: &x {clusters: [{name: a}]}\nstatic_resources: *x\n", "alias"),
        ("x: &x [{name: a}]\nstatic_resources: {clusters: *x}\n", "alias"),
        ("a: &a {clusters: [{name: a}]}\nstatic_resources: {<<: *a}\n", "merge key"),
    ];
    for (text, why) in table {
        let refusal = insert(text).expect_err(text);
        assert!(refusal.why.contains(why), "{text:?}: {}", refusal.why);
        assert!(refusal.manual.iter().any(|line| line.contains("- name: gateway_proxy_sds")), "{refusal:?}");
    }
    let camel = insert("staticResources:\n\tclusters: []\n").unwrap_err();
    assert!(camel.manual.iter().any(|line| line.contains("socketAddress")), "{camel:?}");
}

#[test]
fn nothing_is_removed_from_what_cannot_be_read_and_does_not_name_the_cluster() {
    let unread = "id: {{.PodName}}\n\tx: [\n";
    assert_eq!(remove(unread).as_deref(), Ok(unread));
    let named = format!("{unread}gateway_proxy_sds");
    assert_eq!(
        remove(&named).unwrap_err().manual,
        ["remove the cluster named gateway_proxy_sds from the static clusters"]
    );
}

#[test]
fn a_large_bootstrap_is_edited_like_a_small_one() {
    let mut large = CHART.to_owned();
    for number in 0..2000 {
        let cluster = format!(
            "  - name: c{number} # keep\n    connect_timeout: 5s\n    typed_extension_protocol_options:\n      x.y: {{\"@type\": type.googleapis.com/unknown.Any, n: {number}}}\n    load_assignment: {{cluster_name: c{number}}}\n"
        );
        large = large.replacen("\ndynamic_resources", &format!("{cluster}\ndynamic_resources"), 1);
    }
    assert!(large.len() > 300_000);
    let after = insert(&large).unwrap();
    assert_eq!(cluster(&after), Ok(Cluster::Present));
    assert_eq!(remove(&after).unwrap(), large);
}

#[derive(Debug, Clone)]
struct Style {
    spelling: Spelling,
    /// The columns between a list's key and its dashes.
    dash: usize,
    step: usize,
    clusters: usize,
    xds: Option<usize>,
    flow_items: bool,
    crlf: bool,
    ends: &'static str,
    head: &'static str,
    gap: &'static str,
    tail: &'static str,
    quote: &'static str,
    last_is_block_scalar: bool,
}

fn styles() -> impl Strategy<Value = Style> {
    let places = (any::<bool>(), 0..3_usize, prop::sample::select(vec![2_usize, 3, 4]), 1..5_usize);
    let kinds = (prop::option::of(0..4_usize), any::<bool>(), any::<bool>(), any::<bool>());
    let texts = (
        prop::sample::select(vec!["", "\n", "\n\n", "# end\n", "...\n"]),
        prop::sample::select(vec!["", "# keep\n", "---\n", "%YAML 1.2\n---\n", "--- # keep\n\n"]),
        prop::sample::select(vec!["", "\n", "    # keep gap\n", "# keep left\n"]),
        prop::sample::select(vec!["", "\n", "  # keep tail\n", "listeners: []\n", "\n\nadmin: {x: y}\n"]),
        prop::sample::select(vec!["", "'", "\""]),
    );
    (places, kinds, texts).prop_map(
        |((camel, dash, step, clusters), (xds, flow_items, crlf, last), (ends, head, gap, tail, quote))| Style {
            spelling: if camel { Spelling::Camel } else { Spelling::Snake },
            dash,
            step,
            clusters,
            xds,
            flow_items,
            crlf,
            ends,
            head,
            gap,
            tail,
            quote,
            last_is_block_scalar: last,
        },
    )
}

fn text(style: &Style) -> String {
    let key = |snake: &str, camel: &str| match style.spelling {
        Spelling::Snake => snake.to_owned(),
        Spelling::Camel => camel.to_owned(),
    };
    let quoted = |text: &str| format!("{0}{text}{0}", style.quote);
    let mut out = format!("{}node:\n{}id: \"{{{{.PodName}}}}\" # keep\n", style.head, " ".repeat(style.step));
    writeln!(out, "{}: # keep key", key("static_resources", "staticResources")).unwrap();
    writeln!(out, "{}clusters:", " ".repeat(style.step)).unwrap();
    let lead = " ".repeat(style.step + style.dash);
    for number in 0..style.clusters {
        let stat = if style.xds == Some(number) { "xds_cluster" } else { "other" };
        let (alt, wait) = (key("alt_stat_name", "altStatName"), key("connect_timeout", "connectTimeout"));
        let name = quoted(&format!("c{number}"));
        if style.flow_items {
            writeln!(out, "{lead}- {{name: {name}, {alt}: {stat}, {wait}: 5s}} # keep {number}").unwrap();
        } else {
            writeln!(out, "{lead}- name: {name} # keep {number}\n{lead}  {alt}: {stat}\n{lead}  {wait}: 5s").unwrap();
            if style.last_is_block_scalar && number + 1 == style.clusters {
                writeln!(out, "{lead}  note: |\n{lead}    a\n{lead}    b").unwrap();
            }
        }
        out.push_str(if number + 1 < style.clusters { style.gap } else { "" });
    }
    if style.tail.starts_with("listeners") {
        out.push_str(&" ".repeat(style.step));
    }
    out.push_str(style.tail);
    out.push_str(style.ends);
    if style.crlf { out.replace('\n', "\r\n") } else { out }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn removing_what_was_inserted_gives_back_every_byte(style in styles(), trimmed in any::<bool>()) {
        let mut before = text(&style);
        // A line break after a block scalar at the very end would change its value.
        if trimmed && !style.last_is_block_scalar {
            before.truncate(before.trim_end().len());
        }
        let after = insert(&before).map_err(|refusal| TestCaseError::fail(format!("{refusal:?}\n{before}")))?;
        prop_assert_eq!(cluster(&after), Ok(Cluster::Present), "{}", after);
        prop_assert_eq!(remove(&after).unwrap(), before.clone(), "{}", after);
        let lines: Vec<_> = after.lines().collect();
        prop_assert!(before.lines().all(|line| lines.contains(&line)), "{}", after);
        let view = View::parse(&after).unwrap();
        let at = view.clusters().iter().position(|cluster| cluster["name"] == SDS_CLUSTER);
        let xds = style.xds.filter(|xds| *xds < style.clusters).unwrap_or(style.clusters - 1);
        prop_assert_eq!(at, Some(xds + 1), "{}", after);
        prop_assert_eq!(view.clusters()[xds + 1].clone(), sds_cluster(style.spelling));
    }

    #[test]
    fn flow_lists_too(
        clusters in 1..4_usize,
        xds in prop::option::of(0..3_usize),
        lines in any::<bool>(),
        json in any::<bool>(),
        before in prop::sample::select(vec!["", "\n      ", " "]),
    ) {
        let quote = if json { "\"" } else { "" };
        let item = |number: usize| {
            let stat = if xds == Some(number) { "xds_cluster" } else { "x" };
            format!("{{{quote}name{quote}: \"c{number}\", {quote}alt_stat_name{quote}: \"{stat}\"}}")
        };
        let comma = if lines { ",\n      " } else { ", " };
        let items = (0..clusters).map(item).collect::<Vec<_>>().join(comma);
        let list = format!("{{{quote}static_resources{quote}: {{{quote}clusters{quote}: [{before}{items}]}}}}\n");
        let after = insert(&list).map_err(|refusal| TestCaseError::fail(format!("{refusal:?}\n{list}")))?;
        prop_assert_eq!(cluster(&after), Ok(Cluster::Present));
        prop_assert_eq!(remove(&after).unwrap(), list, "{}", after);
    }

    #[test]
    fn nothing_makes_it_fall_over(text in "[a-z:{}\\[\\]&*|>\" \n\t#-]{0,60}") {
        let _ = insert(&format!("static_resources:\n  clusters:\n{text}"));
        let _ = remove(&text);
    }
}
