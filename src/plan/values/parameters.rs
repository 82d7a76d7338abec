//! `GatewayParameters` and Settings as a home of Istio's settings, where no release has them.
//!
//! The chart copies `kubeGateway.gatewayParameters.glooGateway.istio` to `spec.kube.istio`, and `global.istioIntegration`
//! to Settings (templates `43-gatewayparameters.yaml` and `18-settings.yaml`). So the objects are read as these values,
//! changed by the same rules, and the edits are translated back.

use serde_json::{Map, Value, json};

use super::chart::{Chart, Edition};
use super::proxies::KUBE_GATEWAY;
use super::{Switch, ValueChange, ValuesPlan, ValuesWish, is_on, merge, needs_istiod, remove};
use crate::edit::Edit;
use crate::error::Failure;
use crate::model::{FieldPath, Object, Segment};
use crate::plan::advice::Advice;
use crate::plan::change::Change;
use crate::plan::istiod::Istiod;
use crate::plan::sidecars::Flags;

const ISTIO: [&str; 3] = ["spec", "kube", "istio"];
const OPTIONS: [&str; 3] = ["spec", "gloo", "istioOptions"];
const ISTIO_VALUES: [&str; 4] = [KUBE_GATEWAY, "gatewayParameters", "glooGateway", "istio"];
const OPTIONS_VALUES: [&str; 2] = ["global", "istioIntegration"];
/// The names of the switch in the values and in Settings.
const ENABLED: [&str; 2] = ["enabled", "enableIntegration"];
const AUTO_MTLS: &str = "enableAutoMtls";
/// A neighbour of the settings, so that the maps around them are never empty and stay.
const OTHER: &str = "other";

/// The objects with the settings of all Gateways of a class.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParametersHome<'o> {
    /// The `GatewayParameters` of the class.
    pub parameters: &'o Object,
    pub settings: &'o Object,
}

/// The changes of the two objects.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ParametersPlan {
    /// In the order of the writes: the address is there before the sidecars are, and until they are gone.
    pub changes: Vec<Change>,
    /// The same by field.
    pub fields: Vec<ValueChange>,
    pub advice: Vec<Advice>,
    /// The chosen istiod in one line.
    pub istiod: Option<String>,
    /// Whether auto-mTLS begins to work.
    pub turns_on_auto_mtls: bool,
}

impl ParametersHome<'_> {
    /// Returns whether the istiods of the cluster must be read.
    ///
    /// # Errors
    /// Never: all names are known.
    pub(crate) fn needs_istiod(&self, flags: &Flags) -> Result<bool, Failure> {
        needs_istiod(&self.values(self.options()), &chart(), &wish(Switch::Kept), flags)
    }

    /// Plans the objects with Istio's sidecars.
    ///
    /// # Errors
    /// A field has another type, or no istiod can be chosen.
    pub(crate) fn merge(&self, auto_mtls: Switch, flags: &Flags, all: &[Istiod]) -> Result<ParametersPlan, Failure> {
        let plan = merge(&self.values(self.options()), &chart(), &wish(auto_mtls), flags, all)?;
        let [parameters, settings] = self.planned(&plan);
        Ok(self.with_fields(plan, vec![parameters, settings]))
    }

    /// Plans the objects without Istio's sidecars. Auto-mTLS stays as it is.
    ///
    /// # Errors
    /// A field has another type.
    pub(crate) fn remove(&self) -> Result<ParametersPlan, Failure> {
        let mut options = self.options();
        if options.shift_remove(AUTO_MTLS).is_some() {
            options.insert(OTHER.to_owned(), true.into());
        }
        let plan = remove(&self.values(options), &chart(), &wish(Switch::Kept), None)?;
        let [parameters, settings] = self.planned(&plan);
        Ok(self.with_fields(plan, vec![settings, parameters]))
    }

    /// Returns whether Gloo's controller gives the proxies their sidecars.
    pub(crate) fn has_sidecars(&self) -> bool {
        is_on(self.options().get(ENABLED[1]))
    }

    /// Returns whether auto-mTLS is on together with the integration, without which it has no effect.
    pub(crate) fn has_working_auto_mtls(&self) -> bool {
        [ENABLED[1], AUTO_MTLS].iter().all(|switch| is_on(self.options().get(*switch)))
    }

    fn options(&self) -> Map<String, Value> {
        FieldPath::keys(&OPTIONS).get(&self.settings.value).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// The objects as values of the chart, with these options of Settings.
    fn values(&self, mut options: Map<String, Value>) -> Value {
        if let Some(on) = options.shift_remove(ENABLED[1]) {
            options.insert(ENABLED[0].to_owned(), on);
        }
        let istio = FieldPath::keys(&ISTIO).get(&self.parameters.value).cloned();
        let mut of_gateways = json!({ OTHER: true });
        if let (Some(istio), Some(map)) = (istio.filter(|istio| !istio.is_null()), of_gateways.as_object_mut()) {
            map.insert("istio".to_owned(), istio);
        }
        let mut global = json!({ OTHER: true });
        if let (false, Some(map)) = (options.is_empty(), global.as_object_mut()) {
            map.insert("istioIntegration".to_owned(), options.into());
        }
        json!({
            "global": global, "gatewayProxies": {"gatewayProxy": null},
            KUBE_GATEWAY: {"enabled": true, "gatewayParameters": {"glooGateway": of_gateways}},
        })
    }

    fn planned(&self, plan: &ValuesPlan) -> [Change; 2] {
        let of = |object: &Object, from: &[&str], to: &[&str]| {
            let edits = plan
                .edits
                .iter()
                .filter_map(|edit| Some(Edit { path: translated(&edit.path, from, to)?, op: edit.op.clone() }));
            let edits: Vec<_> = edits.collect();
            let message = if edits.is_empty() { "unchanged" } else { "patched" };
            Change::new(object.clone(), edits, message)
        };
        [of(self.parameters, &ISTIO_VALUES, &ISTIO), of(self.settings, &OPTIONS_VALUES, &OPTIONS)]
    }

    fn with_fields(&self, plan: ValuesPlan, changes: Vec<Change>) -> ParametersPlan {
        let field = |change: &ValueChange| {
            let of_parameters = translated(&change.path, &ISTIO_VALUES, &ISTIO);
            let path = of_parameters.or_else(|| translated(&change.path, &OPTIONS_VALUES, &OPTIONS));
            Some(ValueChange { path: path?, ..change.clone() })
        };
        let fields: Vec<_> = plan.changes.iter().filter_map(field).collect();
        let after = changes.iter().find(|change| change.before.reference == self.settings.reference);
        let after = after.and_then(|change| change.after().ok());
        let works_after = |settings| ParametersHome { parameters: self.parameters, settings }.has_working_auto_mtls();
        let turns_on_auto_mtls = !self.has_working_auto_mtls() && after.as_ref().is_some_and(works_after);
        ParametersPlan { changes, fields, advice: plan.advice, istiod: plan.istiod, turns_on_auto_mtls }
    }
}

fn wish(auto_mtls: Switch) -> ValuesWish {
    ValuesWish { auto_mtls, proxies: vec![KUBE_GATEWAY.to_owned()], ..ValuesWish::default() }
}

/// The chart whose values the objects are read as. Its defaults are those of the controller, which are not known.
fn chart() -> Chart {
    Chart { edition: Edition::OpenSource, below: None, version: None, defaults: Value::Null }
}

/// Returns the path of a value in the object. `None` if it is in the other object.
fn translated(path: &FieldPath, from: &[&str], to: &[&str]) -> Option<FieldPath> {
    let rest = path.segments().strip_prefix(FieldPath::keys(from).segments())?;
    let named = rest.iter().map(|segment| match segment {
        Segment::Key(key) if key == ENABLED[0] && from == OPTIONS_VALUES => Segment::Key(ENABLED[1].to_owned()),
        other => other.clone(),
    });
    Some(named.fold(FieldPath::keys(to), |path, segment| path.then(segment)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::json::apply;
    use crate::model::kinds;

    fn parameters(istio: &Value) -> Object {
        let mut value =
            json!({"metadata": {"name": "gloo-gateway", "namespace": "gloo-system"}, "spec": {"kube": {"x": 1}}});
        if let (false, Some(kube)) = (istio.is_null(), value["spec"]["kube"].as_object_mut()) {
            kube.insert("istio".to_owned(), istio.clone());
        }
        Object::new(&kinds::GATEWAY_PARAMETERS, value)
    }

    fn settings(options: &Value) -> Object {
        let mut value =
            json!({"metadata": {"name": "default", "namespace": "gloo-system"}, "spec": {"gloo": {"y": 1}}});
        if let (false, Some(gloo)) = (options.is_null(), value["spec"]["gloo"].as_object_mut()) {
            gloo.insert("istioOptions".to_owned(), options.clone());
        }
        Object::new(&kinds::SETTINGS, value)
    }

    const ADDRESS: &str = "istiod-1-28.istio-system.svc:15012";

    fn flags() -> Flags {
        Flags {
            discovery_address: Some(ADDRESS.to_owned()),
            mesh_id: Some("mymesh".to_owned()),
            proxy_image: Some("mirror.example/istio/proxyv2:1.28.3".to_owned()),
            ..Flags::default()
        }
    }

    /// The `istio` of the parameters and the options of Settings after a plan.
    fn after(plan: &ParametersPlan) -> [Value; 2] {
        let of = |name: &str, path: [&str; 3]| {
            let change = plan.changes.iter().find(|change| change.before.reference.name == name).unwrap();
            let after = apply(&change.before.value, &change.edits).unwrap();
            FieldPath::keys(&path).get(&after).cloned().unwrap_or_default()
        };
        [of("gloo-gateway", ISTIO), of("default", OPTIONS)]
    }

    #[test]
    fn the_objects_get_what_the_chart_renders_from_the_values_of_the_same_flags() {
        let (parameters, settings) = (parameters(&Value::Null), settings(&Value::Null));
        let home = ParametersHome { parameters: &parameters, settings: &settings };
        let plan = home.merge(Switch::Kept, &flags(), &[]).unwrap();
        let container = json!({
            "image": {"registry": "mirror.example/istio", "tag": "1.28.3"},
            "istioDiscoveryAddress": ADDRESS, "istioMetaMeshId": "mymesh",
        });
        assert_eq!(after(&plan), [json!({"istioProxyContainer": container}), json!({"enableIntegration": true})]);
        let order: Vec<_> = plan.changes.iter().map(|change| change.before.reference.name.as_str()).collect();
        assert_eq!(order, ["gloo-gateway", "default"], "the address comes before the sidecars");
        let fields: Vec<_> = plan.fields.iter().map(|field| field.path.to_string()).collect();
        assert!(fields.contains(&"spec.kube.istio.istioProxyContainer.istioDiscoveryAddress".to_owned()), "{fields:?}");
        assert!(fields.contains(&"spec.gloo.istioOptions.enableIntegration".to_owned()), "{fields:?}");
        assert!(!plan.turns_on_auto_mtls);
    }

    #[test]
    fn what_is_removed_is_what_was_added_and_the_rest_stays() {
        for (istio, options) in [
            (Value::Null, Value::Null),
            (json!({"istioProxyContainer": {"logLevel": "debug"}}), json!({"appendXForwardedHost": false})),
            (Value::Null, json!({"enableAutoMtls": true})),
        ] {
            let (before, of_settings) = (parameters(&istio), settings(&options));
            let home = ParametersHome { parameters: &before, settings: &of_settings };
            let added = after(&home.merge(Switch::Kept, &flags(), &[]).unwrap());
            let (with, on) = (parameters(&added[0]), settings(&added[1]));
            let home = ParametersHome { parameters: &with, settings: &on };
            let plan = home.remove().unwrap();
            let is_empty = |value: &Value| value.as_object().is_none_or(Map::is_empty);
            let [istio_after, options_after] = after(&plan);
            assert!(istio_after == istio || (is_empty(&istio_after) && is_empty(&istio)), "{istio_after}");
            assert!(options_after == options || (is_empty(&options_after) && is_empty(&options)), "{options_after}");
            let order: Vec<_> = plan.changes.iter().map(|change| change.before.reference.name.as_str()).collect();
            assert_eq!(order, ["default", "gloo-gateway"], "the sidecars go before their address");
        }
    }

    #[test]
    fn objects_that_have_the_settings_are_unchanged_and_auto_mtls_is_seen_to_begin() {
        let istio = json!({"istioProxyContainer": {"istioDiscoveryAddress": ADDRESS, "image": {"tag": "1.28.3"}}});
        let (parameters, on) = (parameters(&istio), settings(&json!({"enableIntegration": true})));
        let home = ParametersHome { parameters: &parameters, settings: &on };
        assert!(!home.needs_istiod(&Flags::default()).unwrap());
        let plan = home.merge(Switch::Kept, &Flags::default(), &[]).unwrap();
        assert!(plan.changes.iter().all(Change::is_already) && !plan.turns_on_auto_mtls, "{plan:?}");
        let typed = home.merge(Switch::On, &Flags::default(), &[]).unwrap();
        assert!(typed.turns_on_auto_mtls && !typed.changes[1].is_already());
        let waiting = settings(&json!({"enableAutoMtls": true}));
        let home = ParametersHome { settings: &waiting, ..home };
        assert!(home.merge(Switch::Kept, &Flags::default(), &[]).unwrap().turns_on_auto_mtls);
    }
}
