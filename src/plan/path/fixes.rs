//! How a verdict on a path is fixed: the cause decides, and who owns the gateway and the pods.

use super::{Behind, Captured, Cause, Facts, Membership, Pod, ProxyState, Sends, ShownCertificate, Shows};
use crate::command::{CommandLine, Hint, gloo_rs, kubectl};
use crate::plan::fix::{BackendFix, NoSidecar};
use crate::plan::peer::Mode;
use crate::plan::routes::RouteTarget;

/// Returns the command that fixes the cause. `None` if no command does alone.
pub(super) fn of_cause(facts: &Facts, cause: Cause) -> Option<Hint> {
    match cause {
        Cause::NoSidecar => backend(facts).of_refused_tls(),
        Cause::NoEndpoint => {
            let what = if facts.pods().is_none_or(<[Pod]>::is_empty) { "get deployments,pods" } else { "get pods" };
            pods_namespace(facts).map(|namespace| kubectl(what).with("-n", namespace).into())
        }
        Cause::NoService => other_port(facts).map(Hint::from),
        Cause::StrictPeer => Some(backend(facts).of_refused_plaintext(enable_mtls(facts))),
        Cause::StrictAmbient => {
            let opens = backend(facts).opens.map(Hint::from);
            match (capture_gateway(facts), opens) {
                (Some(capture), Some(opens)) => Some(capture.or_else(", or ", opens)),
                (capture, opens) => capture.or(opens),
            }
        }
        Cause::DisabledPeer => opened(facts).map(Hint::from),
        Cause::NotAnnounced | Cause::Http2NotSent => Some(enabling(facts).into()),
        Cause::OwnTls | Cause::OwnCertificate => upstream(&facts.target).map(|_| replacing(facts)),
        _ => None,
    }
}

/// Returns the command that puts the first gateway outside of the ambient mesh into it, if pods are in it. From then on a
/// ztunnel carries its requests to them.
pub(crate) fn capture_gateway(facts: &Facts) -> Option<Hint> {
    let mut pods = facts.pods().into_iter().flatten();
    pods.find(|pod| pod.membership == Membership::Ambient)?;
    let mut active = facts.proxies.iter().flatten().filter(|proxy| !proxy.is_idle);
    let outside = active.find(|proxy| proxy.captured == Captured::No)?;
    let (namespace, _) = outside.name.split_once('/')?;
    Some(gloo_rs("istio enroll --ambient").value(namespace).into())
}

/// Returns the command for an Upstream whose Service has other ports.
fn other_port(facts: &Facts) -> Option<CommandLine> {
    match (&facts.behind, &facts.target) {
        (Behind::NoPort(_), RouteTarget::Upstream { namespace, name }) => {
            Some(kubectl("edit upstream").value(name).with("-n", namespace))
        }
        _ => None,
    }
}

/// Returns what decides how the pods are fixed. Unready pods get no requests.
pub(crate) fn backend(facts: &Facts) -> BackendFix {
    let ready = || facts.pods().into_iter().flatten().filter(|pod| pod.ready != Ok(false));
    let namespace = pods_namespace(facts);
    BackendFix {
        namespace: namespace.map(str::to_owned),
        revision: facts.enroll_revision.clone(),
        without: ready().filter_map(without_sidecar).collect(),
        opens: ready().find_map(|pod| made_permissive(pod, namespace?)),
        upstream: upstream(&facts.target),
    }
}

/// Returns why a pod takes no TLS of Istio's. `None` if it does, or if that is unknown.
pub(crate) fn without_sidecar(pod: &Pod) -> Option<NoSidecar> {
    match pod.membership {
        Membership::Ambient | Membership::Labelled => Some(NoSidecar::Ambient),
        Membership::Outside => Some(pod.barred.map_or(NoSidecar::Enrollable, NoSidecar::Barred)),
        Membership::Sidecar | Membership::Unknown => None,
    }
}

/// Returns the command after which a pod that requires mutual TLS accepts plaintext as well.
pub(crate) fn made_permissive(pod: &Pod, namespace: &str) -> Option<CommandLine> {
    let is_of_mesh = matches!(pod.membership, Membership::Sidecar | Membership::Ambient);
    let policy = pod.demands.as_ref().ok().filter(|_| is_of_mesh)?.setting(Mode::Strict)?;
    Some(policy.opened_by(namespace))
}

/// Returns the command that lets the pods accept mutual TLS, if a policy prevents that.
fn opened(facts: &Facts) -> Option<CommandLine> {
    let namespace = pods_namespace(facts)?;
    let mut of_mesh = facts.pods().into_iter().flatten().filter(|pod| pod.membership == Membership::Sidecar);
    let policy = of_mesh.find_map(|pod| pod.demands.as_ref().ok()?.setting(Mode::Disable))?;
    Some(policy.opened_by(namespace))
}

/// Returns the command that enables Istio's TLS. Before it come the commands that let the pods accept it and let every
/// proxy present the certificate, because otherwise working requests would break.
pub(super) fn enable_mtls(facts: &Facts) -> Hint {
    held_back(facts).unwrap_or_default().command(enabling(facts))
}

/// Returns the command that replaces other TLS settings by Istio's.
fn replacing(facts: &Facts) -> Hint {
    let enable = if shows_files_of_istio(facts) { enabling(facts) } else { enabling(facts).fixed("--overwrite") };
    held_back(facts).unwrap_or_default().command(enable)
}

/// Returns the command that replaces certificates of Istio in files by those of its SDS.
pub(super) fn of_files(facts: &Facts) -> Option<Hint> {
    shows_files_of_istio(facts).then(|| replacing(facts))
}

fn shows_files_of_istio(facts: &Facts) -> bool {
    matches!(facts.sends, Sends::Tls { shows: Shows::FilesOfIstio, .. })
}

/// Returns the commands that must come first, with the words between them.
fn held_back(facts: &Facts) -> Option<Hint> {
    let lacking = facts.proxies.iter().flatten().find(|proxy| proxy.lacks.as_ref().is_ok_and(|it| !it.is_empty()));
    let first = opened(facts).into_iter().chain(lacking.map(inject));
    first.map(|command| command.then(", then ")).reduce(Hint::and)
}

fn enabling(facts: &Facts) -> CommandLine {
    match upstream(&facts.target) {
        Some(name) => gloo_rs("istio enable-mtls").with("-u", name),
        None => auto_mtls(facts),
    }
}

/// Returns the command that turns on auto-mTLS in the Gloo installation of the gateways.
pub(crate) fn auto_mtls(facts: &Facts) -> CommandLine {
    let command = gloo_rs("istio auto-mtls enable");
    match facts.proxies.as_ref().ok().and_then(|proxies| proxies.first()) {
        Some(proxy) => command.of_installation(proxy.fix.installation()),
        None => command,
    }
}

/// Returns the Upstream as a value for `-u`: `name`, or `namespace/name` outside of gloo-system.
pub(super) fn upstream(target: &RouteTarget) -> Option<String> {
    match target {
        RouteTarget::Upstream { namespace, name } if namespace == "gloo-system" => Some(name.clone()),
        RouteTarget::Upstream { namespace, name } => Some(format!("{namespace}/{name}")),
        _ => None,
    }
}

fn pods_namespace(facts: &Facts) -> Option<&str> {
    match &facts.behind {
        Behind::Pods { service, .. } => service.split_once('/').map(|(namespace, _)| namespace),
        _ => None,
    }
}

/// Returns the command that shows why an expired certificate was not renewed, or that fetches another root.
pub(super) fn renewed((_, certificate): (&str, &ShownCertificate)) -> Hint {
    let ShownCertificate { pod, namespace, .. } = certificate;
    let command = match certificate.left <= 0 {
        true => kubectl("logs").value(pod).fixed("-c istio-proxy"),
        false => kubectl("delete pod").value(pod),
    };
    command.with("-n", namespace).into()
}

/// Returns the command that gives a gateway what it lacks: the sidecars, or only a restart.
pub(crate) fn inject(proxy: &ProxyState) -> CommandLine {
    match &proxy.lacks {
        Ok(parts) => proxy.fix.lacking(parts),
        Err(_) => proxy.fix.command(),
    }
}
