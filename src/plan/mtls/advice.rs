//! Advice for an operator before mTLS of an Upstream is enabled or disabled.

use super::{FarEnd, MtlsWish, UpstreamContext};
use crate::command::{Hint, flag, gloo_rs, kubectl};
use crate::model::{Object, ObjectRef};
use crate::plan::Unread;
use crate::plan::advice::{Advice, Code, some_of};
use crate::plan::fix::{self, BackendFix, GatewayFix};
use crate::plan::gateway::Gateway;
use crate::plan::path::fixes;
use crate::plan::path::pair::{self, PairState};
use crate::plan::path::{Announced, Behind, Cause, Membership, Negotiated, Pod, Sends};
use crate::plan::peer::PolicySource;

/// Returns the advice about the gateway, once for a run.
pub(crate) fn on_gateway(gateway: &Gateway, namespace: &str) -> Option<Advice> {
    let advice = match gateway {
        Gateway::Ready => return None,
        Gateway::Absent => {
            Advice::note(Code::Unknown, format!("no gateway proxy in {namespace}, so its sidecars are unknown"))
                .hint(flag("--gloo-namespace").text(" says where Gloo is installed"))
        }
        Gateway::NoPods { workloads } => {
            let idle = workloads.iter().find(|workload| workload.replicas == 0);
            let note = Advice::note(
                Code::Unknown,
                format!("no pod of a gateway proxy runs in {namespace}, so its sidecars are unknown"),
            )
            .details(workloads.iter().map(|it| format!("deployment {namespace}/{}, {} wanted", it.name, it.replicas)));
            match idle {
                Some(idle) => {
                    let scale = kubectl("scale deployment").value(&idle.name).with("-n", namespace);
                    note.hint(scale.fixed("--replicas 1"))
                }
                None => note.hint(kubectl("get deployments,pods").with("-n", namespace)),
            }
        }
        Gateway::NoSidecars { pods, fix } => Advice::warning(
            Code::NoGatewaySidecars,
            format!("no gateway proxy in {namespace} has the sds and istio-proxy sidecars: 503 until one has"),
        )
        .details(some_of(pods.iter().map(|pod| format!("pod {namespace}/{pod}"))))
        .hint(set_up(fix)),
        Gateway::NoCluster { config_maps, fix } => Advice::warning(
            Code::NoSdsCluster,
            format!("no gateway's bootstrap in {namespace} has the cluster gateway_proxy_sds: 503 until one has"),
        )
        .details(some_of(config_maps.iter().map(|map| format!("configmap {namespace}/{map}"))))
        .hint(set_up(fix)),
        Gateway::Unknown { why } => Advice::unknown("whether the gateway has Istio's sidecars is unknown", why),
    };
    Some(advice)
}

/// Returns the command that sets up the sidecars of these proxies. What Helm does not set up yet, its values can.
fn set_up(fixes: &[GatewayFix]) -> Hint {
    let hint = fix::gateways(fixes).unwrap_or_default();
    match fixes.iter().all(GatewayFix::is_injected) {
        true => hint.text(", or global.istioIntegration.enabled in the Helm values"),
        false => hint,
    }
}

/// Returns the advice about a named Upstream.
pub(crate) fn on_upstream(wish: MtlsWish, upstream: &Object, around: &UpstreamContext) -> Vec<Advice> {
    let name = &upstream.reference.name;
    let is_covered = around.auto_mtls().covers(upstream);
    let mut said = Vec::new();
    match wish {
        MtlsWish::Enable => {
            let istio =
                Sends::Istio { any_peer: true, announced: Announced::AsTheMeshs, negotiated: Negotiated::AsSent };
            let after = around.path().map(|facts| facts.sending(istio));
            let ends = after.as_ref().map(pair::ends).unwrap_or_default();
            said.extend(on_far_end(&upstream.reference, &around.far_end, &ends));
            said.extend(on_disabled(&upstream.reference, &ends));
            // Auto-mTLS sends mutual TLS only to pods with a sidecar. It covers no other pods.
            if is_covered && ends.iter().any(|(pod, _)| pod.membership == Membership::Sidecar) {
                said.push(Advice::note(
                    Code::AutoMtls,
                    format!("auto-mTLS covers {name} already; with an sslConfig mTLS is unconditional"),
                ));
            }
        }
        MtlsWish::Disable if !is_covered => said.extend(on_strict(name, around)),
        MtlsWish::Disable => {}
    }
    said.into_iter().map(|advice| advice.about(&upstream.reference)).collect()
}

/// Returns the pods of these pairs that are broken by one of these causes.
fn broken<'f>(ends: &[(&'f Pod, PairState)], causes: &[Cause]) -> Vec<&'f Pod> {
    let is_one = |state: &PairState| matches!(state, PairState::Broken { cause, .. } if causes.contains(cause));
    ends.iter().filter(|(_, state)| is_one(state)).map(|(pod, _)| *pod).collect()
}

/// Returns why it is unknown what one of the pods accepts.
fn unread<'f>(ends: &[(&'f Pod, PairState)]) -> Option<&'f Unread> {
    let is_open = |state: &PairState| matches!(state, PairState::Unknown { .. });
    ends.iter().filter(|(_, state)| is_open(state)).find_map(|(pod, _)| pod.demands.as_ref().err())
}

/// Returns the first pod whose mode a policy sets, and that policy.
fn policy<'f>(pods: &[&'f Pod]) -> Option<(&'f Pod, &'f PolicySource)> {
    pods.iter().find_map(|pod| Some((*pod, pod.demands.as_ref().ok()?.set_by()?)))
}

fn on_far_end(upstream: &ObjectRef, far_end: &FarEnd, ends: &[(&Pod, PairState)]) -> Option<Advice> {
    let name = &upstream.name;
    let behind = match far_end {
        FarEnd::Unseen => return None,
        FarEnd::System(service) => {
            let what = format!("{name} is service {service}, which is not an application in the mesh: 503 there");
            return Some(Advice::warning(Code::NoSidecar, what));
        }
        FarEnd::Type(facts) | FarEnd::Path(facts) => &facts.behind,
    };
    let sidecars = "whether its pods have sidecars is unknown";
    Some(match behind {
        Behind::Pods { pods, .. } if pods.is_empty() => {
            Advice::warning(Code::NoPods, format!("no pod is behind {name}, so its sidecars are unknown"))
        }
        Behind::Pods { .. } => return on_pods(upstream, ends),
        Behind::Outside { kind } => Advice::warning(
            Code::NotKubernetes,
            format!("{name} is not a Kubernetes Service ({kind}): 503 unless it accepts Istio's certificates"),
        ),
        Behind::NoUpstream => return None,
        Behind::NoService { service } => {
            Advice::warning(Code::NoPods, format!("service {service} behind {name} is not there"))
        }
        Behind::NoPort(no_port) => Advice::warning(Code::NoPods, format!("{no_port}, so nothing is behind {name}"))
            .hint(kubectl("edit upstream").value(name).with("-n", &upstream.namespace)),
        Behind::ByHand { service } => Advice::unknown(sidecars, &format!("service {service} has no selector").into()),
        Behind::Unknown(why) => Advice::unknown(sidecars, why),
    })
}

fn on_pods(upstream: &ObjectRef, ends: &[(&Pod, PairState)]) -> Option<Advice> {
    let mut without = broken(ends, &[Cause::NoSidecar]);
    without.sort_unstable_by_key(|pod| &pod.name);
    let have = if without.len() == 1 { "has" } else { "have" };
    let what =
        format!("{} of {} pods behind {} {have} no sidecar: 503 there", without.len(), ends.len(), upstream.name);
    let namespace = &without.first()?.namespace;
    // A ztunnel accepts HBONE, not the mutual TLS that a gateway sends to sidecars.
    let ambient = |pod: &Pod| if pod.membership == Membership::Ambient { " (ambient)" } else { "" };
    let fix = BackendFix {
        namespace: Some(namespace.clone()),
        revision: None,
        without: without.iter().filter_map(|pod| fixes::without_sidecar(pod)).collect(),
        opens: ends.iter().find_map(|(pod, _)| fixes::made_permissive(pod, namespace)),
        upstream: Some(typed(upstream)),
    };
    let advice = Advice::warning(Code::for_cause(Cause::NoSidecar), what)
        .details(some_of(without.iter().map(|pod| format!("pod {pod}{}", ambient(pod)))));
    Some(Advice { hint: fix.of_refused_tls(), ..advice })
}

/// Returns the Upstream as a value for `-u`.
pub(crate) fn typed(upstream: &ObjectRef) -> String {
    match upstream.namespace.as_str() {
        "" | "gloo-system" => upstream.name.clone(),
        namespace => format!("{namespace}/{}", upstream.name),
    }
}

/// Returns a warning if the pods do not accept mutual TLS.
fn on_disabled(upstream: &ObjectRef, ends: &[(&Pod, PairState)]) -> Option<Advice> {
    let name = &upstream.name;
    if let Some((pod, policy)) = policy(&broken(ends, &[Cause::DisabledPeer])) {
        let what = format!("the peer of {name} does not accept mTLS (DISABLE): 503 with mTLS");
        let disable = gloo_rs("istio disable-mtls").with("-u", typed(upstream));
        return Some(
            Advice::warning(Code::for_cause(Cause::DisabledPeer), what)
                .details([format!("peerauthentication {policy}")])
                .hint(policy.opened_by(&pod.namespace).then(" first, or ").command(disable)),
        );
    }
    unread(ends).map(|why| Advice::unknown("whether its peer accepts mTLS is unknown", why))
}

/// Returns a warning if the pods do not accept plaintext.
fn on_strict(name: &str, around: &UpstreamContext) -> Option<Advice> {
    let FarEnd::Path(facts) = &around.far_end else { return None };
    let after = facts.sending(Sends::Plaintext { why: String::new() });
    let ends = pair::ends(&after);
    if let Some((_, policy)) = policy(&broken(&ends, &[Cause::StrictPeer, Cause::StrictAmbient])) {
        return Some(
            Advice::warning(
                Code::for_cause(Cause::StrictPeer),
                format!("the peer of {name} is STRICT: 503 without mTLS"),
            )
            .details([format!("peerauthentication {policy}")])
            .hint("make it PERMISSIVE first, or enable mTLS again"),
        );
    }
    let behind = if let Behind::Unknown(why) = &facts.behind { Some(why) } else { None };
    let unknown = behind.or_else(|| unread(&ends));
    unknown.map(|why| Advice::unknown("whether its peer is STRICT is unknown", why))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds::UPSTREAM;
    use crate::plan::advice::Weight;
    use crate::plan::path::fixture::{around, meshed, plain, pods, switched};
    use crate::plan::peer::Mode;
    use crate::plan::pod::OPTED_OUT;

    fn upstream() -> Object {
        Object::new(&UPSTREAM, json!({"metadata": {"name": "x"}, "spec": {"kube": {}}}))
    }

    fn codes(wish: MtlsWish, around: &UpstreamContext) -> Vec<Code> {
        on_upstream(wish, &upstream(), around).into_iter().map(|advice| advice.code).collect()
    }

    #[test]
    fn enabling_warns_of_pods_without_sidecar_and_names_them() {
        let behind = pods(vec![meshed(Mode::Permissive), meshed(Mode::Permissive), plain("default/a")]);
        let said = on_upstream(MtlsWish::Enable, &upstream(), &around(behind));
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].message, "1 of 3 pods behind x has no sidecar: 503 there");
        assert_eq!(said[0].details, ["pod default/a"]);
        assert_eq!(said[0].weight, Weight::Warning);
        let ambient = Pod { membership: Membership::Ambient, ..plain("default/a") };
        let said = on_upstream(MtlsWish::Enable, &upstream(), &around(pods(vec![ambient])));
        assert_eq!(said[0].details, ["pod default/a (ambient)"]);
    }

    #[test]
    fn what_could_not_be_read_is_a_note_and_never_ok() {
        let unknown = around(Behind::Unknown("not allowed to list pods".into()));
        assert_eq!(codes(MtlsWish::Enable, &unknown), [Code::Unknown]);
        assert_eq!(codes(MtlsWish::Disable, &unknown), [Code::Unknown]);
        let no_policies = Pod { demands: Err("not allowed to list".into()), ..meshed(Mode::Permissive) };
        let unknown = around(pods(vec![no_policies]));
        assert_eq!(codes(MtlsWish::Enable, &unknown), [Code::Unknown]);
        assert_eq!(codes(MtlsWish::Disable, &unknown), [Code::Unknown]);
    }

    #[test]
    fn disabling_warns_of_a_strict_peer_unless_auto_mtls_takes_over() {
        let strict = around(pods(vec![meshed(Mode::Strict)]));
        assert_eq!(codes(MtlsWish::Disable, &strict), [Code::StrictPeer]);
        assert_eq!(codes(MtlsWish::Disable, &UpstreamContext { settings: Ok(switched(true)), ..strict }), []);
    }

    #[test]
    fn enabling_warns_of_a_peer_that_takes_no_mutual_tls_and_names_what_comes_first() {
        let disabled = around(pods(vec![meshed(Mode::Disable)]));
        let said = on_upstream(MtlsWish::Enable, &upstream(), &disabled);
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].code, Code::DisabledPeer);
        assert_eq!(said[0].message, "the peer of x does not accept mTLS (DISABLE): 503 with mTLS");
        assert_eq!(said[0].details, ["peerauthentication shop/a, namespace"]);
        let hint = "gloo-rs istio peer-auth permissive -n shop first, or gloo-rs istio disable-mtls -u x";
        assert_eq!(said[0].hint, Some(hint.into()));
        assert_eq!(codes(MtlsWish::Disable, &disabled), []);
    }

    #[test]
    fn auto_mtls_is_said_to_cover_only_what_has_pods_of_the_mesh() {
        let codes =
            |behind| codes(MtlsWish::Enable, &UpstreamContext { settings: Ok(switched(true)), ..around(behind) });
        assert_eq!(codes(pods(vec![meshed(Mode::Permissive)])), [Code::AutoMtls]);
        assert_eq!(codes(Behind::Outside { kind: "static".into() }), [Code::NotKubernetes]);
        assert_eq!(codes(pods(vec![plain("shop/a")])), [Code::NoSidecar]);
        assert_eq!(codes(pods(vec![])), [Code::NoPods]);
    }

    #[test]
    fn pods_that_cannot_be_enrolled_are_not_sent_to_enroll() {
        let opted_out = || Pod { barred: Some(OPTED_OUT), ..plain("shop/a") };
        let hint =
            |of: Vec<Pod>| on_upstream(MtlsWish::Enable, &upstream(), &around(pods(of)))[0].hint.clone().unwrap();
        let way = "opted out by sidecar.istio.io/inject=false: remove that, or gloo-rs istio disable-mtls -u x";
        assert_eq!(hint(vec![opted_out()]), way);
        assert_eq!(hint(vec![opted_out(), plain("shop/b")]), "gloo-rs istio enroll shop");
        let ambient = || Pod { membership: Membership::Ambient, ..plain("shop/a") };
        assert_eq!(hint(vec![ambient()]), "gloo-rs istio disable-mtls -u x");
        // These require mutual TLS.
        let open = "gloo-rs istio peer-auth permissive -n shop";
        let way = format!("opted out by sidecar.istio.io/inject=false: remove that, or {open}");
        assert_eq!(hint(vec![opted_out(), meshed(Mode::Strict)]), way);
        assert_eq!(hint(vec![ambient(), meshed(Mode::Strict)]), open);
    }

    #[test]
    fn many_pods_are_shown_as_some_and_a_number() {
        let behind = pods((0..25).map(|pod| plain(&format!("ns/pod-{pod:02}"))).collect());
        let said = on_upstream(MtlsWish::Enable, &upstream(), &around(behind));
        assert_eq!(said[0].details.len(), 11);
        assert_eq!(said[0].details[10], "and 15 more");
    }
}
