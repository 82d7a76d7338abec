//! Removes the sidecars from every state, by the names that `inject` uses.

use serde_json::Value;

use super::parts::{ISTIO_PROXY, SDS, volumes};
use super::state::item;
use super::{Around, GatewayProxy, TransactionPlan, bootstrap_path, guard, in_list, inject, objection, pod_path};
use crate::edit::{Edit, bootstrap};
use crate::model::FieldPath;
use crate::plan::advice::{Advice, Code};
use crate::plan::mark::injected_by_us;
use crate::plan::outcome::Objection;

/// The fix for a Helm user.
const LASTING: &str = "set global.istioIntegration.enabled to false in Gloo's Helm values";

/// Plans the changes after which no part of either tool is left.
///
/// # Errors
/// Why nothing is changed, and what to do instead.
pub(crate) fn uninject(proxy: &GatewayProxy, around: &Around) -> Result<TransactionPlan, Objection> {
    let makers = guard::makers(proxy);
    if let Some(objection) = guard::against_gateway_api(proxy, &makers, "istio uninject")
        .or_else(|| guard::against_gloo_mtls(&makers, &proxy.workload.reference.namespace))
    {
        return Err(objection);
    }
    let mut plan = TransactionPlan::default();
    let mut is_rewritten = false;
    if let (Some(map), Some(text)) = (&proxy.bootstrap, proxy.bootstrap_text()) {
        let after = bootstrap::remove(text).map_err(|refusal| objection(proxy, refusal))?;
        is_rewritten = after != text;
        let edits = if is_rewritten { vec![Edit::set(bootstrap_path(), Value::from(after))] } else { Vec::new() };
        plan.push(map, edits, &[]);
    }
    let (mut edits, mut notes) = without_sidecars(proxy);
    if edits.is_empty() && is_rewritten {
        plan.restart(proxy, around.now, &mut edits, &mut notes);
    }
    plan.push(&proxy.workload, edits, &notes);
    if plan.writes() {
        let carried = makers.chart_sidecars.then(|| {
            Advice::warning(Code::Owner, "Gloo's Helm values set up Istio; the next upgrade adds the sidecars again")
                .hint(LASTING)
                .about(&proxy.workload.reference)
        });
        // The owner does not render what `inject` added, so it does not add it again.
        let is_ours = injected_by_us(&proxy.workload.value);
        plan.advice.extend(carried.or_else(|| inject::on_owner(proxy, LASTING).filter(|_| !is_ours)));
    }
    Ok(plan)
}

fn without_sidecars(proxy: &GatewayProxy) -> (Vec<Edit>, Vec<String>) {
    let pod = proxy.pod_spec();
    let mut edits: Vec<_> = [SDS, ISTIO_PROXY]
        .into_iter()
        .filter(|name| proxy.container(name).is_some())
        .map(|name| Edit::remove(in_list("containers", name)))
        .collect();
    let ours = volumes();
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for name in ours.iter().filter_map(|volume| volume["name"].as_str()) {
        if item(&pod["volumes"], name).is_some() {
            if is_used_by_others(pod, name) { kept.push(name) } else { gone.push(name) }
        }
    }
    let all = pod["volumes"].as_array().map_or(0, Vec::len);
    if !gone.is_empty() && gone.len() == all {
        // A pod without volumes has no list of volumes either.
        edits.push(Edit::remove(pod_path().join(&FieldPath::keys(&["volumes"]))));
    } else {
        edits.extend(gone.into_iter().map(|name| Edit::remove(in_list("volumes", name))));
    }
    let notes = match kept.is_empty() || edits.is_empty() {
        true => Vec::new(),
        false => vec![format!("kept volumes that other containers mount: {}", kept.join(", "))],
    };
    (edits, notes)
}

/// Returns whether a container that stays mounts the volume.
fn is_used_by_others(pod: &Value, volume: &str) -> bool {
    let of = |list: &str| pod[list].as_array().into_iter().flatten();
    let stays = of("containers").filter(|it| it["name"] != SDS && it["name"] != ISTIO_PROXY);
    stays.chain(of("initContainers")).any(|container| {
        item(&container["volumeMounts"], volume).is_some() || item(&container["volumeDevices"], volume).is_some()
    })
}
