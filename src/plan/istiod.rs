//! Istio's control planes: what each istiod reports about itself, and which one a gateway uses.

use std::collections::BTreeSet;

use serde_json::Value;

use super::advice::{Advice, Code};
use crate::command::{CommandLine, Hint, flag, gloo_rs, kubectl};
use crate::error::{Exit, Failure, Reason};
use crate::model::{Kind, Object, Snapshot, kinds};
use crate::text::Image;

/// The label of every istiod, independent of its installer and name.
pub(crate) const ISTIOD_LABEL: &str = "app=istiod";
/// The label that names a revision.
pub(crate) const REVISION_LABEL: &str = "istio.io/rev";
/// The label of a webhook that defines a tag.
pub(crate) const TAG_LABEL: &str = "istio.io/tag";
/// The revision of an istiod that has no revision label.
pub(crate) const DEFAULT: &str = "default";
/// The port on which istiod signs certificates.
const PORT: u16 = 15012;
/// Istio's default, used where the mesh configuration sets none.
const TRUST_DOMAIN: &str = "cluster.local";
const CLUSTER_ID: &str = "Kubernetes";
const CONTAINER: &str = "discovery";

/// The objects that describe the control planes: Deployments and Services by label, mesh `ConfigMap`s, webhooks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ControlPlaneObjects<'v> {
    pub deployments: &'v [Value],
    pub services: &'v [Value],
    pub config_maps: &'v [Value],
    pub webhooks: &'v [Value],
}

/// One control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Istiod {
    pub revision: String,
    /// The tag of its image.
    pub version: String,
    pub namespace: String,
    /// Its Deployment.
    pub name: String,
    pub service: String,
    /// `<service>.<namespace>.svc:15012`
    pub address: String,
    pub mesh_id: String,
    pub trust_domain: String,
    pub root_namespace: String,
    pub cluster_id: Told,
    pub tags: Vec<Tag>,
    pub ready: u64,
    pub wanted: u64,
    pub image: Option<String>,
    /// Its own webhook, if one was seen.
    pub webhook: Option<String>,
}

/// A value, and whether istiod set it or it is Istio's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    ByIstiod(String),
    Default(String),
}

impl Told {
    /// Returns the value.
    pub fn value(&self) -> &str {
        match self {
            Self::ByIstiod(value) | Self::Default(value) => value,
        }
    }
}

/// A name that refers to a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub name: String,
    /// The address of the tag's own Service, if it has one. When the tag moves, the clients of this address move with
    /// it.
    pub address: Option<String>,
    pub webhook: String,
}

impl Istiod {
    /// Returns whether there are pods, and all of them are ready.
    pub fn is_ready(&self) -> bool {
        self.ready > 0 && self.ready >= self.wanted
    }

    /// `1-28 (istio-system, 1.28.3)`
    pub fn shown(&self) -> String {
        format!("{} ({}, {})", self.revision, self.namespace, self.version)
    }

    /// Returns the command that shows why no pod of this istiod is ready, or that starts one.
    pub(crate) fn unready(&self) -> CommandLine {
        if self.wanted == 0 {
            return kubectl("scale deployment").value(&self.name).with("-n", &self.namespace).fixed("--replicas 1");
        }
        let labels = format!("{ISTIOD_LABEL},{REVISION_LABEL}={}", self.revision);
        kubectl("describe pods").with("-l", &labels).with("-n", &self.namespace)
    }

    /// Returns the command after which the pods of a namespace have its sidecar. Without a ready istiod, new pods would be
    /// created without one, or not at all.
    pub(crate) fn restarts(&self, namespace: &str) -> Hint {
        let restart = kubectl("rollout restart deployments").with("-n", namespace);
        if self.ready > 0 { restart.into() } else { self.unready().then(", then ").command(restart) }
    }

    /// Returns whether a gateway with this discovery address uses this istiod.
    pub fn serves(&self, address: &str) -> bool {
        let same = |own: &str| host(own) == host(address);
        same(&self.address) || self.tags.iter().filter_map(|tag| tag.address.as_deref()).any(same)
    }
}

/// Returns the host of an address without the port, and without the cluster domain after `.svc`.
fn host(address: &str) -> &str {
    let host = address.split(':').next().unwrap_or_default();
    host.find(".svc").map_or(host, |svc| &host[..svc])
}

/// Returns all control planes, ordered by revision and namespace.
pub(crate) fn all(seen: &ControlPlaneObjects) -> Vec<Istiod> {
    let mut all: Vec<_> = seen.deployments.iter().map(|deployment| read(deployment, seen)).collect();
    all.sort_unstable_by(|a, b| (&a.revision, &a.namespace, &a.name).cmp(&(&b.revision, &b.namespace, &b.name)));
    all
}

/// Returns the number of the control planes' revisions in a snapshot with these istiods. Where the control planes were not
/// read, each has a labelled `ConfigMap` with its mesh configuration.
pub(crate) fn revisions_in_snapshot(snapshot: &Snapshot, istiods: &[Istiod]) -> usize {
    let maps = snapshot.all(&kinds::CONFIG_MAP).iter();
    let named: BTreeSet<_> = maps.filter_map(|map| map.label(REVISION_LABEL)).collect();
    named.len().max(istiods.len())
}

/// Returns the control planes of a snapshot, as far as their objects were read.
pub(crate) fn in_snapshot(snapshot: &Snapshot) -> Vec<Istiod> {
    let having = |kind: &'static Kind, fits: &dyn Fn(&Object) -> bool| -> Vec<Value> {
        snapshot.all(kind).iter().filter(|object| fits(object)).map(|object| object.value.clone()).collect()
    };
    let has_revision = |object: &Object| object.label(REVISION_LABEL).is_some();
    all(&ControlPlaneObjects {
        deployments: &having(&kinds::DEPLOYMENT, &|object| object.label("app") == Some("istiod")),
        services: &having(&kinds::SERVICE, &has_revision),
        config_maps: &having(&kinds::CONFIG_MAP, &has_revision),
        webhooks: &having(&kinds::MUTATING_WEBHOOK, &has_revision),
    })
}

fn read(deployment: &Value, seen: &ControlPlaneObjects) -> Istiod {
    let object = Object::new(&kinds::DEPLOYMENT, deployment.clone());
    let (namespace, name) = (object.reference.namespace.clone(), object.reference.name.clone());
    let container = container(deployment);
    let revision = object
        .label(REVISION_LABEL)
        .or_else(|| env(container, "REVISION"))
        .filter(|revision| !revision.is_empty())
        .unwrap_or(DEFAULT)
        .to_owned();
    let image = container["image"].as_str().map(str::to_owned);
    let mesh = mesh(seen.config_maps, &namespace, &revision);
    let trust_domain = text(&mesh["trustDomain"]).unwrap_or(TRUST_DOMAIN).to_owned();
    let service = service(seen.services, &namespace, &name, &revision);
    let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let status = &deployment["status"];
    Istiod {
        version: version(image.as_deref()),
        address: address(&service, &namespace),
        mesh_id: text(&mesh["defaultConfig"]["meshId"]).unwrap_or(&trust_domain).to_owned(),
        root_namespace: text(&mesh["rootNamespace"]).unwrap_or(&namespace).to_owned(),
        cluster_id: env(container, "CLUSTER_ID")
            .filter(|id| !id.is_empty())
            .map_or_else(|| Told::Default(CLUSTER_ID.to_owned()), |id| Told::ByIstiod(id.to_owned())),
        tags: tags(seen, &namespace, &revision),
        // A manifest has no status, so all its pods count as ready.
        ready: if status.is_null() { wanted } else { status["readyReplicas"].as_u64().unwrap_or(0) },
        wanted,
        webhook: webhook(seen.webhooks, &namespace, &revision),
        trust_domain,
        service,
        revision,
        namespace,
        name,
        image,
    }
}

fn container(deployment: &Value) -> &Value {
    let containers = &deployment["spec"]["template"]["spec"]["containers"];
    let named = containers.as_array().into_iter().flatten().find(|container| container["name"] == CONTAINER);
    named.unwrap_or(&containers[0])
}

fn env<'v>(container: &'v Value, name: &str) -> Option<&'v str> {
    container["env"].as_array()?.iter().find(|env| env["name"] == name)?["value"].as_str()
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

fn version(image: Option<&str>) -> String {
    let image = image.and_then(|image| Image::parse(image).ok());
    image.and_then(|image| image.tag.or(image.digest)).unwrap_or_else(|| "unknown".to_owned())
}

fn address(service: &str, namespace: &str) -> String {
    format!("{service}.{namespace}.svc:{PORT}")
}

/// Returns the Service of the same name, otherwise the one that selects the revision, otherwise the name it would have.
fn service(services: &[Value], namespace: &str, name: &str, revision: &str) -> String {
    let here = || services.iter().filter(|service| service["metadata"]["namespace"] == *namespace);
    let of_name = |service: &&Value| service["metadata"]["name"] == *name;
    let of_revision = |service: &&Value| {
        service["metadata"]["labels"][REVISION_LABEL] == *revision && service["metadata"]["labels"][TAG_LABEL].is_null()
    };
    let found = here().find(of_name).or_else(|| here().find(of_revision));
    found.and_then(|service| service["metadata"]["name"].as_str()).unwrap_or(name).to_owned()
}

/// Returns the mesh configuration of the revision. Each revision has its own `ConfigMap`. The one without a revision in
/// its name belongs to the default revision.
fn mesh(config_maps: &[Value], namespace: &str, revision: &str) -> Value {
    let name = if revision == DEFAULT { "istio".to_owned() } else { format!("istio-{revision}") };
    let is_it = |map: &&Value| map["metadata"]["namespace"] == *namespace && map["metadata"]["name"] == name;
    let mesh = config_maps.iter().find(is_it).and_then(|map| map["data"]["mesh"].as_str());
    mesh.and_then(|mesh| crate::yaml::parse(mesh).ok()).unwrap_or(Value::Null)
}

fn tags(seen: &ControlPlaneObjects, namespace: &str, revision: &str) -> Vec<Tag> {
    let mut tags: Vec<_> = seen
        .webhooks
        .iter()
        .filter_map(|webhook| {
            let labels = &webhook["metadata"]["labels"];
            let name = text(&labels[TAG_LABEL])?;
            (labels[REVISION_LABEL] == *revision && calls(webhook, namespace)).then(|| {
                let service = format!("istiod-revision-tag-{name}");
                let is_it =
                    |it: &&Value| it["metadata"]["name"] == *service && it["metadata"]["namespace"] == *namespace;
                Tag {
                    name: name.to_owned(),
                    address: seen.services.iter().find(is_it).map(|_| address(&service, namespace)),
                    webhook: webhook["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
                }
            })
        })
        .collect();
    tags.sort_by(|a, b| a.name.cmp(&b.name));
    tags
}

fn webhook(webhooks: &[Value], namespace: &str, revision: &str) -> Option<String> {
    let is_it = |webhook: &&Value| {
        let labels = &webhook["metadata"]["labels"];
        labels[REVISION_LABEL] == *revision && labels[TAG_LABEL].is_null() && calls(webhook, namespace)
    };
    webhooks.iter().find(is_it)?["metadata"]["name"].as_str().map(str::to_owned)
}

/// Returns whether a webhook calls a Service in the namespace. A webhook that is called by URL may belong to any
/// namespace.
fn calls(webhook: &Value, namespace: &str) -> bool {
    let service = &webhook["webhooks"][0]["clientConfig"]["service"]["namespace"];
    service.is_null() || *service == *namespace
}

/// The reason why a control plane was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Because {
    /// `--revision`
    Flag,
    /// The gateway already uses it.
    Already,
    /// Another part of what the command is about uses it.
    InUse,
    /// It is the only one.
    Only,
}

/// The control plane chosen for a gateway.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IstiodChoice {
    /// `None` if the gateway keeps an address that no istiod in this cluster has.
    pub istiod: Option<Istiod>,
    /// The tag, if the choice was by tag. Its address moves with it.
    pub tag: Option<String>,
    pub address: String,
    pub because: Because,
    pub advice: Vec<Advice>,
}

/// Chooses a control plane. `wanted` is the requested revision or tag, `already` is the address that the gateway uses.
///
/// # Errors
/// There is no istiod, none has that revision, or there are several and none is chosen.
pub(crate) fn choose(all: &[Istiod], wanted: Option<&str>, already: Option<&str>) -> Result<IstiodChoice, Failure> {
    match (wanted, already) {
        (Some(wanted), _) => named(all, wanted),
        (None, Some(address)) => Ok(kept(all, address)),
        (None, None) => match all {
            [] => Err(Failure::new(Exit::SaidNo, Reason::NoIstiod, "no istiod found in any namespace")
                .hint(flag("--istio-discovery-address").text(" HOST:15012 names one elsewhere"))),
            [only] => Ok(choice(only, None, Because::Only)),
            several => Err(with_list(
                Failure::new(Exit::Failed, Reason::SeveralRevisions, "several istiod revisions, and none is chosen"),
                several,
            )
            .hint(flag("--revision").text(" REVISION"))),
        },
    }
}

/// Chooses as [`choose`]. Of several, `in_use` is taken if nothing else chooses: a revision or tag that another part uses.
///
/// # Errors
/// As [`choose`].
pub(crate) fn choose_in_use(
    all: &[Istiod],
    wanted: Option<&str>,
    already: Option<&str>,
    in_use: Option<&str>,
) -> Result<IstiodChoice, Failure> {
    match (wanted, already, in_use) {
        (None, None, Some(in_use)) => {
            named(all, in_use).map(|choice| IstiodChoice { because: Because::InUse, ..choice })
        }
        _ => choose(all, wanted, already),
    }
}

/// Returns the revision or tag that all these addresses of istiod belong to. `None` if there is no address, or they
/// belong to different istiods or to none of these.
pub(crate) fn revision_in_use<'a>(all: &[Istiod], addresses: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut names = addresses.into_iter().map(|address| {
        let choice = kept(all, address);
        choice.tag.or(choice.istiod.map(|istiod| istiod.revision))
    });
    let first = names.next()??;
    names.all(|name| name.as_ref() == Some(&first)).then_some(first)
}

fn named(all: &[Istiod], wanted: &str) -> Result<IstiodChoice, Failure> {
    let of_revision: Vec<_> = all.iter().filter(|istiod| istiod.revision == wanted).collect();
    let of_tag: Vec<_> = all
        .iter()
        .flat_map(|istiod| istiod.tags.iter().filter(|tag| tag.name == wanted).map(move |tag| (istiod, tag)))
        .collect();
    // Istio uses the tag `default` where a namespace has the label value `default`, and so does this.
    match (&of_tag[..], &of_revision[..]) {
        ([(istiod, tag)], _) => Ok(choice(istiod, Some(tag), Because::Flag)),
        ([], [istiod]) => Ok(choice(istiod, None, Because::Flag)),
        ([], []) => {
            let failure =
                Failure::new(Exit::SaidNo, Reason::NoIstiod, format!("no istiod of revision or tag {wanted}"));
            Err(with_list(failure, all).hint(gloo_rs("istio revisions")))
        }
        _ => {
            let failure = Failure::new(
                Exit::Failed,
                Reason::SeveralRevisions,
                format!("several istiods are named {wanted}, in different namespaces"),
            );
            Err(with_list(failure, all).hint(flag("--istio-namespace").text(" NAMESPACE")))
        }
    }
}

fn with_list(failure: Failure, all: &[Istiod]) -> Failure {
    all.iter().fold(failure, |failure, istiod| {
        let tags: Vec<_> = istiod.tags.iter().map(|tag| tag.name.as_str()).collect();
        let tags = if tags.is_empty() { String::new() } else { format!(", tags {}", tags.join(", ")) };
        failure.detail(format!("{}{tags}", istiod.shown()))
    })
}

fn kept(all: &[Istiod], address: &str) -> IstiodChoice {
    let by_tag = all.iter().find_map(|istiod| {
        let is_it = |tag: &&Tag| tag.address.as_deref().is_some_and(|own| host(own) == host(address));
        istiod.tags.iter().find(is_it).map(|tag| (istiod, Some(tag)))
    });
    match by_tag.or_else(|| all.iter().find(|istiod| istiod.serves(address)).map(|istiod| (istiod, None))) {
        Some((istiod, tag)) => IstiodChoice { address: address.to_owned(), ..choice(istiod, tag, Because::Already) },
        None => IstiodChoice {
            istiod: None,
            tag: None,
            address: address.to_owned(),
            because: Because::Already,
            advice: vec![
                Advice::warning(Code::IstiodGone, format!("no istiod found at {address}, which the gateway uses"))
                    .details(all.iter().map(Istiod::shown))
                    .hint(flag("--revision").text(" REVISION moves the gateway")),
            ],
        },
    }
}

fn choice(istiod: &Istiod, tag: Option<&Tag>, because: Because) -> IstiodChoice {
    let mut advice = Vec::new();
    if !istiod.is_ready() {
        advice.push(Advice::warning(
            Code::IstiodNotReady,
            format!("istiod {} is not ready: {} of {} pods", istiod.revision, istiod.ready, istiod.wanted),
        ));
    }
    if let Some(Tag { name, address: None, .. }) = tag {
        advice.push(Advice::note(
            Code::TagWithoutService,
            format!("tag {name} has no Service, so the gateway will not follow it"),
        ));
    }
    IstiodChoice {
        address: tag.and_then(|tag| tag.address.clone()).unwrap_or_else(|| istiod.address.clone()),
        istiod: Some(istiod.clone()),
        tag: tag.map(|tag| tag.name.clone()),
        because,
        advice,
    }
}

#[cfg(test)]
mod tests;
