//! The installed version of Gloo, read from the images of its Deployments, as `glooctl version` does.

use serde_json::Value;

use crate::text::Image;

/// The label of every Deployment that Gloo's chart creates.
pub(crate) const GLOO_LABEL: &str = "app=gloo";
/// The annotation with which the chart of Gloo Enterprise names its open source version.
const OSS_TAG: &str = "gloo.solo.io/oss-image-tag";

/// An installed Gloo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstalledGloo {
    pub namespace: String,
    /// The kind as glooctl calls it: `Gateway`, `Ingress`, or `Unknown` without a control plane.
    pub kind: &'static str,
    pub enterprise: bool,
    pub containers: Vec<Container>,
}

/// A container of one of its Deployments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    pub image: Image,
    pub oss_tag: Option<String>,
}

/// Returns the Gloo that these Deployments belong to. `None` if they have no containers.
#[must_use]
pub(crate) fn of_deployments(deployments: &[Value], namespace: &str) -> Option<InstalledGloo> {
    let containers: Vec<Container> = deployments.iter().flat_map(containers).collect();
    if containers.is_empty() {
        return None;
    }
    let has = |wanted: fn(&str) -> bool| containers.iter().any(|container| wanted(container.image.name()));
    // FIPS and distroless builds have suffixes: gloo-ee-fips, gloo-distroless.
    let enterprise = has(|name| name == "gloo-ee" || name.starts_with("gloo-ee-"));
    let kind = match (has(|name| name == "ingress"), enterprise || has(|name| name.starts_with("gloo"))) {
        (true, _) => "Ingress",
        (false, true) => "Gateway",
        (false, false) => "Unknown",
    };
    Some(InstalledGloo { namespace: namespace.to_owned(), kind, enterprise, containers })
}

fn containers(deployment: &Value) -> Vec<Container> {
    let template = &deployment["spec"]["template"];
    let oss_tag = template["metadata"]["annotations"][OSS_TAG].as_str();
    let containers = template["spec"]["containers"].as_array().into_iter().flatten();
    containers
        .filter_map(|container| Image::parse(container["image"].as_str()?).ok())
        .map(|image| Container { image, oss_tag: oss_tag.map(str::to_owned) })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(images: &[&str]) -> Value {
        let containers: Vec<_> = images.iter().map(|image| json!({"image": image})).collect();
        json!({"spec": {"template": {
            "metadata": {"annotations": {"gloo.solo.io/oss-image-tag": "1.17.7"}},
            "spec": {"containers": containers},
        }}})
    }

    #[test]
    fn the_control_planes_image_says_which_gloo_it_is() {
        for (images, kind, enterprise) in [
            (["quay.io/solo-io/gloo:1.17.7", "quay.io/solo-io/discovery:1.17.7"], "Gateway", false),
            (["mirror.example:5000/gloo-ee-fips:1.17.7", "envoy:1"], "Gateway", true),
            (["quay.io/solo-io/gloo:1.17.7", "quay.io/solo-io/ingress:1.17.7"], "Ingress", false),
            (["quay.io/solo-io/observability:1", "quay.io/solo-io/discovery:1"], "Unknown", false),
        ] {
            let server = of_deployments(&[deployment(&images[..1]), deployment(&images[1..])], "edge").unwrap();
            assert_eq!((server.kind, server.enterprise), (kind, enterprise), "{images:?}");
            assert_eq!(server.containers.len(), 2);
            assert_eq!(server.containers[0].oss_tag.as_deref(), Some("1.17.7"));
            assert_eq!(server.namespace, "edge");
        }
    }

    #[test]
    fn no_container_is_no_gloo() {
        assert_eq!(of_deployments(&[], "edge"), None);
        assert_eq!(of_deployments(&[json!({"spec": {}})], "edge"), None);
    }
}
