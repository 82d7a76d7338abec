//! The users of each control plane: the report of `istio revisions`, from lists that may not be permitted.
//!
//! Pods are read one by one, by their metadata, and only counted. So memory grows with the namespaces, not with the
//! pods.

use std::collections::BTreeMap;

use serde_json::Value;

use super::advice::{Advice, Code};
use super::istiod::{DEFAULT, ISTIOD_LABEL, Istiod, REVISION_LABEL};
use crate::bounded;
use crate::command::{Hint, kubectl};

/// The annotation in which a sidecar names the istiod that injected it.
const STATUS: &str = "sidecar.istio.io/status";
/// The label that binds a namespace to the default istiod (`enabled`), or to none (`disabled`).
pub(crate) const INJECTION_LABEL: &str = "istio-injection";
/// The label, formerly the annotation, of a pod that requests a sidecar or opts out.
pub(crate) const INJECT_LABEL: &str = "sidecar.istio.io/inject";

/// Returns whether a pod with this metadata opts out of the sidecar in a bound namespace: by the label, or by the
/// annotation if there is no label (`injectRequired` of Istio's injector).
pub(crate) fn opts_out(metadata: &Value) -> bool {
    let told = [&metadata["labels"], &metadata["annotations"]].into_iter().find_map(|all| all[INJECT_LABEL].as_str());
    told == Some("false")
}

/// A list, or why it is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listed<T> {
    Read(T),
    Unknown { why: String },
}

impl<T> Listed<T> {
    /// Returns the list if it was read.
    pub(crate) fn read(&self) -> Option<&T> {
        match self {
            Self::Read(list) => Some(list),
            Self::Unknown { .. } => None,
        }
    }
}

/// A namespace that is bound to a control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    pub namespace: String,
    /// `istio.io/rev=prod`
    pub label: String,
    /// The revision or tag in the label.
    pub names: String,
    /// The revision that it resolves to. `None` if no istiod has it.
    pub revision: Option<String>,
}

/// Returns the bound namespaces. If both labels are set, `istio-injection` decides: the webhooks for `istio.io/rev`
/// ignore such a namespace.
pub(crate) fn bindings(istiods: &[Istiod], namespaces: &[Value]) -> Vec<Binding> {
    let mut all: Vec<_> = namespaces
        .iter()
        .filter_map(|namespace| {
            let (label, names) = bond(namespace)?;
            Some(Binding {
                namespace: namespace["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
                label,
                names: names.to_owned(),
                revision: behind(istiods, names),
            })
        })
        .collect();
    all.sort_by(|a, b| a.namespace.cmp(&b.namespace));
    all
}

/// Returns the label that binds a namespace, and the revision or tag in it.
pub(crate) fn bond(namespace: &Value) -> Option<(String, &str)> {
    let labels = &namespace["metadata"]["labels"];
    match (labels[INJECTION_LABEL].as_str(), labels[REVISION_LABEL].as_str()) {
        (Some("enabled"), _) => Some((format!("{INJECTION_LABEL}=enabled"), DEFAULT)),
        (Some(_), _) | (None, None) => None,
        (None, Some(names)) => Some((format!("{REVISION_LABEL}={names}"), names)),
    }
}

/// Returns the revision or tag in the label `istio.io/rev` that has no effect, because `istio-injection` is set too.
pub(crate) fn masked(namespace: &Value) -> Option<&str> {
    let labels = &namespace["metadata"]["labels"];
    labels[INJECTION_LABEL].as_str().and(labels[REVISION_LABEL].as_str())
}

/// Returns the revision whose istiod injected a pod, as the injection recorded it. `None` without a sidecar.
pub(crate) fn injected_by(pod: &Value) -> Option<String> {
    let status = pod["metadata"]["annotations"][STATUS].as_str()?;
    let status: Value = bounded::inside(status.as_bytes()).unwrap_or_default();
    Some(status["revision"].as_str().filter(|revision| !revision.is_empty()).unwrap_or(DEFAULT).to_owned())
}

/// Returns the revision for the name of a tag or a revision.
pub(crate) fn behind(istiods: &[Istiod], names: &str) -> Option<String> {
    let by_tag = istiods.iter().find(|istiod| istiod.tags.iter().any(|tag| tag.name == names));
    let found = by_tag.or_else(|| istiods.iter().find(|istiod| istiod.revision == names));
    found.map(|istiod| istiod.revision.clone())
}

/// Counts pods one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RevisionTally {
    istiods: Vec<(String, Vec<String>)>,
    bindings: BTreeMap<String, Option<String>>,
    by_revision: BTreeMap<String, u64>,
    /// The number of pods, by the revision that they run on, the one they should run on, and their namespace.
    stale: BTreeMap<(String, String), BTreeMap<String, u64>>,
}

impl RevisionTally {
    /// Creates a tally without pods.
    pub(crate) fn new(istiods: &[Istiod], bindings: &[Binding]) -> Self {
        let tags = |istiod: &Istiod| istiod.tags.iter().map(|tag| tag.name.clone()).collect();
        Self {
            istiods: istiods.iter().map(|istiod| (istiod.revision.clone(), tags(istiod))).collect(),
            bindings: bindings.iter().map(|it| (it.namespace.clone(), it.revision.clone())).collect(),
            by_revision: BTreeMap::new(),
            stale: BTreeMap::new(),
        }
    }

    /// Counts one pod. Its metadata is enough.
    pub(crate) fn pod(&mut self, pod: &Value) {
        let Some(runs_on) = self.revision_of(pod) else { return };
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
        *self.by_revision.entry(runs_on.clone()).or_default() += 1;
        if let Some(wanted) = self.wanted(pod, namespace).filter(|wanted| *wanted != runs_on) {
            *self.stale.entry((runs_on, wanted)).or_default().entry(namespace.to_owned()).or_default() += 1;
        }
    }

    /// Returns the pods that run on another revision than they should: namespace, actual revision, required revision,
    /// number.
    pub(crate) fn stale(&self) -> impl Iterator<Item = (&str, &str, &str, u64)> {
        self.stale.iter().flat_map(|((runs_on, wanted), namespaces)| {
            namespaces.iter().map(|(namespace, pods)| (namespace.as_str(), runs_on.as_str(), wanted.as_str(), *pods))
        })
    }

    /// Returns the revision of a pod's control plane: as its sidecar was injected, otherwise from its label.
    fn revision_of(&self, pod: &Value) -> Option<String> {
        if let Some(revision) = injected_by(pod) {
            return Some(revision);
        }
        let labels = &pod["metadata"]["labels"];
        let (app, istiod) = ISTIOD_LABEL.split_once('=').unwrap_or_default();
        // istiod itself has the label, and so have pods that opt out of the injection.
        if labels[app] == istiod || labels[INJECT_LABEL] == "false" {
            return None;
        }
        let names = labels[REVISION_LABEL].as_str()?;
        Some(self.behind(names).unwrap_or_else(|| names.to_owned()))
    }

    /// Returns the revision that would inject the pod if it started now. `None` if no label names one.
    fn wanted(&self, pod: &Value, namespace: &str) -> Option<String> {
        if let Some(bound) = self.bindings.get(namespace) {
            return bound.clone();
        }
        let labels = &pod["metadata"]["labels"];
        match labels[REVISION_LABEL].as_str() {
            Some(names) => self.behind(names),
            None if labels[INJECT_LABEL] == "true" => self.behind(DEFAULT),
            None => None,
        }
    }

    fn behind(&self, names: &str) -> Option<String> {
        let by_tag = self.istiods.iter().find(|(_, tags)| tags.iter().any(|tag| tag == names));
        let found = by_tag.or_else(|| self.istiods.iter().find(|(revision, _)| revision == names));
        found.map(|(revision, _)| revision.clone())
    }
}

/// A gateway proxy with sidecars, and the istiod address that they use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GatewayUse {
    pub namespace: String,
    pub name: String,
    pub address: String,
}

/// Everything that was read.
#[derive(Debug, Clone)]
pub(crate) struct Inputs<'a> {
    pub istiods: &'a [Istiod],
    /// Whether webhooks could be listed. Without them no tags are known.
    pub tags: Listed<()>,
    pub bindings: Listed<Vec<Binding>>,
    pub pods: Listed<RevisionTally>,
    pub gateways: Listed<Vec<GatewayUse>>,
}

/// Whether a control plane is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InUse {
    Yes,
    /// Only tags refer to it.
    TagOnly,
    No,
    /// Something could not be listed, and the rest shows no use.
    Unknown,
}

impl InUse {
    /// Returns the value in the table and in the JSON.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::TagOnly => "tag",
            Self::No => "no",
            Self::Unknown => "?",
        }
    }
}

/// One control plane and its users. `None` means unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RevisionRow {
    pub istiod: Istiod,
    pub tags: Option<Vec<String>>,
    pub namespaces: Option<Vec<Binding>>,
    pub pods: Option<u64>,
    pub stale: Option<u64>,
    pub gateways: Option<Vec<String>>,
    pub in_use: InUse,
}

/// The report of `istio revisions`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RevisionsReport {
    pub rows: Vec<RevisionRow>,
    pub advice: Vec<Advice>,
}

/// Builds the report.
pub(crate) fn report(inputs: &Inputs) -> RevisionsReport {
    let rows = inputs.istiods.iter().map(|istiod| row(istiod, inputs)).collect();
    let mut advice = Vec::new();
    advice.extend(unknowns(inputs));
    advice.extend(inputs.pods.read().into_iter().flat_map(|tally| on_stale(tally, inputs.istiods)));
    advice.extend(on_tags(inputs.istiods));
    advice.extend(on_missing(inputs));
    RevisionsReport { rows, advice }
}

fn row(istiod: &Istiod, inputs: &Inputs) -> RevisionRow {
    let tally = inputs.pods.read();
    let tags = inputs.tags.read().map(|()| istiod.tags.iter().map(|tag| tag.name.clone()).collect::<Vec<_>>());
    let namespaces = inputs.bindings.read().map(|bindings| {
        let is_here = |it: &&Binding| it.revision.as_ref() == Some(&istiod.revision);
        bindings.iter().filter(is_here).cloned().collect::<Vec<_>>()
    });
    let gateways = inputs.gateways.read().map(|gateways| {
        let is_here = |it: &&GatewayUse| istiod.serves(&it.address);
        gateways.iter().filter(is_here).map(|it| it.name.clone()).collect::<Vec<_>>()
    });
    let pods = tally.map(|tally| tally.by_revision.get(&istiod.revision).copied().unwrap_or(0));
    // Which revision a pod should run on is known only if the namespaces were listed.
    let stale = tally.filter(|_| inputs.bindings.read().is_some()).map(|tally| {
        let here = tally.stale.iter().filter(|((runs_on, _), _)| *runs_on == istiod.revision);
        here.flat_map(|(_, namespaces)| namespaces.values()).sum()
    });
    let uses = [
        namespaces.as_ref().map(|it| !it.is_empty()),
        pods.map(|pods| pods > 0),
        gateways.as_ref().map(|it| !it.is_empty()),
    ];
    let in_use = if uses.contains(&Some(true)) {
        InUse::Yes
    } else if uses.contains(&None) || tags.is_none() {
        InUse::Unknown
    } else if tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
        InUse::TagOnly
    } else {
        InUse::No
    };
    RevisionRow { istiod: istiod.clone(), tags, namespaces, pods, stale, gateways, in_use }
}

fn unknowns<'i>(inputs: &'i Inputs) -> impl Iterator<Item = Advice> + 'i {
    fn why<T>(list: &Listed<T>) -> Option<&str> {
        match list {
            Listed::Unknown { why } => Some(why),
            Listed::Read(_) => None,
        }
    }
    let all = [
        ("tags", why(&inputs.tags)),
        ("namespaces", why(&inputs.bindings)),
        ("pods", why(&inputs.pods)),
        ("gateways", why(&inputs.gateways)),
    ];
    all.into_iter()
        .filter_map(|(what, why)| why.map(|why| Advice::note(Code::Unknown, format!("{what} are unknown: {why}"))))
}

fn on_stale<'t>(tally: &'t RevisionTally, istiods: &'t [Istiod]) -> impl Iterator<Item = Advice> + 't {
    tally.stale.iter().map(move |((runs_on, wanted), namespaces)| {
        let pods: u64 = namespaces.values().sum();
        let (are, them) = if pods == 1 { ("pod", "is") } else { ("pods", "are") };
        let names: Vec<_> = namespaces.keys().map(String::as_str).collect();
        Advice::note(
            Code::StalePods,
            format!("{pods} {are} on {runs_on} {them} bound to {wanted} now: restart to move"),
        )
        .details(namespaces.iter().map(|(namespace, pods)| format!("namespace {namespace}: {pods}")))
        .hint(restarts(&names, istiods.iter().find(|istiod| istiod.revision == *wanted)))
    })
}

/// Returns the restart command. The namespaces already name the required revision, so new pods are enough, if this istiod
/// of the revision is ready.
fn restarts(namespaces: &[&str], istiod: Option<&Istiod>) -> Hint {
    let first = namespaces.first().expect("stale pods are in a namespace");
    let others = if namespaces.len() > 1 { ", and so in the others" } else { "" };
    let restart = || kubectl("rollout restart deployments").with("-n", *first).into();
    istiod.map_or_else(restart, |istiod| istiod.restarts(first)).text(others)
}

fn on_tags(istiods: &[Istiod]) -> impl Iterator<Item = Advice> + '_ {
    istiods.iter().filter(|istiod| !istiod.is_ready()).flat_map(|istiod| {
        istiod.tags.iter().map(|tag| {
            let what =
                format!("tag {} points at {} ({}), which is not ready", tag.name, istiod.revision, istiod.version);
            Advice::warning(Code::IstiodNotReady, what)
        })
    })
}

/// Returns warnings about references to a control plane that does not exist.
fn on_missing<'i>(inputs: &'i Inputs) -> impl Iterator<Item = Advice> + 'i {
    let warning = |what: String| Advice::warning(Code::IstiodGone, what);
    let unbound = inputs.bindings.read().into_iter().flatten().filter(|it| it.revision.is_none()).map(move |it| {
        let Binding { namespace, label, .. } = it;
        warning(format!("namespace {namespace} is bound by {label}, which no istiod here has"))
    });
    let known = |revision: &str| inputs.istiods.iter().any(|istiod| istiod.revision == revision);
    let pods = inputs.pods.read().into_iter().flat_map(|tally| &tally.by_revision);
    let orphans = pods.filter(move |(revision, _)| !known(revision)).map(move |(revision, pods)| {
        let run = if *pods == 1 { "pod runs" } else { "pods run" };
        warning(format!("{pods} {run} on {revision}, which no istiod here has"))
    });
    let gateways = inputs.gateways.read().into_iter().flatten();
    let lost = gateways.filter(|it| !inputs.istiods.iter().any(|istiod| istiod.serves(&it.address))).map(move |it| {
        warning(format!("gateway {}/{} uses {}, which no istiod here has", it.namespace, it.name, it.address))
    });
    unbound.chain(orphans).chain(lost)
}

#[cfg(test)]
mod tests;
