//! The image of a sidecar that matches the image of a running container.

use crate::error::{Exit, Failure, Reason};
use crate::text::Image;

/// An image that cannot be derived from the running containers, so a flag must name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedsFlag {
    pub flag: &'static str,
    pub why: String,
}

impl NeedsFlag {
    /// The flag with the image of `sds`.
    pub const SDS: &'static str = "--sds-image";
    /// The flag with the image of `istio-proxy`.
    pub const ISTIO_PROXY: &'static str = "--istio-proxy-image";

    fn new(flag: &'static str, why: impl Into<String>) -> Self {
        Self { flag, why: why.into() }
    }

    /// Creates the error for a container that would show the image and was not found.
    pub fn unseen(flag: &'static str, why: impl Into<String>) -> Self {
        Self::new(flag, why)
    }
}

impl From<NeedsFlag> for Failure {
    fn from(needs: NeedsFlag) -> Self {
        Self::new(Exit::Failed, Reason::NeedsFlag, needs.why).hint(format!("{} REGISTRY/REPOSITORY:TAG", needs.flag))
    }
}

/// Returns the `sds` image that matches a running gloo container. Gloo builds them together, with one tag for all.
///
/// # Errors
/// The image does not show it: a mirrored name, a digest, or no tag.
pub(crate) fn sds_image(gloo: &str) -> Result<Image, NeedsFlag> {
    const SIBLINGS: [(&str, &str); 3] = [("gloo", "sds"), ("gloo-ee", "sds-ee"), ("gloo-ee-fips", "sds-ee-fips")];
    let needs = |why: String| NeedsFlag::new(NeedsFlag::SDS, why);
    let image = Image::parse(gloo).map_err(|why| needs(format!("the gloo image {gloo:?} cannot be read: {why}")))?;
    let sibling = SIBLINGS.iter().find(|(name, _)| *name == image.name());
    let (_, sds) = sibling
        .ok_or_else(|| needs(format!("the gloo image {image} does not show the sds image: its name is not gloo's")))?;
    if image.digest.is_some() {
        return Err(needs(format!("the gloo image {image} does not show the sds image: it is pinned by digest")));
    }
    if image.tag.is_none() {
        return Err(needs(format!("the gloo image {image} does not show the sds image: it has no tag")));
    }
    Ok(image.beside(sds))
}

/// Returns the `istio-proxy` image that matches an istiod. `pilot` and `proxyv2` are built together. A digest applies
/// only to `pilot`, but a tag next to it applies to both.
///
/// # Errors
/// The image does not show it: a mirrored name, or a digest without a tag.
pub(crate) fn proxyv2_image(pilot: &str) -> Result<Image, NeedsFlag> {
    let needs = |why: String| NeedsFlag::new(NeedsFlag::ISTIO_PROXY, why);
    let image =
        Image::parse(pilot).map_err(|why| needs(format!("the istiod image {pilot:?} cannot be read: {why}")))?;
    if image.name() != "pilot" {
        return Err(needs(format!("the istiod image {image} does not show the proxy's: its name is not pilot")));
    }
    if image.tag.is_none() {
        let why = if image.digest.is_some() { "it is pinned by digest" } else { "it has no tag" };
        return Err(needs(format!("the istiod image {image} does not show the proxy's: {why}")));
    }
    Ok(image.beside("proxyv2"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:2d4f3a1b0c9e8d7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f";

    #[test]
    fn the_sds_image_stands_beside_gloos_with_its_tag() {
        for (gloo, sds) in [
            ("quay.io/solo-io/gloo:1.17.7", "quay.io/solo-io/sds:1.17.7"),
            ("quay.io/solo-io/gloo-ee:1.17.7", "quay.io/solo-io/sds-ee:1.17.7"),
            ("quay.io/solo-io/gloo-ee-fips:1.17.7-distroless", "quay.io/solo-io/sds-ee-fips:1.17.7-distroless"),
            ("localhost:5000/mirror/a/b/gloo:v1", "localhost:5000/mirror/a/b/sds:v1"),
            ("[fd00::1]:5000/gloo:1", "[fd00::1]:5000/sds:1"),
            ("solo-io/gloo:1", "solo-io/sds:1"),
            ("gloo:1.0.0-ci", "sds:1.0.0-ci"),
        ] {
            assert_eq!(sds_image(gloo).map(|image| image.to_string()), Ok(sds.to_owned()), "{gloo}");
        }
    }

    #[test]
    fn what_does_not_tell_the_sds_image_asks_for_the_flag() {
        let digest = format!("quay.io/solo-io/gloo@{DIGEST}");
        let both = format!("quay.io/solo-io/gloo:1@{DIGEST}");
        for gloo in [&digest, &both, "quay.io/solo-io/gloo", "quay.io/mine/edge:1", "gloo-fips:1", "no image", ""] {
            assert_eq!(sds_image(gloo).unwrap_err().flag, "--sds-image", "{gloo}");
        }
    }

    #[test]
    fn the_proxy_image_stands_beside_pilots_and_never_has_pilots_digest() {
        let both = format!("docker.io:443/istio/pilot:1.28.3-distroless@{DIGEST}");
        for (pilot, proxy) in [
            ("docker.io/istio/pilot:1.28.3", "docker.io/istio/proxyv2:1.28.3"),
            ("localhost:5000/pilot:1.28.3", "localhost:5000/proxyv2:1.28.3"),
            (
                "us-docker.pkg.dev/gloo-mesh/istio-0a/pilot:1.21.0-solo",
                "us-docker.pkg.dev/gloo-mesh/istio-0a/proxyv2:1.21.0-solo",
            ),
            (both.as_str(), "docker.io:443/istio/proxyv2:1.28.3-distroless"),
        ] {
            assert_eq!(proxyv2_image(pilot).map(|image| image.to_string()), Ok(proxy.to_owned()), "{pilot}");
        }
        for pilot in [format!("istio/pilot@{DIGEST}"), "istio/pilot".into(), "istio/istiod:1".into(), "::".into()] {
            assert_eq!(proxyv2_image(&pilot).unwrap_err().flag, "--istio-proxy-image", "{pilot}");
        }
    }

    proptest! {
        #[test]
        fn the_sibling_differs_by_its_name_alone(
            registry in proptest::option::of("[a-z]{1,8}\\.io(:[0-9]{2,5})?"),
            parents in "([a-z0-9]{1,5}/){0,3}",
            tag in "[0-9]\\.[0-9]{1,2}(-distroless|-fips)?",
            ee in proptest::sample::select(vec!["", "-ee", "-ee-fips"]),
        ) {
            let of = |name: &str| {
                let registry = registry.as_ref().map(|registry| format!("{registry}/")).unwrap_or_default();
                format!("{registry}{parents}{name}:{tag}")
            };
            prop_assert_eq!(sds_image(&of(&format!("gloo{ee}"))).unwrap().to_string(), of(&format!("sds{ee}")));
            prop_assert_eq!(proxyv2_image(&of("pilot")).unwrap().to_string(), of("proxyv2"));
        }
    }
}
