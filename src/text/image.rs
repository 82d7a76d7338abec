//! Image references.

use std::fmt;

/// An image reference `registry/repository:tag@digest`, each part as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Image {
    /// The registry, such as `quay.io` or `localhost:5000`; `None` for the runtime's default.
    pub registry: Option<String>,
    /// The repository, such as `solo-io/gloo`.
    pub repository: String,
    pub tag: Option<String>,
    /// The digest, such as `sha256:…`.
    pub digest: Option<String>,
}

/// The longest tag (OCI distribution specification).
const LONGEST_TAG: usize = 128;
/// The longest name, including the registry.
const LONGEST_NAME: usize = 255;

impl Image {
    /// Parses a reference.
    ///
    /// # Errors
    /// The part of the reference that no registry accepts.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[last..].find(':') {
            // `localhost:5000` without a slash is a name and a tag, as in every runtime.
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

    /// Everything before the name, including the registry: `quay.io/solo-io`.
    pub(crate) fn parents(&self) -> String {
        let parents = self.repository.rsplit_once('/').map(|(parents, _)| parents);
        let parts: Vec<_> = self.registry.as_deref().into_iter().chain(parents).collect();
        parts.join("/")
    }

    /// The image with this name in the same repository path, with the same tag.
    pub(crate) fn beside(&self, name: &str) -> Self {
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

/// Whether the part before the first slash is a registry, by Docker's rule that every runtime uses.
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

/// Whether the text matches `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
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
        fn nothing_makes_it_fall_over(text in "\\PC{0,60}") {
            if let Ok(image) = Image::parse(&text) {
                prop_assert_eq!(image.to_string(), text);
            }
        }
    }
}
