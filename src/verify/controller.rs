//! Waits until a controller has changed a workload.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::kube::{ApiError, Session};
use crate::model::ObjectRef;
use crate::plan::change::AwaitedSidecars;
use crate::plan::sidecars::parts::{ISTIO_PROXY, SDS};
use crate::plan::sidecars::state::{env, item};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// How the wait ended.
#[derive(Debug)]
pub(crate) enum Made {
    Done,
    Interrupted,
    /// It timed out: what the workload lacks, or still has.
    Not(String),
    Unread(ApiError),
}

/// Waits until the workload has these sidecars, or none.
pub(crate) async fn wait(
    session: &Session,
    workload: &ObjectRef,
    wanted: &AwaitedSidecars,
    patience: Duration,
    stopped: &dyn Fn() -> bool,
) -> Made {
    let begun = Instant::now();
    loop {
        let seen = match session.get(workload.kind, &workload.namespace, &workload.name).await {
            Ok(now) => lacks(&now, wanted).map(Made::Not),
            // A single failed request says nothing about the controller.
            Err(error) => Some(Made::Unread(error)),
        };
        let Some(not_yet) = seen else { return Made::Done };
        if stopped() {
            return Made::Interrupted;
        }
        if begun.elapsed() >= patience {
            return not_yet;
        }
        sleep(PAUSE).await;
    }
}

/// Returns what the workload lacks, or still has.
pub(crate) fn lacks(workload: &Value, wanted: &AwaitedSidecars) -> Option<String> {
    let containers = &workload["spec"]["template"]["spec"]["containers"];
    let (sds, istio_proxy) = (item(containers, SDS), item(containers, ISTIO_PROXY));
    let (address, tag) = match wanted {
        AwaitedSidecars::Gone => {
            let left = [(SDS, sds), (ISTIO_PROXY, istio_proxy)].into_iter().find(|(_, container)| container.is_some());
            return left.map(|(name, _)| format!("it still has {name}"));
        }
        AwaitedSidecars::There { address, tag } => (address, tag),
    };
    let Some(container) = istio_proxy else { return Some(format!("it has no {ISTIO_PROXY}")) };
    if sds.is_none() {
        return Some(format!("it has no {SDS}"));
    }
    let is = env(container, "CA_ADDR").unwrap_or("(unset)");
    if let Some(address) = address.as_deref().filter(|address| *address != is) {
        return Some(format!("its istiod is {is}, not {address}"));
    }
    let image = container["image"].as_str().unwrap_or("(unset)");
    let without_digest = image.split('@').next().unwrap_or_default();
    let is_of = |tag: &str| without_digest.rsplit_once(':').is_some_and(|(_, is)| is == tag);
    let tag = tag.as_deref().filter(|tag| !is_of(tag))?;
    Some(format!("its {ISTIO_PROXY} is {image}, not {tag}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workload(containers: &Value) -> Value {
        json!({"spec": {"template": {"spec": {"containers": containers}}}})
    }

    #[test]
    fn a_workload_is_as_wanted_only_with_both_sidecars_their_address_and_their_image() {
        let proxy = json!({"name": "istio-proxy", "image": "r:5000/proxyv2:1.28.3", "env": [{"name": "CA_ADDR", "value": "a:1"}]});
        let both = workload(&json!([{"name": "gloo-gateway"}, {"name": "sds"}, proxy]));
        let there = |address: &str, tag: &str| AwaitedSidecars::There {
            address: (!address.is_empty()).then(|| address.to_owned()),
            tag: (!tag.is_empty()).then(|| tag.to_owned()),
        };
        for (address, tag, said) in [
            ("a:1", "1.28.3", None),
            ("", "", None),
            ("b:1", "", Some("its istiod is a:1, not b:1")),
            ("a:1", "1.29.0", Some("its istio-proxy is r:5000/proxyv2:1.28.3, not 1.29.0")),
        ] {
            assert_eq!(lacks(&both, &there(address, tag)).as_deref(), said);
        }
        let digest = json!({"name": "istio-proxy", "image": "r:5000/proxyv2:1.28.3@sha256:ab"});
        let by_digest = workload(&json!([{"name": "sds"}, digest]));
        assert_eq!(lacks(&by_digest, &there("", "1.28.3")), None);
        let half = workload(&json!([{"name": "gloo-gateway"}, proxy]));
        assert_eq!(lacks(&half, &there("", "")).as_deref(), Some("it has no sds"));
        assert_eq!(lacks(&half, &AwaitedSidecars::Gone).as_deref(), Some("it still has istio-proxy"));
        let bare = workload(&json!([{"name": "gloo-gateway"}]));
        assert_eq!(lacks(&bare, &there("", "")).as_deref(), Some("it has no istio-proxy"));
        assert_eq!(lacks(&bare, &AwaitedSidecars::Gone), None);
    }
}
