//! Who uses which control plane: the report of `istio revisions`, from lists that may be forbidden.
//!
//! Pods are told one by one, by their metadata, and only counted: memory grows with namespaces, not pods.

use std::collections::BTreeMap;

use serde_json::Value;

use super::advice::{Advice, Code};
use super::istiod::{DEFAULT, ISTIOD_LABEL, Istiod, REVISION_LABEL};
use crate::command::{Hint, kubectl};

/// Where a sidecar says which istiod injected it.
const STATUS: &str = "sidecar.istio.io/status";
/// The label of a namespace that binds it to the default istiod (`enabled`), or to none (`disabled`).
pub(crate) const INJECTION_LABEL: &str = "istio-injection";
/// The label, and once the annotation, of a pod that wants a sidecar or wants none.
pub(crate) const INJECT_LABEL: &str = "sidecar.istio.io/inject";

/// Whether a pod with this metadata wants no sidecar in a namespace that is bound: the label says so, or the
/// annotation where there is no label (`injectRequired` of Istio's injector).
pub(crate) fn opts_out(metadata: &Value) -> bool {
    let told = [&metadata["labels"], &metadata["annotations"]].into_iter().find_map(|all| all[INJECT_LABEL].as_str());
    told == Some("false")
}

/// A list, or why it is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listed<T> {
    Read(T),
    Unknown { why: String },
}

impl<T> Listed<T> {
    /// What was read.
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
    /// The revision or tag that the label names.
    pub names: String,
    /// The revision behind it; none if no istiod has it.
    pub revision: Option<String>,
}

/// The namespaces that are bound. Where both labels stand, `istio-injection` decides: the webhooks for
/// `istio.io/rev` leave such a namespace alone.
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

/// The label that binds a namespace, and the revision or tag that it names.
pub(crate) fn bond(namespace: &Value) -> Option<(String, &str)> {
    let labels = &namespace["metadata"]["labels"];
    match (labels[INJECTION_LABEL].as_str(), labels[REVISION_LABEL].as_str()) {
        (Some("enabled"), _) => Some((format!("{INJECTION_LABEL}=enabled"), DEFAULT)),
        (Some(_), _) | (None, None) => None,
        (None, Some(names)) => Some((format!("{REVISION_LABEL}={names}"), names)),
    }
}

/// The revision whose istiod injected a pod, as the injection wrote it down; none without a sidecar.
pub(crate) fn injected_by(pod: &Value) -> Option<String> {
    let status = pod["metadata"]["annotations"][STATUS].as_str()?;
    let status: Value = serde_json::from_str(status).unwrap_or_default();
    Some(status["revision"].as_str().filter(|revision| !revision.is_empty()).unwrap_or(DEFAULT).to_owned())
}

/// The revision behind a tag or a revision's name.
fn behind(istiods: &[Istiod], names: &str) -> Option<String> {
    let by_tag = istiods.iter().find(|istiod| istiod.tags.iter().any(|tag| tag.name == names));
    let found = by_tag.or_else(|| istiods.iter().find(|istiod| istiod.revision == names));
    found.map(|istiod| istiod.revision.clone())
}

/// Pods, counted as they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    istiods: Vec<(String, Vec<String>)>,
    bindings: BTreeMap<String, Option<String>>,
    by_revision: BTreeMap<String, u64>,
    /// By the revision they run on, the one they should, and their namespace.
    stale: BTreeMap<(String, String), BTreeMap<String, u64>>,
}

impl Tally {
    /// No pods yet.
    pub(crate) fn new(istiods: &[Istiod], bindings: &[Binding]) -> Self {
        let tags = |istiod: &Istiod| istiod.tags.iter().map(|tag| tag.name.clone()).collect();
        Self {
            istiods: istiods.iter().map(|istiod| (istiod.revision.clone(), tags(istiod))).collect(),
            bindings: bindings.iter().map(|it| (it.namespace.clone(), it.revision.clone())).collect(),
            by_revision: BTreeMap::new(),
            stale: BTreeMap::new(),
        }
    }

    /// One more pod; its metadata is enough.
    pub(crate) fn pod(&mut self, pod: &Value) {
        let Some(runs_on) = self.revision_of(pod) else { return };
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
        *self.by_revision.entry(runs_on.clone()).or_default() += 1;
        if let Some(wanted) = self.wanted(pod, namespace).filter(|wanted| *wanted != runs_on) {
            *self.stale.entry((runs_on, wanted)).or_default().entry(namespace.to_owned()).or_default() += 1;
        }
    }

    /// The pods that run on another revision than the one they should: namespace, runs on, should, how many.
    pub(crate) fn stale(&self) -> impl Iterator<Item = (&str, &str, &str, u64)> {
        self.stale.iter().flat_map(|((runs_on, wanted), namespaces)| {
            namespaces.iter().map(|(namespace, pods)| (namespace.as_str(), runs_on.as_str(), wanted.as_str(), *pods))
        })
    }

    /// The revision a pod is connected to, as its sidecar was injected; else as its label says.
    fn revision_of(&self, pod: &Value) -> Option<String> {
        if let Some(revision) = injected_by(pod) {
            return Some(revision);
        }
        let labels = &pod["metadata"]["labels"];
        let (app, istiod) = ISTIOD_LABEL.split_once('=').unwrap_or_default();
        // istiod itself carries the label, and so does what is told not to be injected.
        if labels[app] == istiod || labels[INJECT_LABEL] == "false" {
            return None;
        }
        let names = labels[REVISION_LABEL].as_str()?;
        Some(self.behind(names).unwrap_or_else(|| names.to_owned()))
    }

    /// The revision a pod would be injected by if it started now; none where nothing names one.
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

/// A gateway proxy with sidecars, and the address they use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GatewayUse {
    pub namespace: String,
    pub name: String,
    pub address: String,
}

/// All that was read.
#[derive(Debug, Clone)]
pub(crate) struct Inputs<'a> {
    pub istiods: &'a [Istiod],
    /// Whether webhooks could be listed: without them there are no tags to be seen.
    pub tags: Listed<()>,
    pub bindings: Listed<Vec<Binding>>,
    pub pods: Listed<Tally>,
    pub gateways: Listed<Vec<GatewayUse>>,
}

/// Whether anything would miss a control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InUse {
    Yes,
    /// Tags point at it, and nothing else.
    TagOnly,
    No,
    /// Something could not be listed, and what could shows nothing.
    Unknown,
}

impl InUse {
    /// In the table and in the JSON.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::TagOnly => "tag",
            Self::No => "no",
            Self::Unknown => "?",
        }
    }
}

/// One control plane and who uses it; none is "not known".
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

/// The report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RevisionsReport {
    pub rows: Vec<RevisionRow>,
    pub advice: Vec<Advice>,
}

/// Puts together who uses what.
pub(crate) fn report(inputs: &Inputs) -> RevisionsReport {
    let rows = inputs.istiods.iter().map(|istiod| row(istiod, inputs)).collect();
    let mut advice = Vec::new();
    advice.extend(unknowns(inputs));
    advice.extend(inputs.pods.read().into_iter().flat_map(on_stale));
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
    // Which revision a pod should run on is known only with the namespaces.
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

fn on_stale(tally: &Tally) -> impl Iterator<Item = Advice> + '_ {
    tally.stale.iter().map(|((runs_on, wanted), namespaces)| {
        let pods: u64 = namespaces.values().sum();
        let (are, them) = if pods == 1 { ("pod", "is") } else { ("pods", "are") };
        let names: Vec<_> = namespaces.keys().map(String::as_str).collect();
        Advice::note(
            Code::StalePods,
            format!("{pods} {are} on {runs_on} {them} bound to {wanted} now: restart to move"),
        )
        .details(namespaces.iter().map(|(namespace, pods)| format!("namespace {namespace}: {pods}")))
        .hint(restarts(&names))
    })
}

/// Their namespaces name the wanted revision already, so new pods are enough.
fn restarts(namespaces: &[&str]) -> Hint {
    let first = namespaces.first().expect("stale pods are in a namespace");
    let others = if namespaces.len() > 1 { ", and so in the others" } else { "" };
    kubectl("rollout restart deployments").with("-n", *first).then(others)
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

/// What names a control plane that is not there.
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
