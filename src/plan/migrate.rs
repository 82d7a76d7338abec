//! The migration of Upstreams to auto-mTLS: whether auto-mTLS sends the same as Istio's `sslConfig`, and whether it harms
//! an Upstream without one.
//!
//! An Upstream keeps its `sslConfig` unless both paths are known and the same. The one that auto-mTLS harms opts out.

mod others;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::advice::{Advice, Code};
use super::auto_mtls::harm;
use super::effect::Wanted;
use super::fields;
use super::gateway::AutoMtls;
use super::mtls::{FarEnd, UpstreamContext};
use super::outcome::{Decision, Objection};
use super::path::pair::{PairState, ends};
use super::path::{Facts, Sends, Switched, guard, of_upstream};
use super::peer::Sent;
use super::policy::{Caution, Picked};
use super::settings::Switches;
use super::ssl_config::{OPT_OUT, Tls, additions, tls_of};
use super::{GatewayNeed, PerObject, Unread, Wants, Words};
use crate::command::{Hint, flag, gloo_rs};
use crate::edit::Edit;
use crate::error::Reason;
use crate::model::{FieldPath, Kind, Object, kinds};

pub(crate) use others::OtherGloo;

/// The migration of single Upstreams.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Migration {
    pub caution: Caution,
    /// The namespace of Gloo.
    pub gloo: String,
    /// The other installations of Gloo in the cluster.
    pub others: Result<Vec<OtherGloo>, Unread>,
}

impl PerObject for Migration {
    fn kind(&self) -> &'static Kind {
        &kinds::UPSTREAM
    }

    fn words(&self) -> Words {
        Words { command: "istio auto-mtls migrate", done: "migrated", flags: &[] }
    }

    fn risks(&self) -> Vec<&'static str> {
        let forced = "Upstreams that may answer 503 or get plaintext afterwards (--force)";
        (self.caution == Caution::Forced).then_some(forced).into_iter().collect()
    }

    fn wants(&self) -> Wants {
        Wants { peer: Some(Sent::MutualTls), gateway: GatewayNeed::Never }
    }

    fn decide(&self, object: &Object, found: Picked, around: &UpstreamContext) -> Decision {
        match (self.judged(object, around), found) {
            (Ok(decision), _) => decision,
            (Err(why), Picked::Named) => Decision::Refuse(why),
            (Err(why), Picked::Selected) => Decision::Skip(why),
        }
    }

    fn by_hand(&self) -> Vec<String> {
        vec!["remove spec.sslConfig".to_owned()]
    }

    fn judges_paths(&self) -> bool {
        true
    }

    fn reason(&self, edits: &[Edit]) -> Option<Reason> {
        let opts_out = edits.iter().any(|edit| edit.path == opt_out());
        Some(if opts_out { Reason::AutoMtlsHarms } else { Reason::SamePath })
    }

    fn in_files(&self, after: &Object) -> Words {
        let opted_out = after.value["spec"][OPT_OUT] == true;
        let command = if opted_out { "istio auto-mtls disable" } else { "istio disable-mtls" };
        Words { command, ..self.words() }
    }

    fn expects(&self, object: &Object) -> Option<Wanted> {
        let gets_plaintext = object.value["spec"][OPT_OUT] == true || self.caution == Caution::Forced;
        Some(if gets_plaintext { Wanted::NotIstio } else { Wanted::AutoMtls })
    }

    fn advise(&self, object: &Object, around: &UpstreamContext) -> Vec<Advice> {
        let after = around.path_after(object, &[]);
        let objection = after.filter(|after| after.sends == Sends::PerPod).and_then(|after| guard::against_tls(&after));
        let said = objection.map(|why| Advice::warning(Code::for_reason(why.reason), why.message));
        said.into_iter().map(|advice| advice.about(&object.reference)).collect()
    }
}

fn ssl_config() -> FieldPath {
    FieldPath::keys(&["spec", "sslConfig"])
}

fn opt_out() -> FieldPath {
    FieldPath::keys(&["spec", OPT_OUT])
}

impl Migration {
    /// Returns what is done to the Upstream, or why it stays as it is.
    fn judged(&self, upstream: &Object, around: &UpstreamContext) -> Result<Decision, Objection> {
        let spec = &upstream.value["spec"];
        if !spec.is_object() {
            return Err(Objection::new(Reason::NoSpec, "has no spec; nothing changed"));
        }
        let misspelt = fields::misspelt(upstream);
        if !misspelt.is_empty() {
            return Err(fields::objection(&misspelt));
        }
        match tls_of(&upstream.value) {
            Tls::Istio(config) => self.with_config(upstream, config, around),
            Tls::IstioFiles(_) => {
                let what = "uses Istio's certificate files, and auto-mTLS uses SDS; its sslConfig stays";
                let first = gloo_rs("istio enable-mtls").with("-u", name(upstream)).after("first: ");
                Err(Objection::new(Reason::PathDiffers, what).hint(first.text(" replaces the files by SDS")))
            }
            Tls::Other(_) => {
                let what = "has TLS settings not managed by Istio, which auto-mTLS does not touch; nothing changed";
                Err(Objection::new(Reason::ForeignTls, what))
            }
            Tls::Absent if spec[OPT_OUT] == true => {
                Ok(Decision::Unchanged { message: "already opted out of auto-mTLS".into() })
            }
            Tls::Absent => without_config(upstream, around),
        }
    }

    /// Decides about an Upstream with Istio's `sslConfig`.
    fn with_config(&self, upstream: &Object, config: &Value, around: &UpstreamContext) -> Result<Decision, Objection> {
        if upstream.value["spec"][OPT_OUT] == true {
            let what = "opts out of auto-mTLS: without its sslConfig it would get plaintext";
            let hint = gloo_rs("istio auto-mtls enable").with("-u", name(upstream)).after("first: ");
            return Err(Objection::new(Reason::OptedOut, what).hint(hint));
        }
        self.is_on(upstream, around)?;
        if self.caution == Caution::Careful {
            is_same(upstream, config, around)?;
        }
        let message = match (self.caution, number_of_pods(around)) {
            (Caution::Careful, Some(pods)) => {
                format!("sslConfig removed: auto-mTLS sends the same to {pods} (samePath)")
            }
            _ => "sslConfig removed (--force)".to_owned(),
        };
        Ok(Decision::Change { edits: vec![Edit::remove(ssl_config())], message })
    }

    /// Checks that auto-mTLS is on in every installation of Gloo that reads the Upstream.
    fn is_on(&self, upstream: &Object, around: &UpstreamContext) -> Result<(), Objection> {
        let enable = |namespace: &str| gloo_rs("istio auto-mtls enable").of_installation(namespace).after("first: ");
        match &around.settings {
            Err(why) => return Err(unknown("whether auto-mTLS is on is unknown", why)),
            Ok(switched) if switched.auto_mtls() != AutoMtls::On => {
                let what = "auto-mTLS is off in Settings: without its sslConfig it would get plaintext";
                return Err(Objection::new(Reason::AutoMtlsOff, what).hint(enable(&self.gloo)));
            }
            Ok(_) => {}
        }
        let others = match &self.others {
            Err(_) if self.caution == Caution::Forced => return Ok(()),
            Err(why) => return Err(unknown("whether another Gloo reads it is unknown", why)),
            Ok(others) => others,
        };
        match others.iter().find(|other| other.reads(upstream) && !other.has_auto_mtls()) {
            None => Ok(()),
            Some(other) => {
                let namespace = other.namespace();
                let what = format!(
                    "Gloo in {namespace} reads it too and has auto-mTLS off: without its sslConfig that one would send plaintext"
                );
                Err(Objection::new(Reason::AutoMtlsOff, what).hint(enable(namespace)))
            }
        }
    }
}

/// Checks that the gateways send the same with auto-mTLS as with the `sslConfig`, to every pod.
fn is_same(upstream: &Object, config: &Value, around: &UpstreamContext) -> Result<(), Objection> {
    let force = || flag("--force").text(" removes it anyway");
    if let FarEnd::System(service) = &around.far_end {
        let what = format!("service {service} is not an application");
        return Err(Objection::new(Reason::SystemService, what).hint(force()));
    }
    if !upstream.value["spec"]["kube"].is_object() {
        let what = "not a Kubernetes Service, and auto-mTLS finds pods of the mesh only behind one";
        return Err(Objection::new(Reason::NotKubernetes, what).hint(force()));
    }
    let differing = differing(config);
    if !differing.is_empty() {
        let what = format!("its sslConfig has settings that auto-mTLS does not have: {}", differing.join(", "));
        return Err(Objection::new(Reason::PathDiffers, what).hint(force()));
    }
    let unread = || Objection::new(Reason::Unknown, "the pods behind it are unknown").hint(force());
    let before = around.path().ok_or_else(unread)?.sending(of_upstream(upstream, &around.settings).0);
    if let Some(why) = guard::against_tls(&before) {
        let what = format!("with its sslConfig: {}", why.message);
        return Err(Objection { message: what, ..why }.hint(force()));
    }
    let after = before.sending(Sends::PerPod);
    match ends(&before).iter().zip(ends(&after)).find(|((_, was), (_, is))| was != is) {
        None => Ok(()),
        Some(((pod, _), _)) => {
            let what = format!("auto-mTLS does not send the same to {}", pod.shown());
            Err(Objection::new(Reason::PathDiffers, what).hint(force()))
        }
    }
}

/// Returns the parts of Istio's `sslConfig` that auto-mTLS does not have. It sends the ALPN `istio`, and verifies the peer
/// by the mesh's root only.
fn differing(config: &Value) -> Vec<&str> {
    let mut differing = additions(config);
    differing.extend((config["alpnProtocols"] != json!(["istio"])).then_some("alpnProtocols"));
    differing.extend(config["sds"]["validationContextName"].is_null().then_some("no validationContextName"));
    differing
}

/// Decides about an Upstream without an `sslConfig`. It opts out if requests that plaintext serves would fail with
/// auto-mTLS.
fn without_config(upstream: &Object, around: &UpstreamContext) -> Result<Decision, Objection> {
    let unharmed =
        || Decision::Unchanged { message: "no sslConfig to remove, and auto-mTLS does not harm it".to_owned() };
    if let Some(why) = harm(&upstream.value) {
        return Ok(opted_out(&format!("it may get plaintext: {why}")));
    }
    let Some(facts) = around.path().filter(|_| upstream.value["spec"]["kube"].is_object()) else {
        return match around.far_end {
            FarEnd::Unseen => Err(Objection::new(Reason::Unknown, "the pods behind it are unknown")),
            _ => Ok(unharmed()),
        };
    };
    let (off, on) = with_and_without(upstream, facts);
    let is_broken = |state: &PairState| matches!(state, PairState::Broken { .. });
    let states = || ends(&off).into_iter().zip(ends(&on)).map(|((_, was), (_, is))| (is_broken(&was), is_broken(&is)));
    let denied = guard::against_denial(&off, &on);
    let objection = guard::against(&off, &on);
    if states().any(|it| it == (true, false)) && (denied.is_some() || states().any(|it| it == (false, true))) {
        let what = "some of its pods accept only mutual TLS, and auto-mTLS breaks requests to others";
        return Err(Objection::new(Reason::WouldBreak, what));
    }
    match (states().any(|it| it == (false, true)), objection, denied) {
        (true, Some(why), _) | (false, _, Some(why)) => Ok(opted_out(&why.message)),
        (false, Some(why), None) if why.reason == Reason::Unknown => {
            Err(Objection::new(Reason::Unknown, format!("whether auto-mTLS harms it is unknown: {}", why.message)))
        }
        _ => Ok(unharmed()),
    }
}

/// Returns the facts without auto-mTLS, and with it.
fn with_and_without(upstream: &Object, facts: &Facts) -> (Facts, Facts) {
    let sending = |is_on| {
        let switches = Switches { integration: is_on, auto_mtls: is_on };
        facts.sending(of_upstream(upstream, &Ok(Switched { switches, source: String::new() })).0)
    };
    (sending(false), sending(true))
}

fn opted_out(why: &str) -> Decision {
    let edits = vec![Edit::set(opt_out(), json!(true))];
    Decision::Change { edits, message: format!("opted out of auto-mTLS: {why} (autoMtlsHarms)") }
}

fn unknown(what: &str, why: &Unread) -> Objection {
    let objection = Objection::new(Reason::Unknown, format!("{what}: {why}; its sslConfig stays"));
    match why.rule.as_deref() {
        Some(rule) => objection.hint(Hint::allowing(rule.clone())),
        None => objection,
    }
}

/// Returns `the one pod` or `all 3 pods`.
fn number_of_pods(around: &UpstreamContext) -> Option<String> {
    let pods = around.path()?.pods()?.iter().filter(|pod| pod.ready != Ok(false)).count();
    Some(if pods == 1 { "the one pod".to_owned() } else { format!("all {pods} pods") })
}

fn name(upstream: &Object) -> String {
    format!("{}/{}", upstream.reference.namespace, upstream.reference.name)
}
