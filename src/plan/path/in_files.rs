//! What files tell of pods: of those that are in them, and of those that the workloads in them will have.
//!
//! A file proves what is in it, never that the cluster has nothing else. So a pod of the files can prove that requests
//! fail, but not that all of them succeed. A policy in the files that applies to a pod is taken as the one in force.

use serde_json::{Map, Value, json};

use super::workloads::{KINDS as WORKLOADS, are_there, makes_pods, template};
use super::{Behind, Membership, Pod};
use crate::model::names::KUBE_GATEWAY_LABEL;
use crate::model::{Found, Kind, Object, ObjectRef, Snapshot, Spot, Unknown, kinds};
use crate::plan::Unread;
use crate::plan::istiod::{DEFAULT, REVISION_LABEL, TAG_LABEL};
use crate::plan::peer::PORT_UNKNOWN;
use crate::plan::pod::{Capture, REDIRECTION, TLS_MODE, barred, capture, is_meshed, requests_ambient};
use crate::plan::revisions::{INJECT_LABEL, INJECTION_LABEL, bond};

/// The kinds that are read from files in addition to those that are read from a cluster: workloads, and the namespaces
/// whose labels say which of their pods get a sidecar.
pub(crate) fn more_kinds() -> impl Iterator<Item = &'static Kind> {
    WORKLOADS.into_iter().chain([&kinds::NAMESPACE])
}

const NO_POD: &str = "no pod and no workload in the files is behind the port of its Service";
pub(super) const NO_POLICY: &str = "no PeerAuthentication in the files applies to its pods";
const NO_NAMESPACE: &str = "the Namespace of its pods is not in the files";
const NO_ISTIOD: &str = "the files have webhooks of istiod, but none that the label of its namespace names";
pub(super) const NO_SERVICE: &str = "its Service is not in the files";
pub(super) const NO_SETTINGS: &str = "Gloo's Settings are not in the files";
pub(super) const NO_GATEWAY: &str = "no gateway proxy is in the files";
pub(super) const NO_BOOTSTRAP: &str = "the ConfigMap with the gateway's bootstrap is not in the files";

/// Returns why an object is unknown: `in_files` if only files were read.
pub(super) fn unread(unknown: &Unknown, in_files: &str) -> Unread {
    if unknown.is_of_files() { in_files.into() } else { unknown.into() }
}

/// Returns whether something is unknown because it is not in the files. Anything else is unknown as in a cluster.
pub(crate) fn is_about_files(why: &str) -> bool {
    let reasons =
        [NO_POD, NO_POLICY, NO_NAMESPACE, NO_ISTIOD, NO_SERVICE, NO_SETTINGS, NO_GATEWAY, NO_BOOTSTRAP, PORT_UNKNOWN];
    reasons.contains(&why) || why == Unknown::of_files().why
}

/// Returns why the objects of a kind are unknown. Those in files are known as they are.
pub(super) fn unknown<'s>(snapshot: &'s Snapshot, kind: &'static Kind) -> Option<&'s Unknown> {
    snapshot.unknown(kind).filter(|unknown| !unknown.is_of_files() || snapshot.all(kind).is_empty())
}

/// Leaves out the pods that Jobs will make, if there are others. The pod of a hook has the labels of the application for a
/// moment, and what is behind the Service in the long run are the others.
pub(super) fn without_jobs(pods: Vec<&Object>) -> Vec<&Object> {
    let prefixes = [&kinds::JOB, &kinds::CRON_JOB].map(|kind| format!("{}/", kind.singular));
    let is_of_job = |pod: &&Object| prefixes.iter().any(|prefix| pod.reference.name.starts_with(prefix));
    if pods.iter().all(is_of_job) { pods } else { pods.into_iter().filter(|pod| !is_of_job(pod)).collect() }
}

/// Returns the pods that the files will make: one for the template of each workload, and the pods in the files that
/// have not run yet, all as Istio's injector will change them. A workload whose pods are in the files has none.
pub(crate) fn pods(snapshot: &Snapshot) -> Vec<(Object, Spot)> {
    let workloads = WORKLOADS.into_iter().flat_map(|kind| snapshot.all(kind));
    // Gloo's own workloads are judged by their templates and stand behind no Upstream.
    let is_gloos = |it: &Object| it.label("gloo").is_some() || it.label(KUBE_GATEWAY_LABEL).is_some();
    let wanted = workloads.filter(|it| !is_gloos(it) && makes_pods(it) && !are_there(snapshot, it));
    let of_template = |workload: &Object| {
        let ObjectRef { kind, namespace, name } = &workload.reference;
        let pod = to_be(&template(workload), namespace, &format!("{}/{name}", kind.singular), snapshot);
        Some((pod, snapshot.spot(&workload.reference)?.clone()))
    };
    let own = snapshot.all(&kinds::POD).iter().filter(|pod| !has_run(&pod.value) && !is_meshed(&pod.value));
    let of_pod = |pod: &Object| {
        let ObjectRef { namespace, name, .. } = &pod.reference;
        Some((to_be(&pod.value, namespace, name, snapshot), snapshot.spot(&pod.reference)?.clone()))
    };
    wanted.filter_map(of_template).chain(own.filter_map(of_pod)).collect()
}

/// Returns the pod of a template. The name of a workload's pod is that of the workload: `deployment/cart`.
fn to_be(template: &Value, namespace: &str, name: &str, snapshot: &Snapshot) -> Object {
    let metadata = &template["metadata"];
    let map = |key: &str| metadata[key].as_object().cloned().unwrap_or_default();
    let (mut labels, mut annotations): (Map<_, _>, Map<_, _>) = (map("labels"), map("annotations"));
    match membership(template, namespace, snapshot) {
        Ok(Membership::Sidecar) => drop(labels.insert(TLS_MODE.to_owned(), "istio".into())),
        Ok(Membership::Ambient) => drop(annotations.insert(REDIRECTION.to_owned(), "enabled".into())),
        Ok(Membership::Outside | Membership::Labelled | Membership::Unknown) | Err(_) => {}
    }
    let metadata = json!({
        "namespace": namespace, "name": name, "labels": labels, "annotations": annotations,
        "ownerReferences": metadata["ownerReferences"],
    });
    Object::new(&kinds::POD, json!({"metadata": metadata, "spec": template["spec"]}))
}

/// Returns how a pod of this template will be in the mesh, by Istio's rules: the pod may opt out, then the namespace's
/// labels decide, then the pod's own (`injectRequired`, and the selectors of the injector's webhooks).
///
/// # Errors
/// The namespace is not in the files.
fn membership(template: &Value, namespace: &str, snapshot: &Snapshot) -> Result<Membership, Unread> {
    if is_meshed(template) {
        return Ok(Membership::Sidecar);
    }
    let labels = &template["metadata"]["labels"];
    let namespace = match snapshot.find(&kinds::NAMESPACE, "", namespace) {
        Found::There(namespace) => &namespace.value,
        // Pods on the host's network are in no mesh.
        _ if template["spec"]["hostNetwork"] == true => return Ok(Membership::Outside),
        Found::NotThere | Found::Unknown(_) => return Err(NO_NAMESPACE.into()),
    };
    let of_namespace = &namespace["metadata"]["labels"];
    let names = bond(namespace).map(|(_, names)| names).or_else(|| labels[REVISION_LABEL].as_str());
    let is_asked_for = labels[INJECT_LABEL] == "true" || labels[REVISION_LABEL].is_string();
    let is_open = of_namespace[INJECTION_LABEL].is_null();
    if barred(template).is_none() && (bond(namespace).is_some() || (is_open && is_asked_for)) {
        return if has_injector(snapshot, names.unwrap_or(DEFAULT)) {
            Ok(Membership::Sidecar)
        } else {
            Err(NO_ISTIOD.into())
        };
    }
    match capture(template, requests_ambient(namespace)) {
        Capture::No => Ok(Membership::Outside),
        Capture::Proven | Capture::Labelled => Ok(Membership::Ambient),
    }
}

/// Returns whether an injector of this revision or tag may be there. Files with the webhooks of some istiods have those
/// of all.
fn has_injector(snapshot: &Snapshot, names: &str) -> bool {
    let mut webhooks = snapshot.all(&kinds::MUTATING_WEBHOOK).iter().filter(|it| it.label(REVISION_LABEL).is_some());
    let names_it = |it: &Object| it.label(REVISION_LABEL) == Some(names) || it.label(TAG_LABEL) == Some(names);
    webhooks.clone().next().is_none() || webhooks.any(names_it)
}

/// Returns whether the pod is one of a cluster, so that it shows itself whether it has a sidecar.
fn has_run(pod: &Value) -> bool {
    pod["status"].is_object() || pod["metadata"]["uid"].is_string()
}

/// Keeps of what is behind a Service only what the files prove. `objects` are its pods in the same order.
pub(super) fn proven(behind: Behind, objects: &[&Object], snapshot: &Snapshot) -> Behind {
    let Behind::Pods { service, port, pods } = behind else { return behind };
    // Other pods may be ready.
    let pods = pods.into_iter().zip(objects).filter(|(pod, _)| pod.ready != Ok(false));
    let pods: Vec<_> = pods.map(|(pod, object)| as_proven(pod, object, snapshot)).collect();
    if pods.is_empty() { Behind::Unknown(NO_POD.into()) } else { Behind::Pods { service, port, pods } }
}

fn as_proven(pod: Pod, object: &Object, snapshot: &Snapshot) -> Pod {
    let is_open = pod.membership == Membership::Outside && !has_run(&object.value);
    let joins = if is_open { membership(&object.value, &pod.namespace, snapshot) } else { Ok(pod.membership) };
    match joins {
        Err(why) => Pod { membership: Membership::Unknown, demands: Err(why), ..pod },
        Ok(_) if pod.demands.as_ref().is_ok_and(|effective| effective.set_by().is_none()) => {
            Pod { demands: Err(NO_POLICY.into()), ..pod }
        }
        Ok(_) => pod,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(objects: &[(&'static Kind, Value)]) -> Snapshot {
        let mut snapshot = Snapshot::new(Unknown::of_files());
        for (kind, value) in objects {
            snapshot.lay(Object::new(kind, value.clone()), Spot { file: "all.yaml".into(), line: 1 });
        }
        snapshot
    }

    fn namespace(labels: &Value) -> (&'static Kind, Value) {
        (&kinds::NAMESPACE, json!({"metadata": {"name": "shop", "labels": labels}}))
    }

    fn deployment(template: &Value) -> (&'static Kind, Value) {
        let selector = json!({"matchLabels": {"app": "cart"}});
        let spec = json!({"replicas": 2, "selector": selector, "template": template});
        (&kinds::DEPLOYMENT, json!({"metadata": {"namespace": "shop", "name": "cart"}, "spec": spec}))
    }

    #[test]
    fn the_labels_of_template_and_namespace_say_whether_a_sidecar_comes() {
        use Membership::{Ambient, Outside, Sidecar};
        let labelled = |labels: Value| json!({"metadata": {"labels": labels}});
        let plain = labelled(json!({"app": "cart"}));
        let on_host = json!({"spec": {"hostNetwork": true}});
        let opted_out = labelled(json!({"sidecar.istio.io/inject": "false"}));
        let asks = labelled(json!({"sidecar.istio.io/inject": "true"}));
        let enabled = json!({"istio-injection": "enabled"});
        let disabled = json!({"istio-injection": "disabled"});
        let ambient = json!({"istio.io/dataplane-mode": "ambient"});
        for (template, of_namespace, wanted) in [
            (&plain, Some(&enabled), Some(Sidecar)),
            (&plain, Some(&json!({"istio.io/rev": "1-28"})), Some(Sidecar)),
            (&plain, Some(&disabled), Some(Outside)),
            (&plain, Some(&json!({})), Some(Outside)),
            (&plain, Some(&ambient), Some(Ambient)),
            (&plain, None, None),
            (&opted_out, Some(&enabled), Some(Outside)),
            (&opted_out, None, None),
            (&asks, Some(&json!({})), Some(Sidecar)),
            (&asks, Some(&disabled), Some(Outside)),
            (&asks, None, None),
            (&labelled(json!({"istio.io/rev": "1-28"})), Some(&json!({})), Some(Sidecar)),
            (&labelled(json!({"istio.io/dataplane-mode": "none"})), Some(&ambient), Some(Outside)),
            (&labelled(json!({"security.istio.io/tlsMode": "istio"})), None, Some(Sidecar)),
            (&on_host, Some(&enabled), Some(Outside)),
            (&on_host, Some(&ambient), Some(Outside)),
            (&on_host, None, Some(Outside)),
        ] {
            let of_namespace: Vec<_> = of_namespace.map(namespace).into_iter().collect();
            let joins = membership(template, "shop", &snapshot(&of_namespace));
            assert_eq!(joins.ok(), wanted, "{template} in {of_namespace:?}");
        }
    }

    #[test]
    fn a_workload_has_one_pod_unless_its_pods_are_in_the_files_or_it_has_none() {
        let template = json!({"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": []}});
        let names = |objects: &[(&'static Kind, Value)]| {
            let pods = pods(&snapshot(objects)).into_iter().map(|(pod, _)| pod.reference.name);
            pods.collect::<Vec<_>>()
        };
        assert_eq!(names(&[deployment(&template)]), ["deployment/cart"]);
        let mut idle = deployment(&template);
        idle.1["spec"]["replicas"] = json!(0);
        assert_eq!(names(&[idle]), [""; 0]);
        let pod = |status: Value| {
            let metadata = json!({"namespace": "shop", "name": "cart-1", "labels": {"app": "cart"}});
            (&kinds::POD as &'static Kind, json!({"metadata": metadata, "status": status}))
        };
        assert_eq!(names(&[deployment(&template), pod(json!({"phase": "Running"}))]), [""; 0]);
        assert_eq!(names(&[deployment(&template), pod(Value::Null)]), ["cart-1"], "the injector will change it");
    }

    #[test]
    fn jobs_have_pods_until_they_end_and_a_set_of_a_controller_in_the_files_has_none_of_its_own() {
        let names = |objects: &[(&'static Kind, Value)]| {
            let pods = pods(&snapshot(objects)).into_iter().map(|(pod, _)| pod);
            pods.map(|pod| (pod.reference.name, pod.value["metadata"]["labels"].to_string())).collect::<Vec<_>>()
        };
        let template = json!({"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": []}});
        let object = |kind: &'static Kind, owner: Value, spec: Value, status: Value| {
            let metadata = json!({"namespace": "shop", "name": "cart", "ownerReferences": owner});
            (kind, json!({"metadata": metadata, "spec": spec, "status": status}))
        };
        let owned = |kind: &Kind, name: &str| json!([{"apiVersion": kind.api_version(), "kind": kind.kind, "name": name, "controller": true}]);
        let job = |spec: Value, status: Value| {
            let mut spec = spec;
            spec["template"] = template.clone();
            object(&kinds::JOB, Value::Null, spec, status)
        };
        let of_cron = |suspend: bool| {
            let spec = json!({"suspend": suspend, "jobTemplate": {"spec": {"template": template}}});
            object(&kinds::CRON_JOB, Value::Null, spec, Value::Null)
        };
        let set = |owner: Value| object(&kinds::REPLICA_SET, owner, json!({"template": template}), Value::Null);
        let labels = r#"{"app":"cart"}"#;
        let of_job = r#"{"app":"cart","job-name":"cart","batch.kubernetes.io/job-name":"cart"}"#;
        let one = |name: &str, labels: &str| vec![(name.to_owned(), labels.to_owned())];
        assert_eq!(names(&[job(json!({}), Value::Null)]), one("job/cart", of_job));
        assert_eq!(names(&[of_cron(false)]), one("cronjob/cart", labels));
        assert_eq!(names(&[set(Value::Null)]), one("replicaset/cart", labels));
        assert_eq!(names(&[set(owned(&kinds::DEPLOYMENT, "cart"))]), one("replicaset/cart", labels));
        assert_eq!(
            names(&[deployment(&template), set(owned(&kinds::DEPLOYMENT, "cart"))]),
            one("deployment/cart", labels)
        );
        for nothing in [
            job(json!({"suspend": true}), Value::Null),
            job(json!({"parallelism": 0}), Value::Null),
            job(json!({}), json!({"conditions": [{"type": "Complete", "status": "True"}]})),
            job(json!({}), json!({"conditions": [{"type": "Failed", "status": "True"}]})),
            of_cron(true),
        ] {
            assert_eq!(names(&[nothing]), []);
        }
        let pod = |job: &str| {
            let metadata = json!({"namespace": "shop", "name": "p", "ownerReferences": owned(&kinds::JOB, job)});
            (&kinds::POD as &'static Kind, json!({"metadata": metadata, "status": {"phase": "Running"}}))
        };
        assert_eq!(names(&[job(json!({}), Value::Null), pod("cart")]), []);
        assert_eq!(names(&[of_cron(false), pod("cart-29071234")]), []);
        assert_eq!(names(&[of_cron(false), pod("cart-other")]), one("cronjob/cart", labels));
    }

    #[test]
    fn the_pod_of_a_job_is_behind_a_service_only_if_nothing_else_is() {
        let pod = |name: &str| Object::new(&kinds::POD, json!({"metadata": {"namespace": "shop", "name": name}}));
        let (job, cron, lasting) = (pod("job/migrate"), pod("cronjob/report"), pod("deployment/cart"));
        assert_eq!(without_jobs(vec![&job, &lasting, &cron]), [&lasting]);
        assert_eq!(without_jobs(vec![&job, &cron]), [&job, &cron]);
        assert_eq!(without_jobs(vec![]), Vec::<&Object>::new());
    }

    #[test]
    fn the_pod_of_a_template_is_as_the_injector_makes_it() {
        let template = json!({"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": [{"name": "cart"}]}});
        let files = snapshot(&[deployment(&template), namespace(&json!({"istio-injection": "enabled"}))]);
        let made = pods(&files).remove(0).0;
        assert!(is_meshed(&made.value), "{made:?}");
        assert_eq!(made.value["spec"], template["spec"]);
        assert_eq!(made.value["metadata"]["labels"]["app"], "cart");
    }
}
