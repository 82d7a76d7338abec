//! Checks that the Deployments in Gloo's namespace exist and are available.

use crate::command::{flag, kubectl};
use serde_json::Value;

use super::{Check, Finding, Look, codes};
use crate::model::{Object, ObjectRef, kinds};

pub(super) const CHECK: Check = Check {
    title: "Deployments",
    word: "deployments",
    codes: &[&codes::NOT_INSTALLED, &codes::DEPLOYMENT],
    kinds: &[&kinds::DEPLOYMENT],
    beyond: &[],
    run,
};

fn run(look: &Look<'_>) -> Vec<Finding> {
    let deployments = look.in_namespace(&kinds::DEPLOYMENT, look.gloo());
    let is_known = look.world.snapshot.unknown_in(&kinds::DEPLOYMENT, look.gloo()).is_none();
    if deployments.is_empty() && is_known {
        let namespace = ObjectRef::new(&kinds::NAMESPACE, "", look.gloo());
        return vec![
            Finding::new(&codes::NOT_INSTALLED, &namespace, "Gloo is not installed: the namespace has no Deployment")
                .hint(flag("--gloo-namespace").text(" sets the namespace of Gloo")),
        ];
    }
    deployments.into_iter().filter_map(check_deployment).collect()
}

/// Applies glooctl's rules: `ReplicaFailure`, the most specific condition, before `Progressing` and `Available`.
fn check_deployment(deployment: &Object) -> Option<Finding> {
    let condition = |kind: &str| {
        let all = deployment.value["status"]["conditions"].as_array().into_iter().flatten();
        all.into_iter().find(|condition| condition["type"] == kind)
    };
    let said = [
        ("ReplicaFailure", "False", "cannot create its pods"),
        ("Progressing", "True", "makes no progress"),
        ("Available", "True", "is not available"),
    ]
    .into_iter()
    .find_map(|(kind, good, words)| condition(kind).filter(|it| it["status"] != good).map(|it| (words, it)));
    let (words, condition) = said?;
    let message = condition["message"].as_str().unwrap_or_default();
    let name = &deployment.reference.name;
    Some(
        Finding::new(&codes::DEPLOYMENT, &deployment.reference, format!("the Deployment {words}"))
            .details((!message.is_empty()).then(|| message.to_owned()))
            .details(replicas(&deployment.value))
            .hint(kubectl("describe deployment").value(name).fixed("-n").value(&deployment.reference.namespace)),
    )
}

fn replicas(deployment: &Value) -> Option<String> {
    let wanted = deployment["spec"]["replicas"].as_u64()?;
    let available = deployment["status"]["availableReplicas"].as_u64().unwrap_or_default();
    (available < wanted).then(|| format!("{available} of {wanted} pods are available"))
}
