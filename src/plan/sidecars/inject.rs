//! Adds the sidecars, or completes the existing ones.

use serde_json::{Value, json};

use super::parts::{self, GLOO_USER, ISTIO_PROXY, ProxyValues, SDS};
use super::state::{Extent, SidecarPart, SidecarState, env, item, proxy_config, state};
use super::values::{Provenance, ValueSource, Values, same_tag};
use super::{
    Around, Flags, GatewayProxy, Security, TransactionPlan, bootstrap_name, bootstrap_path, guard, in_container,
    in_list, objection, of_container,
};
use crate::command::{CommandLine, Hint, flag, gloo_rs, quoted};
use crate::edit::Edit;
use crate::edit::bootstrap::{self, Cluster};
use crate::error::Reason;
use crate::model::names::KUBE_GATEWAY_LABEL;
use crate::plan::Unread;
use crate::plan::advice::{Advice, Code};
use crate::plan::istiod::Istiod;
use crate::plan::outcome::Objection;
use crate::plan::owner::{self, Owner};
use crate::plan::sidecars::image::NeedsFlag;

/// Plans the changes after which the proxy has all parts.
///
/// # Errors
/// Why nothing is changed, and what to do instead.
pub(crate) fn inject(proxy: &GatewayProxy, flags: &Flags, around: &Around) -> Result<TransactionPlan, Objection> {
    let makers = guard::makers(proxy);
    if let Some(objection) = guard::against_gateway_api(proxy, &makers, "istio inject")
        .or_else(|| guard::against_gloo_mtls(&makers, &proxy.workload.reference.namespace))
        .or_else(|| guard::against_init_containers(proxy))
    {
        return Err(objection);
    }
    let before = state(proxy).map_err(|refusal| objection(proxy, refusal))?;
    let values = Values::collect(proxy, flags, around);
    let mut plan = TransactionPlan { provenance: values.provenance(), ..TransactionPlan::default() };

    let bootstrap = bootstrap_edits(proxy)?;
    let is_rewritten = !bootstrap.is_empty();
    let mut work = Work { proxy, flags, values: &values, edits: Vec::new(), notes: Vec::new() };
    work.complete(&before)?;
    work.change(around.istiods);
    let Work { mut edits, mut notes, .. } = work;
    if edits.is_empty() && (is_rewritten || before.lacks(&SidecarPart::LoadedCluster)) {
        plan.restart(proxy, around.now, &mut edits, &mut notes);
    }
    // A change of the workload starts new pods.
    let edits_nothing = edits.is_empty();
    if let Some(map) = &proxy.bootstrap {
        plan.push(map, bootstrap, &[]);
    }
    plan.push(&proxy.workload, edits, &notes);
    if plan.writes() {
        if let Some(objection) = guard::against_chart(&makers, lasting(proxy, flags)) {
            return Err(objection);
        }
        if before.extent() == Extent::Partial && !before.missing.is_empty() {
            let missing: Vec<_> = before.missing.iter().map(ToString::to_string).collect();
            let name = &proxy.workload.reference.name;
            plan.advice.push(
                Advice::note(Code::Completed, format!("{name} was partly injected; missing: {}", missing.join(", ")))
                    .about(&proxy.workload.reference),
            );
        }
        plan.advice.extend(on_owner(proxy, lasting(proxy, flags)));
        plan.advice.extend(on_pull_secrets(proxy, around.gloo));
    }
    if let Some(choice) = around.choice {
        plan.advice.extend(choice.advice.iter().cloned());
    }
    plan.advice.extend(on_old_image(proxy, &values, around));
    if let Some(unknown) = before.doubt.filter(|_| edits_nothing) {
        let name = &proxy.workload.reference;
        let what = format!("whether the running pods of {name} have gateway_proxy_sds is unknown");
        plan.advice.push(Advice::unknown(&what, &Unread::from(&unknown)).about(name));
    }
    Ok(plan)
}

/// Returns the command that makes the change last.
fn lasting(proxy: &GatewayProxy, flags: &Flags) -> CommandLine {
    let command = match &flags.revision {
        Some(revision) => gloo_rs("upgrade-values").with("--revision", revision),
        None => gloo_rs("upgrade-values"),
    };
    // The proxy of a Gateway is in the Gateway's namespace, its values are in that of Gloo.
    match proxy.workload.label(KUBE_GATEWAY_LABEL) {
        Some(_) => command,
        None => command.of_installation(&proxy.workload.reference.namespace),
    }
}

fn bootstrap_edits(proxy: &GatewayProxy) -> Result<Vec<Edit>, Objection> {
    let Some(text) = proxy.bootstrap_text() else {
        let map = bootstrap_name(&proxy.workload.reference.name);
        let mut missing =
            Objection::new(Reason::NotFound, format!("has no bootstrap in configmap/{map}; nothing changed"))
                .hint("add the cluster where its bootstrap comes from");
        missing.details = bootstrap::by_hand("");
        return Err(missing);
    };
    let cluster = bootstrap::cluster(text).map_err(|refusal| objection(proxy, refusal))?;
    if let Cluster::Elsewhere { address } = cluster {
        let why = format!("has a cluster gateway_proxy_sds at {address}, which is not its sidecar; nothing changed");
        return Err(Objection::new(Reason::Managed, why).hint("rename or remove that cluster, then run this again"));
    }
    let after = bootstrap::insert(text).map_err(|refusal| objection(proxy, refusal))?;
    Ok(if after == text { Vec::new() } else { vec![Edit::set(bootstrap_path(), Value::from(after))] })
}

struct Work<'w> {
    proxy: &'w GatewayProxy,
    flags: &'w Flags,
    values: &'w Values,
    edits: Vec<Edit>,
    notes: Vec<String>,
}

impl Work<'_> {
    /// Adds the missing parts.
    fn complete(&mut self, before: &SidecarState) -> Result<(), Objection> {
        for part in &before.missing {
            match part {
                SidecarPart::Cluster | SidecarPart::LoadedCluster => {}
                SidecarPart::Container(SDS) => {
                    let image = needed(&self.values.sds_image)?;
                    let volume = bootstrap_volume(self.proxy);
                    let container = self.secured(parts::sds(image, volume.as_deref()));
                    self.edits.push(Edit::set(in_list("containers", SDS), container));
                }
                SidecarPart::Container(_) => {
                    let container = parts::istio_proxy(&ProxyValues {
                        image: needed(&self.values.proxy_image)?,
                        address: self.address()?,
                        mesh_id: &self.values.mesh_id.value,
                        cluster_id: &self.values.cluster_id.value,
                    });
                    let container = self.secured(container);
                    self.edits.push(Edit::set(in_list("containers", ISTIO_PROXY), container));
                }
                SidecarPart::Env(container, name) => {
                    let item = self.env_item(name)?;
                    let before = self.proxy.container(container).and_then(|it| env(it, name)).unwrap_or("(unset)");
                    let after = item["value"].as_str().unwrap_or_default();
                    self.notes.push(format!("{name} {} -> {after}", before.trim()));
                    self.edits.push(Edit::set(in_container(container, "env", name), item));
                }
                SidecarPart::Mount(container) => {
                    let mount = parts::certificates_mount();
                    self.edits.push(Edit::set(in_container(container, "volumeMounts", parts::CERTIFICATES), mount));
                }
                SidecarPart::Volume(name) => {
                    let volume = parts::volumes().into_iter().find(|volume| volume["name"] == **name);
                    self.edits.extend(volume.map(|volume| Edit::set(in_list("volumes", name), volume)));
                }
            }
        }
        Ok(())
    }

    fn env_item(&self, name: &str) -> Result<Value, Objection> {
        Ok(match name {
            "ISTIO_MTLS_SDS_ENABLED" => parts::sds_enabled(),
            "DISABLE_ENVOY" => parts::disable_envoy(),
            "OUTPUT_CERTS" => parts::output_certs(),
            "PROXY_CONFIG" => {
                let before = self.proxy.container(ISTIO_PROXY).and_then(proxy_config);
                json!({"name": name, "value": parts::proxy_config(before.as_ref(), self.address()?)})
            }
            _ => json!({"name": name, "value": self.address()?}),
        })
    }

    fn address(&self) -> Result<&str, Objection> {
        let address = self.values.address.as_ref().map(|address| address.value.as_str());
        address.ok_or_else(|| {
            Objection::new(Reason::NoIstiod, "needs the address of istiod; nothing changed")
                .hint(flag("--istio-discovery-address").text(" HOST:15012"))
        })
    }

    /// Sets the requested security context.
    fn secured(&self, mut container: Value) -> Value {
        if self.flags.security == Security::Restricted
            && let Some(fields) = container.as_object_mut()
        {
            fields.insert("securityContext".to_owned(), parts::restricted(user(self.proxy)));
        }
        container
    }

    /// Changes existing parts to the requested values.
    fn change(&mut self, istiods: &[Istiod]) {
        let values = self.values;
        self.change_image(SDS, values.sds_image.as_ref().ok());
        self.change_image(ISTIO_PROXY, values.proxy_image.as_ref().ok());
        if let Some(address) = values.address.as_ref().filter(|address| is_typed(address)) {
            self.change_address(&address.value, istiods);
        }
        self.change_id("ISTIO_META_MESH_ID", &values.mesh_id);
        self.change_id("ISTIO_META_CLUSTER_ID", &values.cluster_id);
        if self.flags.security == Security::Restricted {
            for name in [SDS, ISTIO_PROXY] {
                let wanted = parts::restricted(user(self.proxy));
                if self.proxy.container(name).is_some_and(|container| container["securityContext"] != wanted) {
                    self.notes.push(format!("securityContext of {name} restricted"));
                    self.edits.push(Edit::set(of_container(name, "securityContext"), wanted));
                }
            }
        }
    }

    fn change_image(&mut self, name: &str, wanted: Option<&Provenance>) {
        let Some(wanted) = wanted.filter(|wanted| is_typed(wanted)) else { return };
        let Some(before) = self.proxy.container(name).map(|it| it["image"].as_str().unwrap_or("(unset)")) else {
            return;
        };
        if before != wanted.value {
            self.notes.push(format!("{name} {before} -> {}", wanted.value));
            self.edits.push(Edit::set(of_container(name, "image"), Value::from(wanted.value.as_str())));
        }
    }

    fn change_address(&mut self, wanted: &str, istiods: &[Istiod]) {
        let Some(container) = self.proxy.container(ISTIO_PROXY) else { return };
        let before = super::current_address(self.proxy);
        let ca = env(container, "CA_ADDR");
        if ca.is_some_and(|ca| ca != wanted) {
            self.set_env("CA_ADDR", wanted);
        }
        let config = proxy_config(container);
        if config.as_ref().is_some_and(|it| it["discoveryAddress"].is_string() && it["discoveryAddress"] != wanted) {
            self.set_env("PROXY_CONFIG", &parts::proxy_config(config.as_ref(), wanted));
        }
        if let Some(before) = before.filter(|before| before != wanted) {
            self.notes.insert(0, moved(&before, wanted, istiods));
        }
    }

    fn change_id(&mut self, name: &str, wanted: &Provenance) {
        let Some(container) = self.proxy.container(ISTIO_PROXY).filter(|_| is_typed(wanted)) else { return };
        let before = env(container, name);
        if before != Some(wanted.value.as_str()) {
            self.notes.push(format!("{} {} -> {}", wanted.what, before.unwrap_or("(unset)"), wanted.value));
            self.set_env(name, &wanted.value);
        }
    }

    fn set_env(&mut self, name: &str, value: &str) {
        let item = json!({"name": name, "value": value});
        self.edits.push(Edit::set(in_container(ISTIO_PROXY, "env", name), item));
    }
}

fn is_typed(value: &Provenance) -> bool {
    matches!(value.source, ValueSource::Flag(_))
}

/// Returns `revision 1-27 -> 1-28`, or the addresses if the revisions do not differ.
fn moved(before: &str, after: &str, istiods: &[Istiod]) -> String {
    let revision =
        |address: &str| istiods.iter().find(|istiod| istiod.serves(address)).map(|istiod| istiod.revision.as_str());
    match (revision(before), revision(after)) {
        (Some(old), Some(new)) if old != new => format!("revision {old} -> {new}"),
        _ => format!("istiod {before} -> {after}"),
    }
}

fn needed(image: &Result<Provenance, NeedsFlag>) -> Result<&str, Objection> {
    match image {
        Ok(image) => Ok(&image.value),
        Err(needs) => Err(Objection::new(Reason::NeedsFlag, format!("{}; nothing changed", needs.why))
            .hint(format!("{} REGISTRY/REPOSITORY:TAG", needs.flag))),
    }
}

/// Returns the volume with the bootstrap's `ConfigMap`. The chart names it `envoy-config`.
fn bootstrap_volume(proxy: &GatewayProxy) -> Option<String> {
    let volumes = proxy.pod_spec()["volumes"].as_array()?;
    let map = bootstrap_name(&proxy.workload.reference.name);
    let of_map = volumes.iter().find(|volume| volume["configMap"]["name"] == map);
    let found = of_map.or_else(|| volumes.iter().find(|volume| volume["name"] == "envoy-config"));
    found?["name"].as_str().map(str::to_owned)
}

/// Returns the user of the proxy container.
fn user(proxy: &GatewayProxy) -> u64 {
    let pod = proxy.pod_spec();
    let of = |holder: &Value| holder["securityContext"]["runAsUser"].as_u64().filter(|user| *user > 0);
    of(&pod["containers"][0]).or_else(|| of(pod)).unwrap_or(GLOO_USER)
}

/// Returns the advice about the owner that will undo the change, and about the change that lasts.
pub(super) fn on_owner(proxy: &GatewayProxy, lasting: impl Into<Hint>) -> Option<Advice> {
    let owner = owner::find(&proxy.workload.value)?;
    let advice = match &owner {
        Owner::Helm { .. } => Advice::warning(Code::Owner, format!("{owner} owns this; its next upgrade undoes it")),
        Owner::ArgoCd { .. } | Owner::Flux { .. } => {
            Advice::warning(Code::Owner, format!("{owner} owns this; its next sync undoes it"))
        }
        Owner::Discovery => return None,
    };
    Some(advice.hint(lasting).about(&proxy.workload.reference))
}

fn on_pull_secrets(proxy: &GatewayProxy, gloo: Option<&Value>) -> Option<Advice> {
    let of_gloo = gloo?["spec"]["template"]["spec"]["imagePullSecrets"].as_array()?;
    let missing: Vec<_> = of_gloo
        .iter()
        .filter_map(|secret| secret["name"].as_str())
        .filter(|name| item(&proxy.pod_spec()["imagePullSecrets"], name).is_none())
        .map(str::to_owned)
        .collect();
    let name = &proxy.workload.reference.name;
    (!missing.is_empty()).then(|| {
        let what = format!("{name} lacks pull secrets that gloo has: {}", missing.join(", "));
        Advice::warning(Code::PullSecret, what).hint("set global.image.pullSecret in Gloo's Helm values")
    })
}

fn on_old_image(proxy: &GatewayProxy, values: &Values, around: &Around) -> Option<Advice> {
    let there = proxy.container(ISTIO_PROXY)?["image"].as_str()?;
    let kept = values.proxy_image.as_ref().is_ok_and(|image| image.source == ValueSource::Gateway);
    let istiod = around.choice?.istiod.as_ref()?;
    let image = istiod.image.as_deref()?;
    (kept && !same_tag(there, Some(image))).then(|| {
        let what = format!("istio-proxy runs {there}, istiod {} is {}", istiod.revision, istiod.version);
        Advice::note(Code::OldImage, what)
            .hint(flag("--revision").text(format!(" {} uses istiod's version", quoted(&istiod.revision))))
    })
}
