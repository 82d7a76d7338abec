//! Image references, and which sidecar image belongs to which running one.

use std::fmt;

use crate::error::{Exit, Failure, Reason};

/// `registry/repository:tag@digest`, each part as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Image {
    /// `quay.io`, `localhost:5000`; none is the runtime's default.
    pub registry: Option<String>,
    /// `solo-io/gloo`
    pub repository: String,
    pub tag: Option<String>,
    /// `sha256:…`
    pub digest: Option<String>,
}

/// An image that cannot be told from what runs: a flag has to name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedsFlag {
    pub flag: &'static str,
    pub why: String,
}

impl NeedsFlag {
    /// The flag that names the image of `sds`.
    pub const SDS: &'static str = "--sds-image";
    /// The flag that names the image of `istio-proxy`.
    pub const ISTIO_PROXY: &'static str = "--istio-proxy-image";

    fn new(flag: &'static str, why: impl Into<String>) -> Self {
        Self { flag, why: why.into() }
    }

    /// Nothing that would tell the image was found.
    pub fn unseen(flag: &'static str, why: impl Into<String>) -> Self {
        Self::new(flag, why)
    }
}

impl From<NeedsFlag> for Failure {
    fn from(needs: NeedsFlag) -> Self {
        Self::new(Exit::Failed, Reason::NeedsFlag, needs.why).hint(format!("{} REGISTRY/REPOSITORY:TAG", needs.flag))
    }
}

/// Longest tag (OCI distribution specification).
const LONGEST_TAG: usize = 128;
/// Longest name, registry included.
const LONGEST_NAME: usize = 255;

impl Image {
    /// Reads a reference.
    ///
    /// # Errors
    /// Which part of it no registry takes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[last..].find(':') {
            // `localhost:5000` alone is a name and a tag, as every runtime reads it.
            Some(colon) => (&rest[..last + colon], Some(&rest[last + colon + 1..])),
            None => (rest, None),
        };
        let (registry, repository) = match name.split_once('/') {
            Some((first, repository)) if is_host(first) => (Some(first), repository),
            _ => (None, name),
        };
        if name.len() > LONGEST_NAME {
            return Err(format!("the name is longer than {LONGEST_NAME} characters"));
        }
        if !repository.split('/').all(is_component) {
            return Err(format!("{repository:?} is not a repository"));
        }
        if registry.is_some_and(|registry| !is_registry(registry)) {
            return Err(format!("{:?} is not a registry", registry.unwrap_or_default()));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(format!("{:?} is not a tag", tag.unwrap_or_default()));
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(format!("{:?} is not a digest", digest.unwrap_or_default()));
        }
        let owned = |part: Option<&str>| part.map(str::to_owned);
        Ok(Self {
            registry: owned(registry),
            repository: repository.to_owned(),
            tag: owned(tag),
            digest: owned(digest),
        })
    }

    /// The last part of the repository: `gloo` of `quay.io/solo-io/gloo:1.17.7`.
    pub(crate) fn name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or_default()
    }

    /// The image beside it that has this name and the same tag.
    fn beside(&self, name: &str) -> Self {
        let repository = match self.repository.rsplit_once('/') {
            Some((parents, _)) => format!("{parents}/{name}"),
            None => name.to_owned(),
        };
        Self { registry: self.registry.clone(), repository, tag: self.tag.clone(), digest: None }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(registry) = &self.registry {
            write!(f, "{registry}/")?;
        }
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// The `sds` image that belongs to a running gloo container: Gloo builds them together, one tag for all.
///
/// # Errors
/// Where the image does not tell: a mirrored name, a digest, no tag.
pub(crate) fn sds_image(gloo: &str) -> Result<Image, NeedsFlag> {
    const SIBLINGS: [(&str, &str); 3] = [("gloo", "sds"), ("gloo-ee", "sds-ee"), ("gloo-ee-fips", "sds-ee-fips")];
    let needs = |why: String| NeedsFlag::new(NeedsFlag::SDS, why);
    let image = Image::parse(gloo).map_err(|why| needs(format!("the gloo image {gloo:?} cannot be read: {why}")))?;
    let sibling = SIBLINGS.iter().find(|(name, _)| *name == image.name());
    let (_, sds) = sibling
        .ok_or_else(|| needs(format!("the gloo image {image} does not tell the sds image: its name is not gloo's")))?;
    if image.digest.is_some() {
        return Err(needs(format!("the gloo image {image} does not tell the sds image: it is pinned by digest")));
    }
    if image.tag.is_none() {
        return Err(needs(format!("the gloo image {image} does not tell the sds image: it has no tag")));
    }
    Ok(image.beside(sds))
}

/// The `istio-proxy` image that belongs to an istiod: `pilot` and `proxyv2` are built together. A digest is
/// of `pilot` alone; a tag beside it serves both.
///
/// # Errors
/// Where the image does not tell: a mirrored name, a digest without a tag.
pub(crate) fn proxyv2_image(pilot: &str) -> Result<Image, NeedsFlag> {
    let needs = |why: String| NeedsFlag::new(NeedsFlag::ISTIO_PROXY, why);
    let image =
        Image::parse(pilot).map_err(|why| needs(format!("the istiod image {pilot:?} cannot be read: {why}")))?;
    if image.name() != "pilot" {
        return Err(needs(format!("the istiod image {image} does not tell the proxy's: its name is not pilot")));
    }
    if image.tag.is_none() {
        let why = if image.digest.is_some() { "it is pinned by digest" } else { "it has no tag" };
        return Err(needs(format!("the istiod image {image} does not tell the proxy's: {why}")));
    }
    Ok(image.beside("proxyv2"))
}

/// Whether the part before the first slash is a registry: the rule every runtime has from Docker.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

fn is_registry(text: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        let is_address =
            !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
        return is_address && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_gap = |gap: &str| matches!(gap, "" | "." | "_" | "__") || gap.bytes().all(|b| b == b'-');
    text.starts_with(is_word) && text.ends_with(is_word) && text.split(is_word).all(is_gap)
}

fn is_tag(text: &str) -> bool {
    (1..=LONGEST_TAG).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        && !text.starts_with(['.', '-'])
}

fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    let is_algorithm = algorithm.starts_with(|c: char| c.is_ascii_alphabetic())
        && algorithm.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'_' | b'-'));
    is_algorithm && hex.len() >= 32 && hex.bytes().all(|b| b.is_ascii_hexdigit())
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

    #[test]
    fn what_no_registry_takes_is_no_reference() {
        for text in ["", "A/b", "a//b", "a:", "a:b:c", "a@sha256:short", "a b", "-a", "a/", "/a", "a.b:x/c", "a:\u{1b}"]
        {
            assert!(Image::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_reference_prints_as_it_was_read(
            registry in proptest::option::of("[a-z]{1,8}(\\.[a-z]{2,4}|:[0-9]{1,5})|localhost"),
            repository in "[a-z0-9]{1,5}([._-][a-z0-9]{1,5}){0,2}(/[a-z0-9]{1,5}(__|-{1,3})[a-z0-9]{1,5}){0,3}",
            tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"),
            digest in proptest::option::of("sha256:[0-9a-f]{64}"),
        ) {
            prop_assume!(registry.is_some() || !repository.split_once('/').is_some_and(|(first, _)| is_host(first)));
            let image = Image { registry, repository, tag, digest };
            prop_assert_eq!(Image::parse(&image.to_string()), Ok(image));
        }

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

        #[test]
        fn nothing_makes_it_fall_over(text in "\\PC{0,60}") {
            if let Ok(image) = Image::parse(&text) {
                prop_assert_eq!(image.to_string(), text);
            }
        }
    }
}
