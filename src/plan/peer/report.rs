//! The effective modes, as `istio peer-auth get` lists them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::change::PolicyScope;
use super::mode::{Effective, Policies, PolicyLevel, selector};
use crate::plan::Unread;

/// The effective mode of one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EffectiveMode {
    pub level: PolicyLevel,
    /// Empty for the mesh.
    pub namespace: String,
    /// Empty if the line is not about a workload.
    pub labels: BTreeMap<String, String>,
    pub port: Option<u64>,
    /// The effective mode, or why it is unknown: no narrower policy sets a mode, and the mesh's policies could not be
    /// read.
    pub effective: Result<Effective, Unread>,
}

/// Returns the lines of a scope, the widest first. Without a scope, returns those of the mesh and of every place with a
/// policy. `hidden` is the reason why the mesh's policies are missing.
pub(crate) fn lines(scope: Option<&PolicyScope>, policies: &Policies, hidden: Option<&Unread>) -> Vec<EffectiveMode> {
    let mut lines = known(scope, policies);
    for line in &mut lines {
        let is_of_mesh = |effective: &Effective| effective.set_by().is_none_or(|it| it.level == PolicyLevel::Mesh);
        if let Some(why) = hidden.filter(|_| line.effective.as_ref().is_ok_and(is_of_mesh)) {
            line.effective = Err(why.clone());
        }
    }
    lines
}

fn known(scope: Option<&PolicyScope>, policies: &Policies) -> Vec<EffectiveMode> {
    match scope {
        Some(PolicyScope::Mesh) => vec![of_mesh(policies)],
        Some(PolicyScope::Namespace(namespace)) if namespace == policies.root_namespace => vec![of_mesh(policies)],
        Some(PolicyScope::Namespace(namespace)) => of_namespace(namespace, policies),
        Some(PolicyScope::Workload { namespace, labels }) => of_workload(namespace, labels, policies),
        None => {
            let namespaces: BTreeSet<_> =
                policies.all.iter().filter_map(|policy| policy["metadata"]["namespace"].as_str()).collect();
            let narrower = namespaces.into_iter().filter(|namespace| *namespace != policies.root_namespace);
            let narrower = narrower.flat_map(|namespace| of_namespace(namespace, policies));
            std::iter::once(of_mesh(policies)).chain(narrower).collect()
        }
    }
}

fn of_mesh(policies: &Policies) -> EffectiveMode {
    let effective = Ok(policies.of_mesh());
    EffectiveMode { level: PolicyLevel::Mesh, namespace: String::new(), labels: BTreeMap::new(), port: None, effective }
}

fn of_namespace(namespace: &str, policies: &Policies) -> Vec<EffectiveMode> {
    let own = EffectiveMode {
        level: PolicyLevel::Namespace,
        namespace: namespace.to_owned(),
        labels: BTreeMap::new(),
        port: None,
        effective: Ok(policies.of_namespace(namespace)),
    };
    let selectors: BTreeSet<_> = policies
        .all
        .iter()
        .filter(|policy| policy["metadata"]["namespace"] == *namespace)
        .map(selector)
        .filter(|labels| !labels.is_empty())
        .collect();
    let workloads = selectors.iter().flat_map(|labels| of_workload(namespace, labels, policies));
    std::iter::once(own).chain(workloads).collect()
}

fn of_workload(namespace: &str, labels: &BTreeMap<String, String>, policies: &Policies) -> Vec<EffectiveMode> {
    let line = |level, port, effective| EffectiveMode {
        level,
        namespace: namespace.to_owned(),
        labels: labels.clone(),
        port,
        effective: Ok(effective),
    };
    let pods = json!(labels);
    let own = line(PolicyLevel::Workload, None, policies.of_workload(namespace, &pods, None));
    let ports = policies.ports(namespace, &pods).into_iter();
    std::iter::once(own).chain(ports.map(|(port, effective)| line(PolicyLevel::Port, Some(port), effective))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::plan::peer::change::shown;

    fn said(scope: Option<&PolicyScope>, hidden: Option<&Unread>) -> Vec<String> {
        let policy =
            |namespace: &str, spec: Value| json!({"metadata": {"namespace": namespace, "name": "p"}, "spec": spec});
        let cart =
            json!({"selector": {"matchLabels": {"app": "cart"}}, "portLevelMtls": {"8080": {"mode": "DISABLE"}}});
        let all = [
            policy("istio-system", json!({"mtls": {"mode": "STRICT"}})),
            policy("shop", cart),
            policy("other", json!({"mtls": {"mode": "PERMISSIVE"}})),
        ];
        let policies = Policies { all: &all, root_namespace: "istio-system" };
        let line = |line: &EffectiveMode| {
            let port = line.port.map(|port| port.to_string()).unwrap_or_default();
            format!(
                "{} {} {} {port} {}",
                line.level.name(),
                line.namespace,
                shown(&line.labels),
                line.effective.as_ref().map_or("unknown", |it| it.mode.name())
            )
        };
        lines(scope, &policies, hidden).iter().map(line).collect()
    }

    #[test]
    fn every_place_with_a_policy_has_its_line_and_so_has_the_mesh() {
        let mesh = "mesh    STRICT";
        let shop = ["namespace shop   STRICT", "workload shop app=cart  STRICT", "port shop app=cart 8080 DISABLE"];
        assert_eq!(said(None, None), [&[mesh, "namespace other   PERMISSIVE"][..], &shop].concat());
        assert_eq!(said(Some(&PolicyScope::Mesh), None), [mesh]);
        assert_eq!(said(Some(&PolicyScope::Namespace("istio-system".into())), None), [mesh]);
        assert_eq!(said(Some(&PolicyScope::Namespace("shop".into())), None), shop);
        assert_eq!(said(Some(&PolicyScope::Namespace("bare".into())), None), ["namespace bare   STRICT"]);
        let cart = |app: &str| PolicyScope::Workload {
            namespace: "shop".into(),
            labels: BTreeMap::from([("app".to_owned(), app.to_owned())]),
        };
        assert_eq!(said(Some(&cart("cart")), None), shop[1..]);
        assert_eq!(said(Some(&cart("other")), None), ["workload shop app=other  STRICT"]);
    }

    #[test]
    fn what_only_the_mesh_would_tell_is_unknown_where_its_policies_are_hidden() {
        let why = Unread::from("no permission");
        let shop = PolicyScope::Namespace("shop".into());
        let said = said(Some(&shop), Some(&why));
        assert_eq!(
            said,
            ["namespace shop   unknown", "workload shop app=cart  unknown", "port shop app=cart 8080 DISABLE"]
        );
    }
}
