//! Builds a command that restores a PeerAuthentication and runs as printed.

use serde_json::{Value, json};

use crate::apply::transaction::without_servers_own;
use crate::command::{CommandLine, Hint, gloo_rs, kubectl, quoted};
use crate::model::Kind;
use crate::plan::mark::{LAST_APPLIED, made_by_us};
use crate::plan::peer::change::{PolicyScope, PolicyWish};
use crate::plan::peer::{Mode, mode};

/// The command that restores a removed policy. A policy that this program did not make may have more than its flags can
/// express, so the command applies the manifest.
pub(super) fn made_again(there: &Value, kind: &'static Kind, scope: &PolicyScope) -> Hint {
    match mode(&there["spec"]["mtls"]) {
        Some(mode @ (Mode::Strict | Mode::Permissive)) if made_by_us(there) => {
            scope.typed(gloo_rs("istio peer-auth").fixed(PolicyWish::Set(mode).word())).into()
        }
        _ => kubectl("apply -f -").after(format!("printf %s {} | ", quoted(&manifest(there, kind).to_string()))),
    }
}

/// The command that restores the mode of a namespace's policy, or removes the policy if there was none before.
pub(super) fn as_before(there: Option<&Value>, namespace: &str) -> CommandLine {
    let Some(there) = there else { return gloo_rs("istio peer-auth remove").with("-n", namespace) };
    let mtls = &there["spec"]["mtls"];
    if mode(mtls) == Some(Mode::Permissive) {
        return gloo_rs("istio peer-auth permissive").with("-n", namespace);
    }
    let name = there["metadata"]["name"].as_str().unwrap_or_default();
    let mtls = if mtls.is_null() { Value::Null } else { json!({"mode": mtls["mode"]}) };
    let patch = json!({"spec": {"mtls": mtls}}).to_string();
    let command = kubectl("patch peerauthentications.security.istio.io").value(name).with("-n", namespace);
    command.fixed("--type merge").with("-p", patch)
}

fn manifest(there: &Value, kind: &'static Kind) -> Value {
    let bare = without_servers_own(there);
    let mut metadata = bare["metadata"].clone();
    if let Some(notes) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        notes.remove(LAST_APPLIED);
    }
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
    }
    json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": metadata, "spec": bare["spec"]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kinds;

    fn policy(labels: &Value, mtls: &Value) -> Value {
        let notes = json!({LAST_APPLIED: "{}"});
        let metadata = json!({
            "name": "default", "namespace": "shop", "uid": "7", "resourceVersion": "1",
            "labels": labels, "annotations": notes,
        });
        json!({"metadata": metadata, "spec": {"mtls": mtls}})
    }

    #[test]
    fn a_policy_of_somebody_else_comes_back_as_it_was() {
        let scope = PolicyScope::Namespace("shop".to_owned());
        let again = |labels: &Value, mode: &str| {
            made_again(&policy(labels, &json!({"mode": mode})), &kinds::PEER_AUTHENTICATION, &scope)
        };
        let ours = json!({"app.kubernetes.io/managed-by": "gloo-rs"});
        assert_eq!(again(&ours, "STRICT"), "gloo-rs istio peer-auth strict -n shop");
        assert_eq!(
            again(&json!({}), "DISABLE"),
            r#"printf %s '{"apiVersion":"security.istio.io/v1","kind":"PeerAuthentication","metadata":{"name":"default","namespace":"shop"},"spec":{"mtls":{"mode":"DISABLE"}}}' | kubectl apply -f -"#
        );
        let bare = json!({"metadata": {"name": "a", "namespace": "shop"}, "spec": {}});
        let again_of_bare = made_again(&bare, &kinds::PEER_AUTHENTICATION, &scope).to_string();
        assert!(again_of_bare.contains(r#""namespace":"shop"},"spec":{}}"#));
        // Own labels and ports are more than a mode.
        assert!(again(&json!({"team": "shop"}), "STRICT").to_string().contains(r#""labels":{"team":"shop"}"#));
    }

    #[test]
    fn a_mode_that_was_changed_goes_back_to_what_it_was() {
        let back = |mtls: Value| as_before(Some(&policy(&json!({}), &mtls)), "shop").to_string();
        let patch = |mtls: &str| {
            format!(
                r#"kubectl patch peerauthentications.security.istio.io default -n shop --type merge -p '{{"spec":{{"mtls":{mtls}}}}}'"#
            )
        };
        assert_eq!(as_before(None, "shop").to_string(), "gloo-rs istio peer-auth remove -n shop");
        assert_eq!(back(json!({"mode": "PERMISSIVE"})), "gloo-rs istio peer-auth permissive -n shop");
        assert_eq!(back(json!({"mode": "DISABLE"})), patch(r#"{"mode":"DISABLE"}"#));
        assert_eq!(back(json!({})), patch(r#"{"mode":null}"#));
        assert_eq!(back(Value::Null), patch("null"));
    }
}
