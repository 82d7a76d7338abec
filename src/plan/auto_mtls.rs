//! Auto-mTLS: the two switches in Settings, and the opt-out in an Upstream.
//!
//! Gloo uses it where `enableAutoMtls` and `enableIntegration` are both true, and the Upstream has no `sslConfig` and
//! does not set `disableIstioAutoMtls` (Gloo 1.17 and later, its `istio_automtls` plugin).

use serde_json::{Map, Value, json};

use super::advice::{Advice, Code, some_of};
use super::fields;
use super::fix::{self, GatewayFix};
use super::gateway::AutoMtls;
use super::mark;
use super::mtls::UpstreamContext;
use super::outcome::{Decision, Objection};
use super::peer::Sent;
use super::policy::{Caution, Picked};
use super::settings::{OPTIONS, SWITCHES};
use super::ssl_config::{OPT_OUT, tls_of_type};
use super::{PerObject, Wants, Words};
use crate::command::{CommandLine, flag, gloo_rs};
use crate::edit::{Edit, json as edited};
use crate::error::Reason;
use crate::model::{FieldPath, Kind, Object, kinds};

/// The requested state of auto-mTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AutoMtlsWish {
    Enable,
    Disable,
}

/// How the switches are written when auto-mTLS is turned off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Off {
    /// Both are set to false explicitly.
    Said,
    /// Both are as they were before this program turned auto-mTLS on, as far as the object shows this. Switches that
    /// did not exist before are removed.
    AsBefore,
}

/// Returns Settings with both switches set as requested.
pub(crate) fn with_switches(settings: &Value, wish: AutoMtlsWish) -> Value {
    let wanted = json!(wish == AutoMtlsWish::Enable);
    let edit = |switch| Edit::set(FieldPath::keys(&[&OPTIONS[..], &[switch]].concat()), wanted.clone());
    edited::apply(settings, &SWITCHES.map(edit)).unwrap_or_else(|_| settings.clone())
}

/// Whether the gateways have what auto-mTLS requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GatewaysReadiness {
    /// Not checked, because the object is from a manifest.
    Unseen,
    Unknown {
        why: String,
    },
    /// How the gateway proxies that do not have all sidecars get them, each with its name.
    Seen {
        lacking: Vec<(String, GatewayFix)>,
    },
}

impl GatewaysReadiness {
    fn against(&self) -> Option<Objection> {
        let objection = match self {
            Self::Unseen => return None,
            Self::Seen { lacking } if lacking.is_empty() => return None,
            Self::Unknown { why } => {
                Objection::new(Reason::Unknown, format!("whether the gateways have Istio's sidecars is unknown: {why}"))
                    .hint(flag("--force").text(" turns it on anyway"))
            }
            Self::Seen { lacking } => {
                let mut objection = Objection::new(
                    Reason::GatewayNotReady,
                    "needs Istio's sidecars in every gateway proxy: Upstreams in the mesh would get 503s; nothing changed",
                );
                objection.details = lacking.iter().map(|(name, _)| format!("without: {name}")).collect();
                objection.hint = fix::gateways(lacking.iter().map(|(_, fix)| fix));
                objection
            }
        };
        Some(objection)
    }
}

/// Changes both switches together.
pub(crate) fn on_settings(
    settings: &Object,
    wish: AutoMtlsWish,
    gateways: &GatewaysReadiness,
    caution: Caution,
) -> Decision {
    if !settings.value["spec"].is_object() {
        return Decision::Refuse(Objection::new(Reason::NoSpec, "has no spec; nothing changed"));
    }
    let misspelt = fields::misspelt(settings);
    if !misspelt.is_empty() {
        return Decision::Refuse(fields::objection(&misspelt));
    }
    let options = &settings.value["spec"]["gloo"]["istioOptions"];
    let wanted = wish == AutoMtlsWish::Enable;
    let edits: Vec<_> = SWITCHES
        .into_iter()
        .filter(|switch| (options[*switch] == true) != wanted)
        .map(|switch| Edit::set(FieldPath::keys(&[&OPTIONS[..], &[switch]].concat()), json!(wanted)))
        .collect();
    let state = if wanted { "enabled" } else { "disabled" };
    if edits.is_empty() {
        return Decision::Unchanged { message: format!("auto-mTLS already {state}") };
    }
    let refused = (wanted && caution == Caution::Careful).then(|| gateways.against()).flatten();
    refused.map_or_else(|| Decision::Change { edits, message: format!("auto-mTLS {state}") }, Decision::Refuse)
}

/// Turns auto-mTLS off as in [`Off::AsBefore`].
fn taken_back(settings: &Object) -> Decision {
    let edits = without_switches(&settings.value);
    if edits.is_empty() {
        return on_settings(settings, AutoMtlsWish::Disable, &GatewaysReadiness::Unseen, Caution::Forced);
    }
    Decision::Change { edits, message: "auto-mTLS disabled".to_owned() }
}

/// Returns the edits that remove switches which did not exist before this program set them. Empty where this is not
/// known, because an overwritten `false` leaves no trace.
fn without_switches(settings: &Value) -> Vec<Edit> {
    let switches = SWITCHES.map(|switch| [&OPTIONS[..], &[switch]].concat());
    let is_ours = |switch: &Vec<&str>| {
        FieldPath::keys(switch).get(settings) == Some(&Value::Bool(true)) && mark::is_new(settings, switch)
    };
    if !switches.iter().all(is_ours) {
        return Vec::new();
    }
    let edits: Vec<_> = switches.iter().map(|switch| Edit::remove(FieldPath::keys(switch))).collect();
    // An object that was created only for the switches is removed too, unless it has other content now.
    let mut outermost = None;
    let mut left = edited::apply(settings, &edits);
    for holder in [&OPTIONS[..], &OPTIONS[..2]] {
        let path = FieldPath::keys(holder);
        let is_empty = |left: &Value| path.get(left).and_then(Value::as_object).is_some_and(Map::is_empty);
        if !left.as_ref().is_ok_and(is_empty) || !mark::is_new(settings, holder) {
            break;
        }
        left = left.and_then(|left| edited::apply(&left, &[Edit::remove(path.clone())]));
        outermost = Some(Edit::remove(path));
    }
    outermost.map_or(edits, |edit| vec![edit])
}

/// The change of the switches in the Settings object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnSettings {
    pub wish: AutoMtlsWish,
    pub off: Off,
    pub caution: Caution,
    pub gateways: GatewaysReadiness,
}

impl PerObject for OnSettings {
    fn kind(&self) -> &'static Kind {
        &kinds::SETTINGS
    }

    fn words(&self) -> Words {
        match self.wish {
            AutoMtlsWish::Enable => Words { command: "istio auto-mtls enable", done: "enabled", flags: &[] },
            AutoMtlsWish::Disable => Words { command: "istio auto-mtls disable", done: "disabled", flags: &[] },
        }
    }

    fn risks(&self) -> Vec<&'static str> {
        vec!["the switches in Settings, which apply to every Upstream"]
    }

    fn wants(&self) -> Wants {
        Wants { peer: None, gateway: super::GatewayNeed::Never }
    }

    fn decide(&self, object: &Object, _: Picked, _: &UpstreamContext) -> Decision {
        match (self.wish, self.off) {
            (AutoMtlsWish::Disable, Off::AsBefore) => taken_back(object),
            _ => on_settings(object, self.wish, &self.gateways, self.caution),
        }
    }

    fn by_hand(&self) -> Vec<String> {
        let wanted = self.wish == AutoMtlsWish::Enable;
        SWITCHES.iter().map(|switch| format!("set spec.gloo.istioOptions.{switch} to {wanted}")).collect()
    }

    fn advise(&self, _: &Object, _: &UpstreamContext) -> Vec<Advice> {
        Vec::new()
    }
}

/// The opt-out of single Upstreams: `auto-mtls disable -u X` sets it, `enable` removes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OptOut {
    pub wish: AutoMtlsWish,
    pub caution: Caution,
}

impl PerObject for OptOut {
    fn kind(&self) -> &'static Kind {
        &kinds::UPSTREAM
    }

    fn words(&self) -> Words {
        match self.wish {
            AutoMtlsWish::Enable => Words { command: "istio auto-mtls enable", done: "allowed", flags: &[] },
            AutoMtlsWish::Disable => Words { command: "istio auto-mtls disable", done: "opted out", flags: &[] },
        }
    }

    fn risks(&self) -> Vec<&'static str> {
        (self.caution == Caution::Forced)
            .then_some("Upstreams that may answer 503 afterwards (--force)")
            .into_iter()
            .collect()
    }

    fn wants(&self) -> Wants {
        match self.wish {
            AutoMtlsWish::Enable => Wants { peer: Some(Sent::MutualTls), gateway: super::GatewayNeed::WithAutoMtls },
            AutoMtlsWish::Disable => Wants { peer: Some(Sent::Plaintext), gateway: super::GatewayNeed::Never },
        }
    }

    fn decide(&self, object: &Object, found: Picked, around: &UpstreamContext) -> Decision {
        let spec = &object.value["spec"];
        let misspelt = fields::misspelt(object);
        let objection = if spec.is_object() {
            (!misspelt.is_empty()).then(|| fields::objection(&misspelt))
        } else {
            Some(Objection::new(Reason::NoSpec, "has no spec; nothing changed"))
        };
        if let Some(objection) = objection {
            return if found == Picked::Named { Decision::Refuse(objection) } else { Decision::Skip(objection) };
        }
        let is_out = spec[OPT_OUT] == true;
        let change = match (self.wish, is_out) {
            (AutoMtlsWish::Enable, false) => {
                return Decision::Unchanged { message: "auto-mTLS already allowed".into() };
            }
            (AutoMtlsWish::Disable, true) => {
                return Decision::Unchanged { message: "auto-mTLS already opted out".into() };
            }
            (AutoMtlsWish::Enable, true) => {
                Decision::Change { edits: self.edits(), message: "auto-mTLS allowed".into() }
            }
            (AutoMtlsWish::Disable, false) => {
                Decision::Change { edits: self.edits(), message: "auto-mTLS opted out".into() }
            }
        };
        let held_back = found == Picked::Selected && self.caution == Caution::Careful;
        match around.against(object, &self.edits()).filter(|_| held_back) {
            Some(objection) => Decision::Skip(objection),
            None => change,
        }
    }

    fn guarded(&self) -> Option<Caution> {
        Some(self.caution)
    }

    fn by_hand(&self) -> Vec<String> {
        vec![match self.wish {
            AutoMtlsWish::Enable => format!("remove spec.{OPT_OUT}"),
            AutoMtlsWish::Disable => format!("set spec.{OPT_OUT} to true"),
        }]
    }

    fn advise(&self, object: &Object, around: &UpstreamContext) -> Vec<Advice> {
        let name = &object.reference.name;
        let mut said = Vec::new();
        if !object.value["spec"]["sslConfig"].is_null() {
            let what = format!("{name} has an sslConfig, which takes precedence over auto-mTLS");
            said.push(Advice::note(Code::NoEffect, what));
        } else if around.auto_mtls() == AutoMtls::Off {
            said.push(Advice::note(Code::NoEffect, "auto-mTLS is off in Settings".to_owned()));
        }
        if let Some(objection) = around.against(object, &self.edits()) {
            let code = Code::for_reason(objection.reason);
            said.push(Advice::warning(code, format!("{name}: {}", objection.message)));
        }
        if self.wish == AutoMtlsWish::Enable
            && let Some(why) =
                tls_of_type(&object.value["spec"]).filter(|_| object.value["spec"]["sslConfig"].is_null())
        {
            said.push(Advice::warning(Code::MayHarm, format!("auto-mTLS may send plaintext to {name}: {why}")));
        }
        said.into_iter().map(|advice| advice.about(&object.reference)).collect()
    }
}

impl OptOut {
    fn edits(self) -> Vec<Edit> {
        let path = FieldPath::keys(&["spec", OPT_OUT]);
        match self.wish {
            AutoMtlsWish::Enable => vec![Edit::remove(path)],
            AutoMtlsWish::Disable => vec![Edit::set(path, json!(true))],
        }
    }
}

/// Returns the reason why auto-mTLS may send plaintext to an Upstream that used TLS before.
pub(crate) fn harm(upstream: &Value) -> Option<&'static str> {
    let spec = &upstream["spec"];
    let is_left_alone = !spec["sslConfig"].is_null() || spec[OPT_OUT] == true;
    if is_left_alone { None } else { tls_of_type(spec) }
}

/// Returns the warning for Upstreams that auto-mTLS may break: each `namespace/name` and the reason.
pub(crate) fn on_harm(upstreams: &[(String, &'static str)]) -> Option<Advice> {
    if upstreams.is_empty() {
        return None;
    }
    let names: Vec<_> = upstreams.iter().map(|(name, _)| name.as_str()).collect();
    Some(
        Advice::warning(Code::MayHarm, "auto-mTLS may send plaintext to Upstreams with TLS of their own")
            .details(upstreams.iter().map(|(name, why)| format!("{name}: {why}")))
            .hint(gloo_rs("istio auto-mtls disable").with("-u", names.join(","))),
    )
}

/// An Upstream whose pods do not accept the mutual TLS that auto-mTLS sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disabled {
    /// `gloo-system/shop-cart-8080`
    pub upstream: String,
    /// `shop/default, namespace`
    pub policy: String,
    /// The command that changes it.
    pub fix: CommandLine,
}

/// Returns the warning for peers that accept only plaintext.
pub(crate) fn on_disabled(all: &[Disabled]) -> Option<Advice> {
    let first = all.first()?;
    let names: Vec<_> = all.iter().map(|it| it.upstream.as_str()).collect();
    let what = "auto-mTLS sends mTLS to peers that do not accept it (DISABLE): 503 there";
    let advice = Advice::warning(Code::DisabledPeer, what)
        .details(some_of(all.iter().map(|it| format!("{}: peerauthentication {}", it.upstream, it.policy))))
        .hint(first.fix.clone().then(", or ").command(gloo_rs("istio auto-mtls disable").with("-u", names.join(","))));
    Some(advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::json::apply;
    use crate::plan::path::fixture::{around, meshed, pods, switched};
    use crate::plan::peer::Mode;
    use crate::plan::settings::{Switches, switches};

    fn settings(options: &Value) -> Object {
        Object::new(
            &kinds::SETTINGS,
            json!({"metadata": {"name": "default"}, "spec": {"gloo": {"istioOptions": options}}}),
        )
    }

    fn ready() -> GatewaysReadiness {
        GatewaysReadiness::Seen { lacking: Vec::new() }
    }

    fn applied(object: &Object, decision: &Decision) -> Value {
        let Decision::Change { edits, .. } = decision else { panic!("{decision:?}") };
        apply(&object.value, edits).unwrap()
    }

    #[test]
    fn both_switches_are_one_change_that_can_be_taken_back() {
        let off = settings(&json!({"appendXForwardedHost": true, "enableAutoMtls": false, "enableIntegration": false}));
        let on = applied(&off, &on_settings(&off, AutoMtlsWish::Enable, &ready(), Caution::Careful));
        assert_eq!(switches(&on), Switches { integration: true, auto_mtls: true });
        assert_eq!(on["spec"]["gloo"]["istioOptions"]["appendXForwardedHost"], true);
        let on = Object::new(&kinds::SETTINGS, on);
        assert!(matches!(
            on_settings(&on, AutoMtlsWish::Enable, &ready(), Caution::Careful),
            Decision::Unchanged { .. }
        ));
        assert_eq!(applied(&on, &on_settings(&on, AutoMtlsWish::Disable, &ready(), Caution::Careful)), off.value);
    }

    #[test]
    fn absent_is_off_and_half_on_is_completed() {
        for options in [Value::Null, json!({}), json!({"enableAutoMtls": false})] {
            let it = settings(&options);
            assert!(matches!(
                on_settings(&it, AutoMtlsWish::Disable, &ready(), Caution::Careful),
                Decision::Unchanged { .. }
            ));
        }
        let half = settings(&json!({"enableAutoMtls": true}));
        let Decision::Change { edits, .. } = on_settings(&half, AutoMtlsWish::Enable, &ready(), Caution::Careful)
        else {
            panic!()
        };
        assert_eq!(
            edits.iter().map(|edit| edit.path.to_string()).collect::<Vec<_>>(),
            ["spec.gloo.istioOptions.enableIntegration"]
        );
    }

    #[test]
    fn what_was_not_there_before_goes_again_where_that_is_known() {
        let back = |spec: &Value, fields: &Value, copy: Option<&Value>| {
            let mut metadata =
                json!({"name": "default", "managedFields": [{"manager": "gloo-rs", "fieldsV1": {"f:spec": fields}}]});
            if let Some(copy) = copy {
                metadata["annotations"][mark::LAST_APPLIED] = json!(copy.to_string());
            }
            let settings = Object::new(&kinds::SETTINGS, json!({"metadata": metadata, "spec": spec}));
            applied(&settings, &taken_back(&settings))["spec"].clone()
        };
        let leaves = || json!({"f:enableAutoMtls": {}, "f:enableIntegration": {}});
        let made = || json!({".": {}, "f:enableAutoMtls": {}, "f:enableIntegration": {}});
        let on = || json!({"enableAutoMtls": true, "enableIntegration": true});
        let (others, one_more) = (json!({"gloo": {"a": 1, "istioOptions": on()}}), {
            let mut options = on();
            options["appendXForwardedHost"] = json!(true);
            json!({"gloo": {"istioOptions": options}})
        });
        // This program also owns the map that contains the switches.
        let (by_map, by_leaf) =
            (json!({"f:gloo": {"f:istioOptions": made()}}), json!({"f:gloo": {"f:istioOptions": leaves()}}));
        assert_eq!(back(&others, &by_map, None), json!({"gloo": {"a": 1}}));
        assert_eq!(back(&one_more, &by_map, None), json!({"gloo": {"istioOptions": {"appendXForwardedHost": true}}}));
        let by_both = json!({"f:gloo": {".": {}, "f:istioOptions": made()}});
        assert_eq!(back(&json!({"gloo": {"istioOptions": on()}}), &by_both, None), json!({}));
        // The configuration that kubectl applied does not contain the switches.
        let copy = json!({"spec": {"gloo": {"istioOptions": {"appendXForwardedHost": true}}}});
        assert_eq!(back(&one_more, &by_leaf, Some(&copy)), copy["spec"]);
        // The applied configuration contains them, or there is none: the switches are set to false explicitly.
        let said = json!({"spec": {"gloo": {"istioOptions": {"enableAutoMtls": false}}}});
        for copy in [None, Some(&said)] {
            let left = back(&one_more, &by_leaf, copy);
            assert_eq!(left["gloo"]["istioOptions"]["enableAutoMtls"], json!(false), "{left}");
            assert_eq!(left["gloo"]["istioOptions"]["enableIntegration"], json!(false), "{left}");
        }
        // Switches that another client set are not removed.
        let left = back(&others, &json!({"f:gloo": {}}), None);
        assert_eq!(left["gloo"]["istioOptions"], json!({"enableAutoMtls": false, "enableIntegration": false}));
    }

    #[test]
    fn it_is_not_turned_on_while_a_gateway_lacks_the_sidecars() {
        let off = settings(&json!({}));
        let lacking = GatewaysReadiness::Seen {
            lacking: ["gateway-proxy", "internal"]
                .map(|name| (name.to_owned(), GatewayFix::named(&format!("edge/{name}"))))
                .into(),
        };
        let hint = lacking.against().unwrap().hint.unwrap();
        assert_eq!(hint, "gloo-rs istio inject -n edge --name gateway-proxy --name internal");
        let unknown = GatewaysReadiness::Unknown { why: "not allowed to list".into() };
        for (gateways, reason) in [(&lacking, Reason::GatewayNotReady), (&unknown, Reason::Unknown)] {
            let Decision::Refuse(why) = on_settings(&off, AutoMtlsWish::Enable, gateways, Caution::Careful) else {
                panic!()
            };
            assert_eq!(why.reason, reason);
            assert!(matches!(
                on_settings(&off, AutoMtlsWish::Enable, gateways, Caution::Forced),
                Decision::Change { .. }
            ));
        }
        assert!(matches!(
            on_settings(&off, AutoMtlsWish::Enable, &GatewaysReadiness::Unseen, Caution::Careful),
            Decision::Change { .. }
        ));
        let on = settings(&json!({"enableAutoMtls": true, "enableIntegration": true}));
        assert!(matches!(on_settings(&on, AutoMtlsWish::Disable, &lacking, Caution::Careful), Decision::Change { .. }));
    }

    fn upstream(spec: &Value) -> Object {
        Object::new(&kinds::UPSTREAM, json!({"metadata": {"name": "a"}, "spec": spec}))
    }

    fn one_pod(mode: Mode, auto_mtls: bool) -> UpstreamContext {
        UpstreamContext { settings: Ok(switched(auto_mtls)), ..around(pods(vec![meshed(mode)])) }
    }

    #[test]
    fn an_upstream_opts_out_and_in_again() {
        let calm = one_pod(Mode::Permissive, true);
        let plan = |wish| OptOut { wish, caution: Caution::Careful };
        let it = upstream(&json!({"kube": {}}));
        let out = applied(&it, &plan(AutoMtlsWish::Disable).decide(&it, Picked::Named, &calm));
        assert_eq!(out["spec"]["disableIstioAutoMtls"], true);
        let out = Object::new(&kinds::UPSTREAM, out);
        assert!(matches!(
            plan(AutoMtlsWish::Disable).decide(&out, Picked::Selected, &calm),
            Decision::Unchanged { .. }
        ));
        assert_eq!(applied(&out, &plan(AutoMtlsWish::Enable).decide(&out, Picked::Named, &calm)), it.value);
        assert!(matches!(plan(AutoMtlsWish::Enable).decide(&it, Picked::Named, &calm), Decision::Unchanged { .. }));
    }

    #[test]
    fn a_strict_peer_is_warned_of_when_named_and_skipped_in_a_sweep() {
        let strict = |auto| one_pod(Mode::Strict, auto);
        let plan = OptOut { wish: AutoMtlsWish::Disable, caution: Caution::Careful };
        let it = upstream(&json!({"kube": {}}));
        assert!(matches!(plan.decide(&it, Picked::Selected, &strict(true)), Decision::Skip(_)));
        assert!(matches!(plan.decide(&it, Picked::Named, &strict(true)), Decision::Change { .. }));
        assert_eq!(plan.advise(&it, &strict(true))[0].code, Code::StrictPeer);
        assert!(matches!(plan.decide(&it, Picked::Selected, &strict(false)), Decision::Change { .. }));
        let forced = OptOut { caution: Caution::Forced, ..plan };
        assert!(matches!(forced.decide(&it, Picked::Selected, &strict(true)), Decision::Change { .. }));
    }

    #[test]
    fn a_peer_that_takes_no_mutual_tls_is_warned_of_where_auto_mtls_is_allowed_again() {
        let disabled = |auto| one_pod(Mode::Disable, auto);
        let plan = OptOut { wish: AutoMtlsWish::Enable, caution: Caution::Careful };
        let it = upstream(&json!({"kube": {}, "disableIstioAutoMtls": true}));
        let Decision::Skip(why) = plan.decide(&it, Picked::Selected, &disabled(true)) else { panic!() };
        assert_eq!(why.reason, Reason::DisabledPeer);
        assert!(matches!(plan.decide(&it, Picked::Named, &disabled(true)), Decision::Change { .. }));
        assert_eq!(plan.advise(&it, &disabled(true))[0].code, Code::DisabledPeer);
        assert!(matches!(plan.decide(&it, Picked::Selected, &disabled(false)), Decision::Change { .. }));
        let out = OptOut { wish: AutoMtlsWish::Disable, ..plan };
        let covered = upstream(&json!({"kube": {}}));
        assert!(matches!(out.decide(&covered, Picked::Selected, &disabled(true)), Decision::Change { .. }));
    }

    #[test]
    fn peers_that_take_plaintext_alone_are_named_with_their_policy() {
        assert_eq!(on_disabled(&[]), None);
        let fix = gloo_rs("istio peer-auth permissive").with("-n", "shop");
        let it = Disabled { upstream: "gloo-system/cart".into(), policy: "shop/a, namespace".into(), fix };
        let said = on_disabled(&[it]).unwrap();
        assert_eq!(said.details, ["gloo-system/cart: peerauthentication shop/a, namespace"]);
        let hint = "gloo-rs istio peer-auth permissive -n shop, or gloo-rs istio auto-mtls disable -u gloo-system/cart";
        assert_eq!((said.code, said.hint), (Code::DisabledPeer, Some(hint.into())));
    }

    #[test]
    fn what_has_tls_of_its_own_without_an_ssl_config_may_be_harmed() {
        let table = [
            (json!({"aws": {}}), true),
            (json!({"azure": {}}), true),
            (json!({"static": {"useTls": true}}), true),
            (json!({"static": {"hosts": [{"addr": "x", "port": 443}]}}), true),
            (json!({"static": {"hosts": [{"addr": "x", "port": 443}], "useTls": false}}), false),
            (json!({"static": {"hosts": [{"addr": "x", "port": 80}]}}), false),
            (json!({"static": {"useTls": true}, "sslConfig": {}}), false),
            (json!({"aws": {}, "disableIstioAutoMtls": true}), false),
            (json!({"kube": {}}), false),
        ];
        for (spec, harmed) in table {
            assert_eq!(harm(&json!({"spec": spec})).is_some(), harmed, "{spec}");
        }
        let advice = on_harm(&[("a".into(), "aws has TLS of its own"), ("b".into(), "x")]).unwrap();
        assert_eq!(advice.hint, Some("gloo-rs istio auto-mtls disable -u a,b".into()));
        assert_eq!(on_harm(&[]), None);
    }
}
