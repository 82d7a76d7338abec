//! Checks the istiod that each gateway proxy uses: it exists, is ready, and has the sidecar's version.

use super::{Check, Finding, Look, app_istiods, codes};
use crate::command::CommandLine;
use crate::model::{ObjectRef, kinds};
use crate::plan::fix::REVISION;
use crate::plan::istiod::Istiod;
use crate::plan::sidecars::parts::ISTIO_PROXY;
use crate::plan::sidecars::state::item;
use crate::plan::sidecars::{GatewayProxy, current_address};
use crate::text::Image;

pub(super) const CHECK: Check = Check {
    title: "gateway istiod",
    word: "istiod",
    codes: &[&codes::SIDECAR_IMAGE, &codes::NO_SUCH_ISTIOD, &codes::ISTIOD_NOT_READY],
    kinds: &[
        &kinds::DEPLOYMENT,
        &kinds::DAEMON_SET,
        &kinds::CONFIG_MAP,
        &kinds::POD,
        &kinds::SERVICE,
        &kinds::MUTATING_WEBHOOK,
    ],
    beyond: &[],
    run,
};

fn run(look: &Look<'_>) -> Vec<Finding> {
    let istiods = look.istiods();
    let all_seen = [&kinds::DEPLOYMENT, &kinds::SERVICE, &kinds::MUTATING_WEBHOOK]
        .iter()
        .all(|kind| look.world.snapshot.unknown(kind).is_none());
    let proxies = look.gateways().iter().chain(look.gateways_of_api());
    let found = proxies.filter_map(|proxy| {
        let address = current_address(proxy)?;
        match istiods.iter().find(|istiod| istiod.serves(&address)) {
            Some(istiod) => of_istiod(look, proxy, istiod),
            None if all_seen && is_inside(&address) => Some(no_such_istiod(look, proxy, &address, istiods)),
            None => None,
        }
    });
    found.collect()
}

/// Whether the address is in this cluster. Another address may have an istiod that this cluster does not show.
fn is_inside(address: &str) -> bool {
    let labels: Vec<_> = address.split(':').next().unwrap_or_default().split('.').collect();
    labels.len() <= 2 || labels[2] == "svc"
}

fn no_such_istiod(look: &Look<'_>, proxy: &GatewayProxy, address: &str, istiods: &[Istiod]) -> Finding {
    let reference = &proxy.workload.reference;
    let there = istiods.iter().map(|istiod| format!("{} has {}", istiod.shown(), istiod.address));
    Finding::new(&codes::NO_SUCH_ISTIOD, reference, format!("istio-proxy uses {address}, which no istiod has"))
        .decided_by(service(address, &reference.namespace))
        .details(there)
        .hint(elsewhere(look, proxy, istiods))
}

/// The Service that an address inside of the cluster names. Gateways with the same address have one problem.
fn service(address: &str, home: &str) -> ObjectRef {
    let mut labels = address.split(':').next().unwrap_or_default().split('.');
    let (name, namespace) = (labels.next().unwrap_or_default(), labels.next().unwrap_or(home));
    ObjectRef::new(&kinds::SERVICE, namespace, name)
}

/// The command that moves a gateway to an istiod that exists.
fn elsewhere(look: &Look<'_>, proxy: &GatewayProxy, istiods: &[Istiod]) -> CommandLine {
    let fix = look.fix(proxy);
    match istiods {
        [] => fix.command().fixed("--istio-discovery-address HOST:15012"),
        [only] => fix.on(&only.revision).command(),
        _ => fix.on(REVISION).command(),
    }
}

fn of_istiod(look: &Look<'_>, proxy: &GatewayProxy, istiod: &Istiod) -> Option<Finding> {
    let reference = &proxy.workload.reference;
    if istiod.ready == 0 {
        let message = format!("its istiod {} has no ready pod", istiod.shown());
        let finding = Finding::new(&codes::ISTIOD_NOT_READY, reference, message).hint(istiod.unready());
        return Some(finding.decided_by(app_istiods::reference(istiod)));
    }
    let image = item(&proxy.pod_spec()["containers"], ISTIO_PROXY)?["image"].as_str()?;
    let tag = |image: &str| Image::parse(image).ok().and_then(|image| image.tag);
    let (sidecar, control_plane) = (tag(image)?, tag(istiod.image.as_deref()?)?);
    (sidecar != control_plane).then(|| {
        let message = format!("istio-proxy is {sidecar}, istiod {} is {control_plane}", istiod.revision);
        Finding::new(&codes::SIDECAR_IMAGE, reference, message)
            .decided_by(app_istiods::reference(istiod))
            .hint(look.fix(proxy).on(&istiod.revision).command())
    })
}
