//! Every state between clean and full, and the result of each command on it.

use serde_json::json;

use super::*;
use crate::plan::rollout::RESTARTED_AT;

/// The state that `glooctl istio inject` leaves: camel case, but the same names, four volumes, no probe.
fn glooctl() -> GatewayProxy {
    let mut proxy = after(&clean(), &injected(&clean(), &typed_revision("1-28")).unwrap());
    let mut edits: Vec<_> = ["credential-socket", "workload-socket", "workload-certs"]
        .into_iter()
        .flat_map(|name| {
            [in_list("volumes", name), in_container("istio-proxy", "volumeMounts", name)].map(Edit::remove)
        })
        .collect();
    edits.push(Edit::remove(of_container("sds", "readinessProbe")));
    edits.push(Edit::remove(in_container("sds", "env", "LOG_LEVEL")));
    let config =
        json!({"name": "PROXY_CONFIG", "value": "{ \"discoveryAddress\": istiod-1-28.istio-system.svc:15012 }"});
    edits.push(Edit::set(in_container("istio-proxy", "env", "PROXY_CONFIG"), config));
    proxy.workload.value = apply(&proxy.workload.value, &edits).unwrap();
    proxy
}

/// Every state between clean and full: how it differs from the full state, and the proxy.
fn partial_states() -> Vec<(&'static str, GatewayProxy)> {
    let full = after(&clean(), &injected(&clean(), &typed_revision("1-28")).unwrap());
    let cut = |edits: Vec<Edit>| {
        let mut proxy = full.clone();
        proxy.workload.value = apply(&proxy.workload.value, &edits).unwrap();
        proxy
    };
    let gone = |paths: &[FieldPath]| cut(paths.iter().cloned().map(Edit::remove).collect());
    let (sds, istio) = (in_list("containers", "sds"), in_list("containers", "istio-proxy"));
    let volume = |name: &str| in_list("volumes", name);
    let env = |container: &str, name: &str| in_container(container, "env", name);
    let with = |mut proxy: GatewayProxy, bootstrap: &str| {
        proxy.bootstrap = Some(config_map(bootstrap));
        proxy
    };
    let all_volumes: Vec<_> = parts::volumes().iter().map(|it| volume(it["name"].as_str().unwrap())).collect();
    vec![
        ("nothing", clean()),
        ("all of it", full.clone()),
        ("cluster without sidecars (glooctl stopped half way)", with(clean(), BOOTSTRAP_ISTIO)),
        ("sidecars without cluster", with(full.clone(), BOOTSTRAP)),
        ("sds alone", gone(std::slice::from_ref(&istio))),
        ("istio-proxy alone", gone(std::slice::from_ref(&sds))),
        ("volumes left over, no containers", gone(&[sds.clone(), istio.clone()])),
        ("volumes left over, no containers, no cluster", with(gone(&[sds.clone(), istio.clone()]), BOOTSTRAP)),
        (
            "one volume left over",
            with(gone(&[vec![sds.clone(), istio.clone()], all_volumes[1..].to_vec()].concat()), BOOTSTRAP),
        ),
        ("no volumes", gone(&all_volumes)),
        ("sds without its switch", gone(&[env("sds", "ISTIO_MTLS_SDS_ENABLED")])),
        ("sds without certificates", gone(&[in_container("sds", "volumeMounts", "istio-certs")])),
        ("istio-proxy without CA_ADDR", gone(&[env("istio-proxy", "CA_ADDR")])),
        ("istio-proxy without PROXY_CONFIG", gone(&[env("istio-proxy", "PROXY_CONFIG")])),
        ("istio-proxy without DISABLE_ENVOY", gone(&[env("istio-proxy", "DISABLE_ENVOY")])),
        ("istio-proxy without OUTPUT_CERTS", gone(&[env("istio-proxy", "OUTPUT_CERTS")])),
        ("istio-proxy without certificates", gone(&[in_container("istio-proxy", "volumeMounts", "istio-certs")])),
        ("istio-proxy without any env", gone(&[of_container("istio-proxy", "env")])),
        (
            "Envoy of istio-proxy not disabled",
            cut(vec![Edit::set(
                env("istio-proxy", "DISABLE_ENVOY"),
                json!({"name": "DISABLE_ENVOY", "value": "false"}),
            )]),
        ),
        (
            "PROXY_CONFIG without address",
            cut(vec![Edit::set(
                env("istio-proxy", "PROXY_CONFIG"),
                json!({"name": "PROXY_CONFIG", "value": "{\"concurrency\":2}"}),
            )]),
        ),
        ("as glooctl injects", glooctl()),
        ("as glooctl injects, without cluster", with(glooctl(), BOOTSTRAP)),
    ]
}

#[test]
fn every_partial_state_ends_full_by_inject_and_clean_by_uninject() {
    for (name, state) in partial_states() {
        for kind in [&DEPLOYMENT, &DAEMON_SET] {
            let state = of_kind(state.clone(), kind);
            let full = after(&state, &injected(&state, &typed_revision("1-28")).unwrap());
            assert_eq!(extent(&full), Extent::Full, "{name}: {:?}", super::state::state(&full));
            assert!(!injected(&full, &Flags::default()).unwrap().writes(), "{name}");

            for start in [&state, &full] {
                let bare = after(start, &uninjected(start).unwrap());
                assert_eq!(extent(&bare), Extent::Clean, "{name}");
                assert_eq!(bare.bootstrap_text(), Some(BOOTSTRAP), "{name}");
                let template =
                    without_key(&bare.workload.value, &["spec", "template", "metadata", "annotations", RESTARTED_AT]);
                assert_eq!(template, clean().workload.value, "{name}");
                assert!(!uninjected(&bare).unwrap().writes(), "{name}");
            }
        }
    }
}

#[test]
fn completing_says_what_was_missing_and_restarts_when_only_the_bootstrap_changes() {
    let (_, half) = partial_states().swap_remove(3);
    let plan = injected(&half, &Flags::default()).unwrap();
    assert_eq!(plan.advice[0].message, "gateway-proxy was partly injected; missing: cluster gateway_proxy_sds");
    assert_eq!(plan.changes[1].edits, [rollout::restart(NOW)]);
    let (_, half) = partial_states().swap_remove(2);
    let plan = injected(&half, &typed_revision("1-28")).unwrap();
    assert_eq!((plan.changes[0].message.as_str(), plan.changes[1].message.as_str()), ("unchanged", "patched"));
    let plan = uninjected(&half).unwrap();
    assert_eq!(plan.changes[1].edits, [rollout::restart(NOW)]);
}
