//! A gateway proxy: its sidecars are changed where they are set up.

use serde_json::{Value, json};

use super::REVISION;
use crate::command::{CommandLine, Hint, gloo_rs};
use crate::model::{Object, kinds};
use crate::plan::istiod::Istiod;
use crate::plan::sidecars::state::SidecarPart;
use crate::plan::sidecars::{GatewayProxy, Pods, current_address, makers};

/// The label with the name of a proxy that the chart renders.
const NAME_LABEL: &str = "gateway-proxy-id";

/// What sets up the sidecars of a gateway proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SidecarsOwner {
    /// The workload itself, which `istio inject` changes.
    Workload,
    /// The values of the Helm release.
    Chart,
    /// What Gloo's controller makes the proxy of this Gateway from, which `istio inject --gateway` changes.
    Controller { gateway: String },
}

/// How a gateway proxy gets what it lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayFix {
    owner: SidecarsOwner,
    /// The namespace of the Gloo installation.
    installation: String,
    namespace: String,
    /// `None` if the pods do not tell it.
    name: Option<String>,
    /// The value for `--revision`. `None` if the command finds the istiod itself.
    revision: Option<String>,
    /// Whether the proxy uses an istiod. `istio inject` keeps that one.
    has_istiod: bool,
}

impl GatewayFix {
    /// Reads who owns the sidecars of a proxy. `istiods` are all that are known.
    pub(crate) fn read(proxy: &GatewayProxy, installation: &str, istiods: &[Istiod]) -> Self {
        let makers = makers(proxy);
        let owner = match makers.gateway_api {
            Some(gateway) => SidecarsOwner::Controller { gateway },
            None if makers.chart_sidecars || makers.gloo_mtls => SidecarsOwner::Chart,
            None => SidecarsOwner::Workload,
        };
        let reference = &proxy.workload.reference;
        let address = current_address(proxy);
        let used = || istiods.iter().find(|istiod| address.as_ref().is_some_and(|address| istiod.serves(address)));
        let revision = || used().map_or_else(|| REVISION.to_owned(), |istiod| istiod.revision.clone());
        Self {
            owner,
            installation: installation.to_owned(),
            namespace: reference.namespace.clone(),
            name: Some(reference.name.clone()),
            revision: (istiods.len() > 1).then(revision),
            has_istiod: address.is_some(),
        }
    }

    /// Reads it from a pod of a proxy, where its workload was not read.
    pub(crate) fn of_pod(pod: &Value) -> Self {
        let metadata = &pod["metadata"];
        let label = |key: &str| metadata["labels"][key].as_str();
        let workload = json!({
            "metadata": {"name": label(NAME_LABEL), "namespace": metadata["namespace"], "labels": metadata["labels"]},
            "spec": {"template": {"spec": pod["spec"]}},
        });
        let workload = Object::new(&kinds::DEPLOYMENT, workload);
        let namespace = workload.reference.namespace.clone();
        let read = Self::read(&GatewayProxy { workload, bootstrap: None, pods: Pods::Unseen }, &namespace, &[]);
        Self { name: label(NAME_LABEL).map(str::to_owned), ..read }
    }

    /// The fix of a proxy of which only the name is known: `gloo-system/gateway-proxy`.
    pub(crate) fn named(full: &str) -> Self {
        let (namespace, name) = full.split_once('/').unwrap_or(("", full));
        let namespace = namespace.to_owned();
        let (owner, revision, has_istiod) = (SidecarsOwner::Workload, None, false);
        Self { owner, installation: namespace.clone(), namespace, name: Some(name.to_owned()), revision, has_istiod }
    }

    /// The same where there are this many revisions of istiod, although the istiods were not read.
    #[must_use]
    pub(crate) fn among(self, revisions: usize) -> Self {
        let revision = self.revision.or_else(|| (revisions > 1).then(|| REVISION.to_owned()));
        Self { revision, ..self }
    }

    /// The same with another istiod.
    #[must_use]
    pub(crate) fn on(self, revision: &str) -> Self {
        Self { revision: Some(revision.to_owned()), has_istiod: false, ..self }
    }

    /// The same in the values of the Helm release, whatever set up the sidecars.
    #[must_use]
    pub(crate) fn in_values(self) -> Self {
        let owner = if self.owner == SidecarsOwner::Workload { SidecarsOwner::Chart } else { self.owner };
        Self { owner, ..self }
    }

    /// The namespace of the Gloo installation.
    pub(crate) fn installation(&self) -> &str {
        &self.installation
    }

    /// Whether `istio inject` changes the proxy itself.
    pub(crate) fn is_injected(&self) -> bool {
        self.owner == SidecarsOwner::Workload
    }

    /// The command that sets up the sidecars.
    pub(crate) fn command(&self) -> CommandLine {
        with_revision(self.without_revision(), self.revision())
    }

    fn revision(&self) -> Option<&str> {
        self.revision.as_deref().filter(|_| self.owner == SidecarsOwner::Chart || !self.has_istiod)
    }

    fn without_revision(&self) -> CommandLine {
        let (inject, name) = (gloo_rs("istio inject").of_installation(&self.namespace), self.name.as_deref());
        match &self.owner {
            SidecarsOwner::Workload => with_name(inject, "--name", name),
            SidecarsOwner::Controller { gateway } => inject.with("--gateway", gateway),
            SidecarsOwner::Chart => {
                with_name(gloo_rs("upgrade-values").of_installation(&self.installation), "--proxy", name)
            }
        }
    }

    /// The command for a proxy that lacks these parts: the sidecars, or only a restart.
    pub(crate) fn lacking(&self, parts: &[String]) -> CommandLine {
        match parts == [SidecarPart::LoadedCluster.to_string()] {
            true => self.restart(),
            false => self.command(),
        }
    }

    fn restart(&self) -> CommandLine {
        let name = self.name.as_deref().unwrap_or_default();
        gloo_rs("proxy restart").value(name).of_installation(&self.namespace)
    }
}

fn with_name(command: CommandLine, flag: &'static str, name: Option<&str>) -> CommandLine {
    name.map_or(command.clone(), |name| command.with(flag, name))
}

fn with_revision(command: CommandLine, revision: Option<&str>) -> CommandLine {
    revision.map_or(command.clone(), |revision| command.with("--revision", revision))
}

/// The commands that set up the sidecars of several proxies. What `istio inject` changes in one namespace is one
/// command, and the Gateways of an installation get their sidecars with the first of them.
pub(crate) fn gateways<'f>(fixes: impl IntoIterator<Item = &'f GatewayFix>) -> Option<Hint> {
    let mut groups: Vec<Vec<&GatewayFix>> = Vec::new();
    for fix in fixes {
        let is_alike = |other: &GatewayFix| {
            let is_one_command = match (&fix.owner, &other.owner) {
                (SidecarsOwner::Workload, SidecarsOwner::Workload) => fix.namespace == other.namespace,
                (SidecarsOwner::Controller { .. }, SidecarsOwner::Controller { .. }) => {
                    fix.installation == other.installation
                }
                _ => false,
            };
            is_one_command && fix.revision() == other.revision()
        };
        match groups.iter_mut().find(|group| *group[0] == *fix || is_alike(group[0])) {
            Some(group) if group.contains(&fix) => {}
            Some(group) => group.push(fix),
            None => groups.push(vec![fix]),
        }
    }
    let commands = groups.into_iter().map(|group| {
        let (first, others) = group.split_first().expect("a group has a proxy");
        let names = others.iter().filter(|_| first.owner == SidecarsOwner::Workload).map(|fix| fix.name.as_deref());
        let all = names.fold(first.without_revision(), |command, name| with_name(command, "--name", name));
        with_revision(all, first.revision())
    });
    commands.map(Hint::from).reduce(|one, other| one.text(", then ").and(other))
}
