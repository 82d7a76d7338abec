//! Names of objects, checked before any of them becomes a URL.

use crate::error::Failure;
use crate::options::Named;

/// Checks a namespace: an RFC 1123 label.
pub fn check_namespace(flag: &str, name: &str) -> Result<(), Failure> {
    if name.len() <= 63 && is_labels(name) && !name.contains('.') {
        Ok(())
    } else {
        Err(not_a_name(flag, name, "a namespace"))
    }
}

/// Checks an address, an id or an image: one word of printable ASCII that no shell and no YAML reads otherwise.
pub fn check_word(flag: &str, text: &str) -> Result<(), Failure> {
    let is_fine =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/' | b'@' | b'[' | b']');
    if !text.is_empty() && text.len() <= 1024 && text.bytes().all(is_fine) && !text.starts_with('-') {
        return Ok(());
    }
    Err(Failure::usage(format!("{flag} {text:?} is not one word of letters, digits and -_.:/@")))
}

/// Reads `name` or `namespace/name`; also `upstream/name`'s long form as `-o name` prints it.
pub fn named(flag: &str, text: &str) -> Result<Named, Failure> {
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
        .hint("names have lower case letters, digits, - and .; nothing was asked of any cluster")
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
}
