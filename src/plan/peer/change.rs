//! The change that `istio peer-auth` makes. It changes only the one policy that Istio uses at a level.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::mode::{Effective, Mode, Policies, PolicySource, mode, selector};
pub(crate) use super::scope::{PolicyScope, shown};
use crate::command::flag;
use crate::edit::{Edit, json as json_edit};
use crate::error::Reason;
use crate::model::{FieldPath, Kind, Object, ObjectRef};
use crate::plan::mark::{MANAGED_BY, MANAGER};
use crate::plan::outcome::Objection;
use crate::plan::policy::{Caution, OtherTls};

/// The usual name of the policy of a mesh or a namespace, from Istio's documentation.
const NAME: &str = "default";
/// A text that sorts after any creation time, because a new policy is the youngest at its level.
const YOUNGEST: &str = "~";

/// The requested change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyWish {
    Set(Mode),
    Remove,
}

impl PolicyWish {
    /// Returns the word on the command line: `strict`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Set(Mode::Strict) => "strict",
            Self::Set(Mode::Permissive) => "permissive",
            Self::Set(Mode::Disable) => "disable",
            Self::Remove => "remove",
        }
    }
}

/// The options of the command line that affect the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyRequest {
    pub scope: PolicyScope,
    pub wish: PolicyWish,
    /// Whether `remove` also removes policies that this program did not create.
    pub foreign: OtherTls,
    pub caution: Caution,
}

/// The decision for a policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PolicyVerdict {
    /// The edits to make. The value of an object that does not exist is null. To create or delete an object, its whole
    /// value is set or removed.
    Change {
        before: Object,
        edits: Vec<Edit>,
        message: String,
    },
    Unchanged {
        object: ObjectRef,
        message: String,
    },
    Refuse {
        object: ObjectRef,
        why: Objection,
    },
}

/// Decides from all policies. `kind` is the version of the kind that the API server has.
pub(crate) fn decide(request: &PolicyRequest, policies: &Policies, kind: &'static Kind) -> PolicyVerdict {
    let PolicyRequest { scope, wish, .. } = request;
    let home = scope.home(policies.root_namespace);
    if let PolicyScope::Namespace(namespace) | PolicyScope::Workload { namespace, .. } = scope
        && namespace == policies.root_namespace
    {
        let why = Objection::new(
            Reason::RootNamespace,
            format!("{namespace} is the mesh's root namespace: its policy applies to the whole mesh; nothing changed"),
        );
        let object = ObjectRef::new(kind, namespace.as_str(), NAME);
        return PolicyVerdict::Refuse { object, why: why.hint("use --mesh to change the policy of the whole mesh") };
    }
    let there: Vec<_> = at_level(scope, policies).into_iter().map(|value| Object::new(kind, value.clone())).collect();
    match wish {
        PolicyWish::Remove => remove(request, policies, &there, ObjectRef::new(kind, home, NAME)),
        PolicyWish::Set(mode) => match there.into_iter().next() {
            Some(policy) => set(scope, *mode, policies, policy),
            None => create(scope, *mode, policies, kind),
        },
    }
}

/// Returns the policies of exactly this level, the one that Istio uses first.
pub(crate) fn at_level<'p>(scope: &PolicyScope, policies: &'p Policies) -> Vec<&'p Value> {
    match scope {
        PolicyScope::Mesh => policies.without_selector(policies.root_namespace),
        PolicyScope::Namespace(namespace) => policies.without_selector(namespace),
        PolicyScope::Workload { namespace, labels } => {
            let selecting = policies.with_selector(namespace, &json!(labels));
            selecting.into_iter().filter(|policy| selector(policy) == *labels).collect()
        }
    }
}

/// Returns all policies as they are after the change.
pub(crate) fn after(policies: &Policies, before: &Object, edits: &[Edit]) -> Vec<Value> {
    let ObjectRef { namespace, name, .. } = &before.reference;
    let is_it = |policy: &Value| policy["metadata"]["namespace"] == **namespace && policy["metadata"]["name"] == **name;
    let mut all: Vec<_> = policies.all.iter().filter(|policy| !is_it(policy)).cloned().collect();
    if let Ok(mut changed) = json_edit::apply(&before.value, edits)
        && changed.is_object()
    {
        if before.value.is_null()
            && let Some(metadata) = changed.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.insert("creationTimestamp".to_owned(), YOUNGEST.into());
        }
        all.push(changed);
    }
    all
}

fn set(scope: &PolicyScope, wanted: Mode, policies: &Policies, policy: Object) -> PolicyVerdict {
    let was = mode(&policy.value["spec"]["mtls"]);
    let edits = match was == Some(wanted) {
        true => Vec::new(),
        false => vec![Edit::set(FieldPath::keys(&["spec", "mtls", "mode"]), json!(wanted.name()))],
    };
    if let Some(why) = no_effect(scope, wanted, policies, &policy, &edits) {
        return PolicyVerdict::Refuse { object: policy.reference, why };
    }
    if edits.is_empty() {
        return PolicyVerdict::Unchanged { object: policy.reference, message: format!("already {wanted} for {scope}") };
    }
    let was = was.map_or("UNSET", Mode::name);
    PolicyVerdict::Change { before: policy, edits, message: format!("{wanted} for {scope} (was {was})") }
}

fn create(scope: &PolicyScope, wanted: Mode, policies: &Policies, kind: &'static Kind) -> PolicyVerdict {
    let (made, before) = made(scope, wanted, policies.root_namespace, kind);
    let object = before.reference.clone();
    let has_name = |policy: &&Value| {
        policy["metadata"]["namespace"] == *object.namespace && policy["metadata"]["name"] == *object.name
    };
    if let Some(theirs) = policies.all.iter().find(has_name) {
        let mut why = Objection::new(Reason::Ambiguous, "exists and applies to other pods; nothing changed");
        why.details.push(format!("it selects {}", shown(&selector(theirs))));
        return PolicyVerdict::Refuse { object, why: why.hint("rename or remove that one") };
    }
    let edits = vec![Edit::set(FieldPath::root(), made)];
    if let Some(why) = no_effect(scope, wanted, policies, &before, &edits) {
        return PolicyVerdict::Refuse { object, why };
    }
    PolicyVerdict::Change { before, edits, message: format!("created, {wanted} for {scope}") }
}

/// Returns a new policy, and a not yet existing object with its namespace and name.
pub(crate) fn made(scope: &PolicyScope, wanted: Mode, root_namespace: &str, kind: &'static Kind) -> (Value, Object) {
    let name = match scope {
        PolicyScope::Mesh | PolicyScope::Namespace(_) => NAME.to_owned(),
        PolicyScope::Workload { labels, .. } => name_of(labels),
    };
    let namespace = scope.home(root_namespace);
    let mut spec = Map::new();
    if let PolicyScope::Workload { labels, .. } = scope {
        spec.insert("selector".to_owned(), json!({"matchLabels": labels}));
    }
    spec.insert("mtls".to_owned(), json!({"mode": wanted.name()}));
    let value = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": {MANAGED_BY: MANAGER}},
        "spec": spec,
    });
    (value, Object { reference: ObjectRef::new(kind, namespace, name), value: Value::Null })
}

/// Returns a name that describes the selected pods, as a valid DNS label: `app-cart`.
fn name_of(labels: &BTreeMap<String, String>) -> String {
    let words = labels.iter().flat_map(|(key, value)| [key.rsplit('/').next().unwrap_or(key), value]);
    let text = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let text: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(63).collect();
    text.trim_matches('-').to_owned()
}

/// Returns an objection if the mode would have no effect, because Istio uses an older policy.
fn no_effect(
    scope: &PolicyScope,
    wanted: Mode,
    policies: &Policies,
    before: &Object,
    edits: &[Edit],
) -> Option<Objection> {
    let all = after(policies, before, edits);
    let effective = scope.effective(&Policies { all: &all, ..*policies });
    let source = effective.set_by().filter(|_| effective.mode != wanted);
    let source = source.or_else(|| effective.chain.last().filter(|_| effective.mode != wanted))?;
    let mut why = Objection::new(
        Reason::Shadowed,
        format!("would be ignored: {} is older and selects the same pods; nothing changed", source.policy),
    );
    why.details.push(format!("it says {}", source.mode.map_or("UNSET", Mode::name)));
    Some(why.hint(flag("--workload").text(" with the labels of that one changes it")))
}

fn remove(request: &PolicyRequest, policies: &Policies, there: &[Object], usual: ObjectRef) -> PolicyVerdict {
    let scope = &request.scope;
    let ours = there.iter().find(|policy| policy.label(MANAGED_BY) == Some(MANAGER));
    let theirs = there.first().filter(|_| request.foreign == OtherTls::Replace);
    if let Some(policy) = ours.or(theirs) {
        let before = policy.clone();
        let edits = vec![Edit::remove(FieldPath::root())];
        let all = after(policies, &before, &edits);
        let then = scope.effective(&Policies { all: &all, ..*policies });
        let message = format!("removed, {} then applies to {scope} ({})", then.mode, by(&then));
        return PolicyVerdict::Change { before, edits, message };
    }
    match there.first() {
        None => {
            let now = scope.effective(policies);
            let message = format!("not there, {} applies to {scope} ({})", now.mode, by(&now));
            PolicyVerdict::Unchanged { object: usual, message }
        }
        Some(policy) => {
            let why = Objection::new(Reason::NotOurs, "was not made by gloo-rs; nothing changed");
            let object = policy.reference.clone();
            PolicyVerdict::Refuse {
                object,
                why: why.hint(flag("--overwrite").text(" removes it").or_else("; ", "permissive changes its mode")),
            }
        }
    }
}

/// Returns the policy that sets the mode, or a text for Istio's default.
pub(crate) fn by(effective: &Effective) -> String {
    effective.set_by().map_or_else(|| "Istio's default".to_owned(), PolicySource::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kinds::{PEER_AUTHENTICATION, PEER_AUTHENTICATION_BETA};

    fn policy(place: &str, year: u16, spec: &Value) -> Value {
        let (namespace, name) = place.split_once('/').unwrap();
        let created = format!("{year}-01-01T00:00:00Z");
        json!({"metadata": {"namespace": namespace, "name": name, "creationTimestamp": created}, "spec": spec})
    }

    fn ours(mut policy: Value) -> Value {
        policy["metadata"]["labels"] = json!({MANAGED_BY: MANAGER});
        policy
    }

    fn shop() -> PolicyScope {
        PolicyScope::Namespace("shop".into())
    }

    fn cart() -> PolicyScope {
        PolicyScope::Workload { namespace: "shop".into(), labels: BTreeMap::from([("app".into(), "cart".into())]) }
    }

    fn request(scope: PolicyScope, wish: PolicyWish) -> PolicyRequest {
        PolicyRequest { scope, wish, foreign: OtherTls::Keep, caution: Caution::Careful }
    }

    fn verdict(request: &PolicyRequest, all: &[Value]) -> PolicyVerdict {
        decide(request, &Policies { all, root_namespace: "istio-system" }, &PEER_AUTHENTICATION)
    }

    /// Returns the objects after the change, and the message.
    fn changed(request: &PolicyRequest, all: &[Value]) -> (Vec<Value>, String) {
        match verdict(request, all) {
            PolicyVerdict::Change { before, edits, message } => {
                let policies = Policies { all, root_namespace: "istio-system" };
                (
                    after(&policies, &before, &edits),
                    format!("{}/{} {message}", before.reference.namespace, before.reference.name),
                )
            }
            other => panic!("{other:?}"),
        }
    }

    fn refused(request: &PolicyRequest, all: &[Value]) -> Reason {
        match verdict(request, all) {
            PolicyVerdict::Refuse { why, .. } => why.reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn where_no_policy_is_the_guides_is_made_and_marked() {
        let strict = PolicyWish::Set(Mode::Strict);
        let table = [
            (
                PolicyScope::Mesh,
                "istio-system/default created, STRICT for the mesh",
                json!({"mtls": {"mode": "STRICT"}}),
            ),
            (shop(), "shop/default created, STRICT for namespace shop", json!({"mtls": {"mode": "STRICT"}})),
            (
                cart(),
                "shop/app-cart created, STRICT for workload app=cart in shop",
                json!({"selector": {"matchLabels": {"app": "cart"}}, "mtls": {"mode": "STRICT"}}),
            ),
        ];
        for (scope, said, spec) in table {
            let (all, message) = changed(&request(scope, strict), &[]);
            assert_eq!((message.as_str(), &all[0]["spec"]), (said, &spec));
            assert_eq!(all[0]["metadata"]["labels"], json!({"app.kubernetes.io/managed-by": "gloo-rs"}));
            assert_eq!(all[0]["apiVersion"], "security.istio.io/v1");
        }
        let (value, _) = made(&shop(), Mode::Strict, "istio-system", &PEER_AUTHENTICATION_BETA);
        assert_eq!(value["apiVersion"], "security.istio.io/v1beta1");
    }

    #[test]
    fn the_policy_that_istio_reads_is_changed_whatever_its_name() {
        let all = [
            policy("shop/young", 2024, &json!({"mtls": {"mode": "PERMISSIVE"}})),
            policy("shop/old", 2023, &json!({"portLevelMtls": {"80": {"mode": "DISABLE"}}})),
            policy("shop/w", 2022, &json!({"selector": {"matchLabels": {"app": "cart"}}, "mtls": {"mode": "DISABLE"}})),
        ];
        let (after, message) = changed(&request(shop(), PolicyWish::Set(Mode::Strict)), &all);
        assert_eq!(message, "shop/old STRICT for namespace shop (was UNSET)");
        let old = after.iter().find(|policy| policy["metadata"]["name"] == "old").unwrap();
        assert_eq!(old["spec"], json!({"portLevelMtls": {"80": {"mode": "DISABLE"}}, "mtls": {"mode": "STRICT"}}));
        assert!(old["metadata"].get("labels").is_none(), "what somebody else made is not marked as ours");
        let again = verdict(&request(shop(), PolicyWish::Set(Mode::Strict)), &after);
        assert!(
            matches!(again, PolicyVerdict::Unchanged { message, .. } if message == "already STRICT for namespace shop")
        );
        let (_, message) = changed(&request(cart(), PolicyWish::Set(Mode::Permissive)), &all);
        assert_eq!(message, "shop/w PERMISSIVE for workload app=cart in shop (was DISABLE)");
    }

    #[test]
    fn a_policy_that_would_not_be_read_is_not_made() {
        let older = policy(
            "shop/v",
            2022,
            &json!({"selector": {"matchLabels": {"tier": "web"}}, "mtls": {"mode": "PERMISSIVE"}}),
        );
        let both = PolicyScope::Workload {
            namespace: "shop".into(),
            labels: BTreeMap::from([("app".into(), "cart".into()), ("tier".into(), "web".into())]),
        };
        assert_eq!(refused(&request(both, PolicyWish::Set(Mode::Strict)), &[older]), Reason::Shadowed);
    }

    #[test]
    fn a_name_that_is_taken_is_not_written_over() {
        let taken = policy("shop/default", 2022, &json!({"selector": {"matchLabels": {"app": "other"}}}));
        assert_eq!(refused(&request(shop(), PolicyWish::Set(Mode::Strict)), &[taken]), Reason::Ambiguous);
    }

    #[test]
    fn the_root_namespace_is_the_mesh_and_has_to_be_called_so() {
        let root = PolicyScope::Namespace("istio-system".into());
        assert_eq!(refused(&request(root, PolicyWish::Set(Mode::Strict)), &[]), Reason::RootNamespace);
    }

    #[test]
    fn removing_takes_what_is_ours_and_says_what_holds_then() {
        let mesh = policy("istio-system/m", 2021, &json!({"mtls": {"mode": "STRICT"}}));
        let mine = ours(policy("shop/default", 2023, &json!({"mtls": {"mode": "PERMISSIVE"}})));
        let theirs = policy("shop/theirs", 2022, &json!({"mtls": {"mode": "DISABLE"}}));
        let take = request(shop(), PolicyWish::Remove);
        let (left, message) = changed(&take, &[mesh.clone(), mine.clone()]);
        assert_eq!(message, "shop/default removed, STRICT then applies to namespace shop (istio-system/m, mesh)");
        assert_eq!(left, std::slice::from_ref(&mesh));
        let (_, message) = changed(&take, &[mine, theirs.clone()]);
        assert_eq!(message, "shop/default removed, DISABLE then applies to namespace shop (shop/theirs, namespace)");
        assert_eq!(refused(&take, std::slice::from_ref(&theirs)), Reason::NotOurs);
        let overwrite = PolicyRequest { foreign: OtherTls::Replace, ..take.clone() };
        let (left, message) = changed(&overwrite, &[theirs]);
        assert_eq!(message, "shop/theirs removed, PERMISSIVE then applies to namespace shop (Istio's default)");
        assert!(left.is_empty());
        let PolicyVerdict::Unchanged { message, .. } = verdict(&take, &[mesh]) else { panic!() };
        assert_eq!(message, "not there, STRICT applies to namespace shop (istio-system/m, mesh)");
    }

    #[test]
    fn names_are_made_of_the_labels() {
        let name = |labels: &[(&str, &str)]| {
            name_of(&labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
        };
        assert_eq!(name(&[("app.kubernetes.io/name", "Cart_1")]), "name-cart-1");
        assert_eq!(name(&[("app", "a"), ("tier", "")]), "app-a-tier");
        assert_eq!(name(&[("app", &"x".repeat(63))]).len(), 63);
    }
}
