//! The stand-in for Istio's injector does to pods what tests of the mesh rest on, chosen by the API server itself.

use std::time::Duration;

use anyhow::{Context, Result};
use kube::Client;
use serde_json::{Value, json};

use crate::stage::{self, Injector, Plane, Sidecar, injected_by, wait_for};

const PATIENCE: Duration = Duration::from_mins(3);

/// A pod of this shape in a namespace with these labels, as the API server would create it.
fn tried(plane: &Plane, namespace: &str, labels: &Value, pod: &Value) -> Result<Value> {
    let mut all = json!({"istio.io/rev": null, "istio-injection": null});
    all.as_object_mut().context("a map")?.extend(labels.as_object().context("a map")?.clone());
    plane.api().merge("v1/Namespace", "", namespace, &json!({"metadata": {"labels": all}}))?;
    let mut whole = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tried"},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    });
    for part in ["metadata", "spec"] {
        let more = pod[part].as_object().cloned().unwrap_or_default();
        whole[part].as_object_mut().context("a map")?.extend(more);
    }
    let path = format!("/api/v1/namespaces/{namespace}/pods?dryRun=All");
    let request = http::Request::post(path).header("Content-Type", "application/json");
    let request = request.body(whole.to_string().into_bytes())?;
    Ok(plane.api().run(|client: Client| async move { client.request(request).await })?)
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect()
}

#[test]
fn pods_get_the_sidecar_of_the_revision_that_istios_selectors_choose() -> Result<()> {
    let plane = stage::shared();
    let injector = Injector::beside_others(plane)?;
    let old = injector.install("1-27", "1.27.5", Sidecar::Container)?;
    let new = injector.install("1-28", "1.28.3", Sidecar::Native)?;
    let tag = injector.tag("prod", &old)?;
    let namespace = plane.namespace("tried")?;
    injector.serve_default_in(&namespace, "1.29.1", Sidecar::Native)?;
    let none = json!({});
    let told_off = json!({"metadata": {"labels": {"sidecar.istio.io/inject": "false"}}});
    let on_the_host = json!({"spec": {"hostNetwork": true}});
    let of_its_own = json!({"metadata": {"labels": {"istio.io/rev": new.name}}});
    let table = [
        (json!({}), &none, None),
        (json!({"istio.io/rev": old.name}), &none, Some(&*old.name)),
        (json!({"istio.io/rev": new.name}), &none, Some(&*new.name)),
        (json!({"istio.io/rev": tag}), &none, Some(&*old.name)),
        (json!({"istio-injection": "enabled"}), &none, Some("default")),
        (json!({"istio-injection": "enabled", "istio.io/rev": old.name}), &none, Some("default")),
        (json!({"istio-injection": "disabled", "istio.io/rev": old.name}), &none, None),
        (json!({"istio.io/rev": old.name}), &told_off, None),
        (json!({"istio.io/rev": old.name}), &on_the_host, None),
        (json!({}), &of_its_own, Some(&*new.name)),
    ];
    for (labels, pod, wanted) in table {
        // The API server's webhooks hear of a label a moment after it was written.
        let made = wait_for(&format!("{labels} {pod} is injected by {wanted:?}"), PATIENCE, || {
            let made = tried(plane, &namespace, &labels, pod)?;
            Ok((injected_by(&made).as_deref() == wanted).then_some(made))
        })?;
        assert_eq!(made["metadata"]["labels"]["security.istio.io/tlsMode"] == "istio", wanted.is_some(), "{made:#}");
    }

    let injected = |names: &str, revision: &str| {
        wait_for(&format!("{names} injects {revision}"), PATIENCE, || {
            let made = tried(plane, &namespace, &json!({"istio.io/rev": names}), &none)?;
            Ok((injected_by(&made).as_deref() == Some(revision)).then_some(made))
        })
    };
    let made = injected(&old.name, &old.name)?;
    assert_eq!(names(&made["spec"]["containers"]), ["app", "istio-proxy"]);
    let made = injected(&new.name, &new.name)?;
    assert_eq!(names(&made["spec"]["containers"]), ["app"]);
    let sidecar = &made["spec"]["initContainers"][0];
    assert_eq!((&sidecar["name"], &sidecar["restartPolicy"]), (&json!("istio-proxy"), &json!("Always")));

    injected(&tag, &old.name)?;
    injector.tag("prod", &new)?;
    injected(&tag, &new.name)?;

    injector.go_down();
    let refused = tried(plane, &namespace, &json!({"istio.io/rev": tag}), &none);
    let refused = format!("{:#}", refused.err().context("nobody answers")?);
    assert!(refused.contains("failed calling webhook \"rev.namespace.sidecar-injector.istio.io\""), "{refused}");
    injector.come_up();
    injected(&tag, &new.name)?;
    Ok(())
}
