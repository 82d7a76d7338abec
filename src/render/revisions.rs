//! The report of `istio revisions` as a table and as a value.

use serde_json::{Value, json};

use super::table::{Align, Table};
use crate::plan::revisions::{RevisionRow, RevisionsReport};

/// The columns of `-o table` or `-o wide`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RevisionsWidth {
    Usual,
    Wide,
}

/// The columns that a narrow terminal does without, the least important first.
const DISPENSABLE: [&str; 6] = ["VERSION", "TAGS", "NS", "GATEWAYS", "STALE", "PODS"];

/// The number of tags that the usual columns name.
const TAGS: usize = 2;

const COLUMNS: [(&str, Align); 9] = [
    ("REVISION", Align::Left),
    ("VERSION", Align::Left),
    ("READY", Align::Left),
    ("TAGS", Align::Left),
    ("NS", Align::Right),
    ("PODS", Align::Right),
    ("STALE", Align::Right),
    ("GATEWAYS", Align::Right),
    ("IN USE", Align::Left),
];

const MORE: [(&str, Align); 9] = [
    ("ALL TAGS", Align::Left),
    ("GATEWAY NAMES", Align::Left),
    ("NAMESPACE", Align::Left),
    ("ADDRESS", Align::Left),
    ("TRUST DOMAIN", Align::Left),
    ("MESH ID", Align::Left),
    ("CLUSTER ID", Align::Left),
    ("WEBHOOK", Align::Left),
    ("NAMESPACES", Align::Left),
];

/// The table.
#[must_use]
pub(crate) fn table(report: &RevisionsReport, width: RevisionsWidth) -> Table {
    let mut columns = COLUMNS.to_vec();
    if width == RevisionsWidth::Wide {
        columns.extend(MORE);
    }
    let cells = |row| match width {
        RevisionsWidth::Usual => usual(row),
        RevisionsWidth::Wide => [usual(row), more(row)].concat(),
    };
    let rows = report.rows.iter().map(cells).map(Into::into).collect();
    let dispensable: &[_] = if width == RevisionsWidth::Wide { &[] } else { &DISPENSABLE };
    Table { columns, rows, toned: 0, dispensable }
}

fn usual(row: &RevisionRow) -> Vec<String> {
    let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let istiod = &row.istiod;
    vec![
        istiod.revision.clone(),
        istiod.version.clone(),
        format!("{}/{}", istiod.ready, istiod.wanted),
        some_tags(row.tags.as_deref()),
        row.namespaces.as_ref().map_or_else(|| "?".to_owned(), |all| all.len().to_string()),
        number(row.pods),
        number(row.stale),
        number(row.gateways.as_ref().map(|all| all.len() as u64)),
        row.in_use.shown().to_owned(),
    ]
}

fn more(row: &RevisionRow) -> Vec<String> {
    let istiod = &row.istiod;
    let names: Option<Vec<String>> =
        row.namespaces.as_ref().map(|all| all.iter().map(|binding| binding.namespace.clone()).collect());
    vec![
        joined(row.tags.as_deref()),
        joined(row.gateways.as_deref()),
        istiod.namespace.clone(),
        istiod.address.clone(),
        istiod.trust_domain.clone(),
        istiod.mesh_id.clone(),
        istiod.cluster_id.value().to_owned(),
        istiod.webhook.clone().unwrap_or_else(|| "-".to_owned()),
        joined(names.as_deref()),
    ]
}

/// The first tags, and how many others there are: `prod,stable,+3`.
fn some_tags(tags: Option<&[String]>) -> String {
    let Some(tags) = tags.filter(|tags| tags.len() > TAGS) else { return joined(tags) };
    format!("{},+{}", tags[..TAGS].join(","), tags.len() - TAGS)
}

fn joined(names: Option<&[String]>) -> String {
    match names {
        None => "?".to_owned(),
        Some([]) => "-".to_owned(),
        Some(names) => names.join(","),
    }
}

/// The rows for `-o json` and `-o yaml`. Unknown values are null.
#[must_use]
pub(crate) fn value(report: &RevisionsReport) -> Value {
    report.rows.iter().map(row).collect()
}

fn row(row: &RevisionRow) -> Value {
    let istiod = &row.istiod;
    let namespaces = row.namespaces.as_ref().map(|all| {
        let one = |it: &crate::plan::revisions::Binding| json!({"name": it.namespace, "label": it.label});
        all.iter().map(one).collect::<Vec<_>>()
    });
    let addresses = istiod.tags.iter().map(|tag| json!({"name": tag.name, "address": tag.address}));
    json!({
        "revision": istiod.revision,
        "version": istiod.version,
        "namespace": istiod.namespace,
        "deployment": istiod.name,
        "service": istiod.service,
        "discoveryAddress": istiod.address,
        "image": istiod.image,
        "meshId": istiod.mesh_id,
        "trustDomain": istiod.trust_domain,
        "rootNamespace": istiod.root_namespace,
        "clusterId": istiod.cluster_id.value(),
        "webhook": istiod.webhook,
        "ready": istiod.ready,
        "wanted": istiod.wanted,
        "tags": row.tags.as_ref().map(|_| addresses.collect::<Vec<_>>()),
        "namespaces": namespaces,
        "pods": row.pods,
        "stalePods": row.stale,
        "gateways": row.gateways,
        "inUse": row.in_use.shown(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::istiod::{self, ControlPlaneObjects, Tag};
    use crate::plan::revisions::{Binding, InUse};

    fn report() -> RevisionsReport {
        let deployment = json!({
            "metadata": {"name": "istiod-1-28", "namespace": "istio-system", "labels": {"istio.io/rev": "1-28"}},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "discovery", "image": "pilot:1.28.3"}]}}},
            "status": {"readyReplicas": 2},
        });
        let mut istiod =
            istiod::all(&ControlPlaneObjects { deployments: &[deployment], ..ControlPlaneObjects::default() })
                .remove(0);
        istiod.tags = vec![Tag { name: "prod".into(), address: None, webhook: "w".into() }];
        let binding = Binding {
            namespace: "shop".into(),
            label: "istio.io/rev=prod".into(),
            names: "prod".into(),
            revision: Some("1-28".into()),
        };
        let known = RevisionRow {
            istiod: istiod.clone(),
            tags: Some(vec!["prod".into()]),
            namespaces: Some(vec![binding]),
            pods: Some(203),
            stale: Some(0),
            gateways: Some(Vec::new()),
            in_use: InUse::Yes,
        };
        let unknown = RevisionRow {
            istiod,
            tags: None,
            namespaces: None,
            pods: None,
            stale: None,
            gateways: None,
            in_use: InUse::Unknown,
        };
        RevisionsReport { rows: vec![known, unknown], advice: Vec::new() }
    }

    fn lines(report: &RevisionsReport, width: RevisionsWidth, terminal: Option<usize>) -> Vec<String> {
        table(report, width).lines(terminal).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_not_known_is_a_question_mark() {
        assert_eq!(
            lines(&report(), RevisionsWidth::Usual, None),
            [
                "REVISION  VERSION  READY  TAGS  NS  PODS  STALE  GATEWAYS  IN USE",
                "1-28      1.28.3   2/2    prod   1   203      0         0  yes",
                "1-28      1.28.3   2/2    ?      ?     ?      ?         ?  ?",
            ]
        );
    }

    #[test]
    fn a_terminal_of_80_columns_holds_the_table_of_a_large_mesh() {
        let mut report = report();
        let names = |of: &str, number: usize| Some((0..number).map(|it| format!("{of}-of-the-mesh-{it}")).collect());
        for row in &mut report.rows {
            row.istiod.revision = "asm-managed-rapid".into();
            row.istiod.version = "1.28.3-asm.14".into();
            (row.tags, row.gateways, row.pods) = (names("tag", 3), names("gateway", 5), Some(9999));
        }
        let wide = lines(&report, RevisionsWidth::Usual, None);
        assert!(wide[1].contains("tag-of-the-mesh-0,tag-of-the-mesh-1,+1") && wide[1].chars().count() > 80, "{wide:?}");
        let narrow = lines(&report, RevisionsWidth::Usual, Some(80));
        assert!(narrow.iter().all(|line| line.chars().count() <= 80), "{narrow:#?}");
        assert!(narrow[1].starts_with("asm-managed-rapid  2/2") && narrow[1].ends_with("5  yes"), "{narrow:#?}");
        assert_eq!(narrow[3], "-o wide has VERSION, TAGS");
        let whole = lines(&report, RevisionsWidth::Wide, None);
        for name in ["tag-of-the-mesh-2", "gateway-of-the-mesh-4"] {
            assert!(whole[1].contains(name), "{whole:?}");
        }
    }

    #[test]
    fn wide_adds_where_it_is_and_who_is_bound() {
        let lines = lines(&report(), RevisionsWidth::Wide, None);
        assert!(lines[0].ends_with("MESH ID        CLUSTER ID  WEBHOOK  NAMESPACES"), "{}", lines[0]);
        assert!(lines[1].ends_with("Kubernetes  -        shop"), "{}", lines[1]);
        assert!(lines[1].contains("istiod-1-28.istio-system.svc:15012"));
    }

    #[test]
    fn the_value_has_null_where_nothing_is_known() {
        let value = value(&report());
        assert_eq!(value[0]["namespaces"], json!([{"name": "shop", "label": "istio.io/rev=prod"}]));
        assert_eq!(value[0]["tags"], json!([{"name": "prod", "address": null}]));
        assert_eq!((&value[1]["pods"], &value[1]["inUse"]), (&Value::Null, &json!("?")));
    }
}
