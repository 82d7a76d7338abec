//! The mode that applies to a workload's port, and the policy that sets it.
//!
//! Istio's order (its authentication concepts and `ComposePeerAuthentication`): the mesh's policy, then the
//! namespace's, then the one that selects the workload, then that one's mode of the port. `UNSET` means the mode of the
//! wider level. If no level sets a mode, PERMISSIVE applies. Of several policies at one level Istio uses only the
//! oldest, even if its mode is `UNSET`. A selector in the root namespace selects nothing.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::command::{CommandLine, gloo_rs, kubectl};
use crate::plan::labels::{labels, selects};

/// What a sidecar accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only mutual TLS.
    Strict,
    /// Mutual TLS and plaintext.
    Permissive,
    /// Only plaintext.
    Disable,
}

impl Mode {
    /// Returns the name as a policy spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "STRICT",
            Self::Permissive => "PERMISSIVE",
            Self::Disable => "DISABLE",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The level of a policy, the widest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyLevel {
    Mesh,
    Namespace,
    Workload,
    Port,
}

impl PolicyLevel {
    /// Returns the name: `mesh`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mesh => "mesh",
            Self::Namespace => "namespace",
            Self::Workload => "workload",
            Self::Port => "port",
        }
    }
}

/// The namespace and name of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRef {
    pub namespace: String,
    pub name: String,
}

impl PolicyRef {
    /// Reads the namespace and name of this policy.
    pub fn parse(policy: &Value) -> Self {
        let text = |key: &str| policy["metadata"][key].as_str().unwrap_or_default().to_owned();
        Self { namespace: text("namespace"), name: text("name") }
    }
}

impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The policy of one level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    pub level: PolicyLevel,
    pub policy: PolicyRef,
    /// `None` means `UNSET`: the mode of the wider level applies.
    pub mode: Option<Mode>,
    /// Policies of the same level that Istio ignores, because this one is older.
    pub shadowed: Vec<PolicyRef>,
}

impl PolicySource {
    /// Returns the command after which this policy no longer prevents mutual TLS at any pod of the namespace. A policy
    /// for single workloads or ports is edited, because one for the whole namespace does not change it.
    pub fn opened_by(&self, namespace: &str) -> CommandLine {
        let PolicyRef { namespace: home, name } = &self.policy;
        match self.level {
            PolicyLevel::Namespace => gloo_rs("istio peer-auth permissive").with("-n", namespace),
            PolicyLevel::Mesh if home != namespace => gloo_rs("istio peer-auth permissive").with("-n", namespace),
            PolicyLevel::Mesh => gloo_rs("istio peer-auth permissive --mesh"),
            PolicyLevel::Workload | PolicyLevel::Port => {
                kubectl("edit peerauthentication").value(name).with("-n", home)
            }
        }
    }
}

/// Writes `istio-system/test, mesh`.
impl fmt::Display for PolicySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.policy, self.level.name())
    }
}

/// The effective mode, and every level that has a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    pub mode: Mode,
    /// The widest first. If it is empty, there is no policy, and the mode is Istio's default.
    pub chain: Vec<PolicySource>,
}

impl Effective {
    fn from_chain(chain: Vec<PolicySource>) -> Self {
        let mode = chain.iter().rev().find_map(|source| source.mode).unwrap_or(Mode::Permissive);
        Self { mode, chain }
    }

    /// Returns the level that sets the mode. `None` if the mode is Istio's default.
    pub fn set_by(&self) -> Option<&PolicySource> {
        self.chain.iter().rev().find(|source| source.mode.is_some())
    }

    /// Returns whether plaintext is not accepted.
    pub fn is_strict(&self) -> bool {
        self.mode == Mode::Strict
    }

    /// Returns the level that sets this mode, if this mode is the effective one.
    pub fn setting(&self, mode: Mode) -> Option<&PolicySource> {
        self.set_by().filter(|_| self.mode == mode)
    }
}

/// The reason why the mode of a port is unknown, if [`Policies::on_port`] returns `None`.
pub(crate) const PORT_UNKNOWN: &str = "a policy has a mode for single ports, and the Service names its port";

/// All `PeerAuthentication`s, and the root namespace of the mesh.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policies<'p> {
    pub all: &'p [Value],
    pub root_namespace: &'p str,
}

impl Policies<'_> {
    /// Returns what applies if there is no narrower policy.
    pub(crate) fn of_mesh(&self) -> Effective {
        Effective::from_chain(self.mesh().into_iter().collect())
    }

    /// Returns what applies in the namespace to workloads that no policy selects.
    pub(crate) fn of_namespace(&self, namespace: &str) -> Effective {
        Effective::from_chain(self.whole(namespace))
    }

    /// Returns what applies to a workload's pods with these labels. Without a port, port modes are ignored.
    /// [`Self::ports`] returns the ports that have a mode.
    pub(crate) fn of_workload(&self, namespace: &str, pod_labels: &Value, port: Option<u64>) -> Effective {
        let mut chain = self.whole(namespace);
        if let Some((policy, source)) = self.selecting(namespace, pod_labels) {
            let of_port = port.and_then(|port| {
                let mtls = policy["spec"]["portLevelMtls"].get(port.to_string())?;
                let shadowed = Vec::new();
                Some(PolicySource {
                    level: PolicyLevel::Port,
                    policy: source.policy.clone(),
                    mode: mode(mtls),
                    shadowed,
                })
            });
            chain.push(source);
            chain.extend(of_port);
        }
        Effective::from_chain(chain)
    }

    /// Returns whether any policy has a mode for single ports.
    pub(crate) fn have_ports(&self) -> bool {
        self.all.iter().any(|policy| !port_modes(policy).is_empty())
    }

    /// Returns what applies to a port of the workload's pods. `None` if its number is unknown and single ports have
    /// other modes.
    pub(crate) fn on_port(&self, namespace: &str, pod_labels: &Value, port: Option<u64>) -> Option<Effective> {
        let whole = self.of_workload(namespace, pod_labels, port);
        let differs = |of_port: &Effective| of_port.mode != whole.mode;
        let is_open = port.is_none() && self.ports(namespace, pod_labels).values().any(differs);
        (!is_open).then_some(whole)
    }

    /// Returns the pods' ports that have their own mode, from the policy that selects these labels.
    pub(crate) fn ports(&self, namespace: &str, pod_labels: &Value) -> BTreeMap<u64, Effective> {
        let selecting = self.selecting(namespace, pod_labels);
        let ports = selecting.iter().flat_map(|(policy, _)| port_modes(policy).into_keys());
        ports.map(|port| (port, self.of_workload(namespace, pod_labels, Some(port)))).collect()
    }

    /// Returns the policies of only this namespace that have no selector, the one that Istio uses first.
    pub(crate) fn without_selector(&self, namespace: &str) -> Vec<&Value> {
        self.oldest_first(namespace, BTreeMap::is_empty)
    }

    /// Returns the policies of this namespace that select pods with these labels, the one that Istio uses first.
    pub(crate) fn with_selector(&self, namespace: &str, pod_labels: &Value) -> Vec<&Value> {
        if namespace == self.root_namespace {
            return Vec::new();
        }
        self.oldest_first(namespace, |selector| !selector.is_empty() && selects(selector, pod_labels))
    }

    fn mesh(&self) -> Option<PolicySource> {
        source(PolicyLevel::Mesh, &self.without_selector(self.root_namespace))
    }

    /// Returns the policies of the mesh and of the namespace. In the root namespace they are the same.
    fn whole(&self, namespace: &str) -> Vec<PolicySource> {
        let mut chain: Vec<_> = self.mesh().into_iter().collect();
        if namespace != self.root_namespace {
            chain.extend(source(PolicyLevel::Namespace, &self.without_selector(namespace)));
        }
        chain
    }

    fn selecting(&self, namespace: &str, pod_labels: &Value) -> Option<(&Value, PolicySource)> {
        let policies = self.with_selector(namespace, pod_labels);
        Some((policies.first()?, source(PolicyLevel::Workload, &policies)?))
    }

    /// Sorts the policies by age. Creation times have a resolution of one second, so the name decides between equal
    /// times, as in Istio. A policy without a creation time is from a file and will be the youngest.
    fn oldest_first(&self, namespace: &str, wanted: impl Fn(&BTreeMap<String, String>) -> bool) -> Vec<&Value> {
        let mut found: Vec<_> = self
            .all
            .iter()
            .filter(|policy| policy["metadata"]["namespace"] == *namespace && wanted(&selector(policy)))
            .collect();
        found.sort_by_key(|policy| {
            let text = |key: &str| policy["metadata"][key].as_str().unwrap_or_default();
            let created = text("creationTimestamp");
            (created.is_empty(), created, text("name"))
        });
        found
    }
}

/// Returns the labels by which a policy selects pods. Empty if the policy applies to its whole namespace.
pub(crate) fn selector(policy: &Value) -> BTreeMap<String, String> {
    labels(&policy["spec"]["selector"]["matchLabels"])
}

/// Returns the mode that a policy sets. `None` for `UNSET`, and for a value that Istio does not know.
pub(crate) fn mode(mtls: &Value) -> Option<Mode> {
    [Mode::Strict, Mode::Permissive, Mode::Disable].into_iter().find(|mode| mtls["mode"] == mode.name())
}

/// Returns the ports in a policy, with their modes.
pub(crate) fn port_modes(policy: &Value) -> BTreeMap<u64, Option<Mode>> {
    let ports = policy["spec"]["portLevelMtls"].as_object().into_iter().flatten();
    ports.filter_map(|(port, mtls)| Some((port.parse().ok()?, mode(mtls)))).collect()
}

/// Returns whether at least one of these policies sets this mode, even if only for a single port. Otherwise the mode
/// applies nowhere.
pub(crate) fn is_set(all: &[Value], wanted: Mode) -> bool {
    let sets = |policy: &Value| {
        mode(&policy["spec"]["mtls"]) == Some(wanted) || port_modes(policy).values().any(|mode| *mode == Some(wanted))
    };
    all.iter().any(sets)
}

fn source(level: PolicyLevel, oldest_first: &[&Value]) -> Option<PolicySource> {
    let (policy, shadowed) = oldest_first.split_first()?;
    Some(PolicySource {
        level,
        policy: PolicyRef::parse(policy),
        mode: mode(&policy["spec"]["mtls"]),
        shadowed: shadowed.iter().map(|policy| PolicyRef::parse(policy)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Parses `namespace/name @year selector mode port=mode`.
    fn policy(text: &str) -> Value {
        let words: Vec<_> = text.split(' ').collect();
        let (namespace, name) = words[0].split_once('/').unwrap();
        let mut policy = json!({"metadata": {"namespace": namespace, "name": name}, "spec": {}});
        for word in &words[1..] {
            match word.split_once('=') {
                Some((port, mode)) if port.parse::<u16>().is_ok() => {
                    policy["spec"]["portLevelMtls"][port]["mode"] = json!(mode);
                }
                Some((key, value)) => policy["spec"]["selector"]["matchLabels"][key] = json!(value),
                None => match word.strip_prefix('@') {
                    Some(year) => {
                        policy["metadata"]["creationTimestamp"] = json!(format!("{year}-01-01T00:00:00Z"));
                    }
                    None => policy["spec"]["mtls"]["mode"] = json!(word),
                },
            }
        }
        policy
    }

    fn shown(effective: &Effective) -> String {
        let chain = effective.chain.iter().map(|source| {
            let mode = source.mode.map_or("UNSET", Mode::name);
            let shadowed: Vec<_> = source.shadowed.iter().map(|policy| format!(" not {policy}")).collect();
            format!("{} {} {mode}{}", source.level.name(), source.policy, shadowed.concat())
        });
        let chain: Vec<_> = chain.collect();
        format!("{}: {}", effective.mode, chain.join(", "))
    }

    #[track_caller]
    fn holds(policies: &[&str], wanted: &str) {
        let all: Vec<_> = policies.iter().map(|text| policy(text)).collect();
        let policies = Policies { all: &all, root_namespace: "istio-system" };
        assert_eq!(shown(&policies.of_workload("shop", &json!({"app": "a", "tier": "web"}), Some(8080))), wanted);
    }

    #[test]
    fn the_narrowest_level_that_sets_a_mode_holds() {
        holds(&[], "PERMISSIVE: ");
        holds(&["istio-system/m STRICT"], "STRICT: mesh istio-system/m STRICT");
        holds(
            &["istio-system/m STRICT", "shop/n PERMISSIVE"],
            "PERMISSIVE: mesh istio-system/m STRICT, namespace shop/n PERMISSIVE",
        );
        holds(
            &["shop/n PERMISSIVE", "shop/w app=a STRICT"],
            "STRICT: namespace shop/n PERMISSIVE, workload shop/w STRICT",
        );
        holds(
            &["shop/n STRICT", "shop/w app=a STRICT 8080=DISABLE"],
            "DISABLE: namespace shop/n STRICT, workload shop/w STRICT, port shop/w DISABLE",
        );
        holds(&["shop/w app=a PERMISSIVE 8080=STRICT"], "STRICT: workload shop/w PERMISSIVE, port shop/w STRICT");
    }

    #[test]
    fn unset_asks_the_wider_level_at_every_level() {
        holds(&["istio-system/m"], "PERMISSIVE: mesh istio-system/m UNSET");
        holds(&["istio-system/m STRICT", "shop/n UNSET"], "STRICT: mesh istio-system/m STRICT, namespace shop/n UNSET");
        holds(
            &["istio-system/m STRICT", "shop/w app=a 8080=UNSET"],
            "STRICT: mesh istio-system/m STRICT, workload shop/w UNSET, port shop/w UNSET",
        );
        holds(&["shop/n STRICT", "shop/w app=a NONSENSE"], "STRICT: namespace shop/n STRICT, workload shop/w UNSET");
    }

    #[test]
    fn the_oldest_of_a_level_is_read_even_where_it_sets_nothing() {
        holds(
            &["shop/b @2024 STRICT", "shop/c @2023 PERMISSIVE", "shop/a @2025 STRICT"],
            "PERMISSIVE: namespace shop/c PERMISSIVE not shop/b not shop/a",
        );
        holds(
            &["istio-system/b @2024 STRICT", "istio-system/a @2023 UNSET"],
            "PERMISSIVE: mesh istio-system/a UNSET not istio-system/b",
        );
        holds(
            &["shop/w @2024 app=a STRICT", "shop/v @2023 tier=web PERMISSIVE 8080=STRICT"],
            "STRICT: workload shop/v PERMISSIVE not shop/w, port shop/v STRICT",
        );
        holds(
            &["shop/b @2024 STRICT", "shop/a @2024 PERMISSIVE"],
            "PERMISSIVE: namespace shop/a PERMISSIVE not shop/b",
        );
    }

    #[test]
    fn a_policy_says_nothing_of_other_namespaces_workloads_and_ports() {
        holds(&["other/n STRICT", "other/w app=a STRICT"], "PERMISSIVE: ");
        holds(&["shop/w app=b STRICT", "shop/v app=a,tier=api"], "PERMISSIVE: ");
        holds(&["shop/w app=a tier=api STRICT"], "PERMISSIVE: ");
        holds(&["shop/w app=a PERMISSIVE 9090=STRICT"], "PERMISSIVE: workload shop/w PERMISSIVE");
    }

    #[test]
    fn ports_are_read_only_where_a_workload_is_selected() {
        holds(&["shop/n PERMISSIVE 8080=STRICT"], "PERMISSIVE: namespace shop/n PERMISSIVE");
        holds(&["istio-system/m PERMISSIVE 8080=STRICT"], "PERMISSIVE: mesh istio-system/m PERMISSIVE");
    }

    #[test]
    fn in_the_root_namespace_there_is_one_level_and_no_selector() {
        let all = [policy("istio-system/m @2024 STRICT"), policy("istio-system/w @2023 app=a PERMISSIVE")];
        let policies = Policies { all: &all, root_namespace: "istio-system" };
        let labels = json!({"app": "a"});
        let wanted = "STRICT: mesh istio-system/m STRICT";
        assert_eq!(shown(&policies.of_workload("istio-system", &labels, None)), wanted);
        assert_eq!(shown(&policies.of_namespace("istio-system")), wanted);
        assert_eq!(shown(&policies.of_namespace("shop")), wanted);
        assert_eq!(shown(&policies.of_mesh()), wanted);
        let elsewhere = Policies { all: &all, root_namespace: "mesh" };
        assert_eq!(
            shown(&elsewhere.of_workload("istio-system", &labels, None)),
            "PERMISSIVE: namespace istio-system/m STRICT, workload istio-system/w PERMISSIVE"
        );
    }

    #[test]
    fn ports_with_a_mode_of_their_own_are_told() {
        let all = [policy("shop/n STRICT"), policy("shop/w app=a 8080=DISABLE 9090=UNSET")];
        let policies = Policies { all: &all, root_namespace: "istio-system" };
        let ports = policies.ports("shop", &json!({"app": "a"}));
        let modes: Vec<_> = ports.iter().map(|(port, effective)| (*port, effective.mode)).collect();
        assert_eq!(modes, [(8080, Mode::Disable), (9090, Mode::Strict)]);
        let by = ports[&9090].set_by().unwrap();
        assert_eq!((by.level, by.policy.to_string().as_str()), (PolicyLevel::Namespace, "shop/n"));
        assert!(policies.ports("shop", &json!({"app": "b"})).is_empty());
    }
}
