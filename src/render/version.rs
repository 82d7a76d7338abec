//! Versions, as in glooctl's document and as a table.

use serde_json::{Map, Value, json};

use crate::build::Build;
use crate::plan::server::{Container, InstalledGloo};

/// The versions that were found. An error says why a part is missing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Versions {
    pub client: Build,
    /// `None` if the server was not asked.
    pub server: Option<ServerSide>,
}

/// The versions in the cluster.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServerSide {
    pub gloo: Result<InstalledGloo, String>,
    /// The answer to `GET /version`.
    pub cluster: Result<Value, String>,
}

/// The fields of `GET /version` that glooctl shows.
const CLUSTER_KEYS: [&str; 5] = ["major", "minor", "gitVersion", "buildDate", "platform"];

/// The document, with glooctl's names of the fields.
#[must_use]
pub(crate) fn value(versions: &Versions) -> Value {
    let mut document = json!({
        "apiVersion": "gloo-rs/v1",
        "kind": "Version",
        "client": client(versions.client),
    });
    let Some(side) = &versions.server else { return document };
    document["server"] = side.gloo.iter().map(server).collect();
    document["kubernetesCluster"] = side.cluster.as_ref().map_or(Value::Null, cluster);
    for (key, error) in [("serverError", side.gloo.as_ref().err()), ("kubernetesError", side.cluster.as_ref().err())] {
        if let Some(error) = error {
            document[key] = error.as_str().into();
        }
    }
    document
}

/// What is not known is null.
fn client(build: Build) -> Value {
    json!({"version": build.version, "commit": build.commit, "date": build.date, "target": build.target})
}

fn server(server: &InstalledGloo) -> Value {
    json!({
        "type": server.kind,
        "enterprise": server.enterprise,
        "kubernetes": {
            "containers": server.containers.iter().map(container).collect::<Vec<_>>(),
            "namespace": server.namespace,
        },
    })
}

fn container(container: &Container) -> Value {
    let mut value = json!({
        "Tag": tag(container), "Name": container.image.name(), "Registry": container.image.parents(),
    });
    if let Some(tag) = &container.oss_tag {
        value["OssTag"] = tag.as_str().into();
    }
    value
}

/// The tag; without a tag the digest; otherwise empty.
fn tag(container: &Container) -> &str {
    container.image.tag.as_ref().or(container.image.digest.as_ref()).map_or("", String::as_str)
}

fn cluster(answer: &Value) -> Value {
    CLUSTER_KEYS.iter().map(|key| ((*key).to_owned(), answer[*key].clone())).collect::<Map<_, _>>().into()
}

/// The lines of the table.
#[must_use]
pub(crate) fn table(versions: &Versions) -> Vec<String> {
    let mut lines = vec![
        format!("Client version: {}", versions.client.version),
        format!("Client build: {}", versions.client.summary),
    ];
    let Some(side) = &versions.server else { return lines };
    match &side.gloo {
        Err(why) => lines.push(format!("Server version: unknown ({why})")),
        Ok(server) => {
            let kind = if server.enterprise { format!("{} (enterprise)", server.kind) } else { server.kind.to_owned() };
            let width = server.namespace.len().max("NAMESPACE".len());
            let second = kind.len().max("DEPLOYMENT-TYPE".len());
            lines.push("Server version:".to_owned());
            lines.push(format!("  {:width$}  {:second$}  CONTAINERS", "NAMESPACE", "DEPLOYMENT-TYPE"));
            let images = server.containers.iter().map(|it| format!("{}:{}", it.image.name(), tag(it)));
            let mut lead = format!("  {:width$}  {kind:second$}", server.namespace);
            for image in images {
                lines.push(format!("{lead}  {image}"));
                lead = " ".repeat(lead.len());
            }
        }
    }
    lines.push(match &side.cluster {
        Ok(answer) => format!("Kubernetes version: {}", answer["gitVersion"].as_str().unwrap_or("unknown")),
        Err(why) => format!("Kubernetes version: unknown ({why})"),
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Image;

    const RELEASE: Build = Build {
        version: "0.1.0",
        commit: Some("3c3e46a"),
        date: Some("2026-11-30"),
        target: "x86_64-unknown-linux-gnu",
        repository: None,
        summary: "3c3e46a 2026-11-30, x86_64-unknown-linux-gnu",
    };

    fn found() -> ServerSide {
        let container = |name: &str, oss_tag: Option<&str>| Container {
            image: Image::parse(&format!("quay.io/solo-io/{name}:1.17.7")).unwrap(),
            oss_tag: oss_tag.map(str::to_owned),
        };
        ServerSide {
            gloo: Ok(InstalledGloo {
                namespace: "gloo-system".into(),
                kind: "Gateway",
                enterprise: false,
                containers: vec![container("gloo", Some("1.17.7")), container("discovery", None)],
            }),
            cluster: Ok(json!({
                "major": "1", "minor": "36", "gitVersion": "v1.36.3", "gitCommit": "abc", "buildDate": "2026-01-01",
                "platform": "linux/amd64",
            })),
        }
    }

    #[test]
    fn the_document_has_glooctls_keys() {
        let document = value(&Versions { client: RELEASE, server: Some(found()) });
        assert_eq!(
            document["client"],
            json!({"version": "0.1.0", "commit": "3c3e46a", "date": "2026-11-30", "target": "x86_64-unknown-linux-gnu"})
        );
        assert_eq!(
            document["server"],
            json!([{"type": "Gateway", "enterprise": false, "kubernetes": {"containers": [
                {"Tag": "1.17.7", "Name": "gloo", "Registry": "quay.io/solo-io", "OssTag": "1.17.7"},
                {"Tag": "1.17.7", "Name": "discovery", "Registry": "quay.io/solo-io"},
            ], "namespace": "gloo-system"}}])
        );
        assert_eq!(
            document["kubernetesCluster"],
            json!({"major": "1", "minor": "36", "gitVersion": "v1.36.3", "buildDate": "2026-01-01",
                "platform": "linux/amd64"})
        );
        assert!(document.get("serverError").is_none() && document.get("kubernetesError").is_none());
    }

    #[test]
    fn what_is_missing_says_why_in_a_field() {
        let side = ServerSide { gloo: Err("no Gloo".into()), cluster: Err("no connection".into()) };
        let versions = Versions { client: RELEASE, server: Some(side) };
        let document = value(&versions);
        assert_eq!(document["server"], json!([]));
        assert_eq!(document["kubernetesCluster"], Value::Null);
        assert_eq!(document["serverError"], "no Gloo");
        assert_eq!(document["kubernetesError"], "no connection");
        assert_eq!(
            table(&versions)[2..],
            ["Server version: unknown (no Gloo)", "Kubernetes version: unknown (no connection)"]
        );
    }

    #[test]
    fn the_client_alone_says_nothing_of_a_server_and_an_unknown_commit_is_null() {
        let unknown = Build { commit: None, date: None, summary: "commit unknown, t", target: "t", ..RELEASE };
        let versions = Versions { client: unknown, server: None };
        let client = json!({"version": "0.1.0", "commit": null, "date": null, "target": "t"});
        assert_eq!(value(&versions), json!({"apiVersion": "gloo-rs/v1", "kind": "Version", "client": client}));
        assert_eq!(table(&versions), ["Client version: 0.1.0", "Client build: commit unknown, t"]);
    }

    #[test]
    fn the_table_has_a_line_for_each_container() {
        assert_eq!(
            table(&Versions { client: RELEASE, server: Some(found()) }),
            [
                "Client version: 0.1.0",
                "Client build: 3c3e46a 2026-11-30, x86_64-unknown-linux-gnu",
                "Server version:",
                "  NAMESPACE    DEPLOYMENT-TYPE  CONTAINERS",
                "  gloo-system  Gateway          gloo:1.17.7",
                "                                discovery:1.17.7",
                "Kubernetes version: v1.36.3",
            ]
        );
    }
}
