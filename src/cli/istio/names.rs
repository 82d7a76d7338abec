//! Names of objects, checked before any of them becomes a URL.

use crate::error::Failure;
use crate::options::Named;
use crate::text::Image;

/// Checks a namespace: an RFC 1123 label.
pub(crate) fn check_namespace(flag: &str, name: &str) -> Result<(), Failure> {
    if name.len() <= 63 && is_labels(name) && !name.contains('.') {
        Ok(())
    } else {
        Err(not_a_name(flag, name, "a namespace"))
    }
}

/// Checks an address, an id or an image: one word of printable ASCII that no shell and no YAML reads otherwise.
pub(crate) fn check_word(flag: &str, text: &str) -> Result<(), Failure> {
    let is_fine =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/' | b'@' | b'[' | b']');
    if !text.is_empty() && text.len() <= 1024 && text.bytes().all(is_fine) && !text.starts_with('-') {
        return Ok(());
    }
    Err(Failure::usage(format!("{flag} {text:?} is not one word of letters, digits and -_.:/@")))
}

/// Checks an image: what no registry takes is refused here, and not by a pod that never starts.
pub(crate) fn check_image(flag: &str, text: &str) -> Result<(), Failure> {
    check_word(flag, text)?;
    let why = |why| Failure::usage(format!("{flag} {text:?} is not an image: {why}")).hint("REGISTRY/REPOSITORY:TAG");
    Image::parse(text).map(drop).map_err(why)
}

/// Checks an address: a word with a port, without which nobody connects to it.
pub(crate) fn check_address(flag: &str, text: &str) -> Result<(), Failure> {
    check_word(flag, text)?;
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(()),
        _ => Err(Failure::usage(format!("{flag} {text:?} is not HOST:PORT")).hint("istiod's port is 15012")),
    }
}

/// Reads `name` or `namespace/name`; also `upstream/name`'s long form as `-o name` prints it.
pub(crate) fn named(flag: &str, text: &str) -> Result<Named, Failure> {
    let (namespace, name) = match text.split_once('/') {
        Some(("upstream.gloo.solo.io", rest)) => match rest.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, rest),
        },
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, text),
    };
    if let Some(namespace) = namespace {
        check_namespace(flag, namespace)?;
    }
    if name.len() > 253 || !is_labels(name) {
        return Err(not_a_name(flag, text, "NAME or NAMESPACE/NAME"));
    }
    Ok(Named { namespace: namespace.map(str::to_owned), name: name.to_owned() })
}

/// RFC 1123: lower case letters, digits, `-`, in labels joined by dots.
fn is_labels(text: &str) -> bool {
    text.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    })
}

fn not_a_name(flag: &str, text: &str, wanted: &str) -> Failure {
    Failure::usage(format!("{flag} {text:?} is not {wanted}"))
        .hint("names have lower case letters, digits, - and .; the cluster was not contacted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_become_urls() {
        let named = |text| super::named("--upstream", text);
        assert_eq!(named("a").unwrap(), Named { namespace: None, name: "a".into() });
        assert_eq!(named("ns/a.b-c").unwrap(), Named { namespace: Some("ns".into()), name: "a.b-c".into() });
        assert_eq!(named("upstream.gloo.solo.io/a").unwrap().namespace, None);
        let elsewhere = Named { namespace: Some("ns".into()), name: "a".into() };
        assert_eq!(named("upstream.gloo.solo.io/ns/a").unwrap(), elsewhere);
        for text in [
            "",
            "upstream.gloo.solo.io/a/b/c",
            "/",
            "a/",
            "/a",
            "a/b/c",
            "A",
            "..",
            "../x",
            "a\u{1b}[31m",
            "a\nb",
            "a b",
            "a?x=y",
            "a%2f",
        ] {
            assert!(named(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_address_has_a_port() {
        let is_fine = |text| check_address("--istio-discovery-address", text).is_ok();
        for text in ["istiod.istio-system.svc:15012", "10.0.0.1:15012", "[::1]:15012"] {
            assert!(is_fine(text), "{text}");
        }
        for text in ["", "istiod", "istiod:", ":15012", "istiod:http", "istiod:0", "istiod:99999", "https://istiod"] {
            assert!(!is_fine(text), "{text}");
        }
    }

    #[test]
    fn an_image_is_one_that_a_registry_takes() {
        let is_fine = |text| check_image("--sds-image", text).is_ok();
        for text in ["r/sds:1", "localhost:5000/a/sds", "quay.io/solo-io/sds:1.17.7"] {
            assert!(is_fine(text), "{text}");
        }
        for text in ["", "bad:1:2:3", "quay.io/solo-io/SDS:1", "https://quay.io/sds:1", "sds:"] {
            assert!(!is_fine(text), "{text}");
        }
    }
}
