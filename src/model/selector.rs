//! Label selectors with the API server's rules, for manifests that are not on an API server.

use serde_json::Value;

/// A label selector: `app=a,tier!=b,c in (d, e),!f`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

impl Selector {
    /// Parses a selector.
    ///
    /// # Errors
    /// What is wrong with the selector.
    pub fn parse(text: &str) -> Result<Self, String> {
        let requirements = pieces(text)?.into_iter().map(requirement).collect::<Result<Vec<_>, _>>()?;
        if requirements.is_empty() {
            return Err("is empty".into());
        }
        Ok(Self { text: text.to_owned(), requirements })
    }

    /// Whether an object with these labels is selected. As on the API server, `!=` and `notin` also select objects
    /// without the label.
    pub fn matches(&self, labels: &Value) -> bool {
        self.requirements.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => labels[key].as_str().is_some_and(|label| values.iter().any(|v| v == label)),
            Requirement::NotIn(key, values) => {
                !labels[key].as_str().is_some_and(|label| values.iter().any(|v| v == label))
            }
            Requirement::Exists(key) => !labels[key].is_null(),
            Requirement::Missing(key) => labels[key].is_null(),
        })
    }
}

/// Formats the selector as it was typed.
impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The requirements, split at the commas outside of parentheses.
fn pieces(text: &str) -> Result<Vec<&str>, String> {
    let mut depth = 0_usize;
    let mut start = 0;
    let mut pieces = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1).ok_or("has a ) without its (")?,
            ',' if depth == 0 => {
                pieces.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err("has a ( without its )".into());
    }
    pieces.push(text[start..].trim());
    Ok(pieces)
}

fn requirement(piece: &str) -> Result<Requirement, String> {
    if let Some((key, list)) = piece.split_once('(') {
        let values: Vec<_> = list.trim_end_matches(')').split(',').map(|value| value.trim().to_owned()).collect();
        values.iter().try_for_each(|value| check_value(value))?;
        return match key.split_whitespace().collect::<Vec<_>>().as_slice() {
            [key, "in"] => Ok(Requirement::In(checked_key(key)?, values)),
            [key, "notin"] => Ok(Requirement::NotIn(checked_key(key)?, values)),
            _ => Err(format!("{piece:?} is neither KEY in (…) nor KEY notin (…)")),
        };
    }
    let (key, value, equal) = if let Some((key, value)) = piece.split_once("!=") {
        (key, value, false)
    } else if let Some((key, value)) = piece.split_once("==").or_else(|| piece.split_once('=')) {
        (key, value, true)
    } else if let Some(key) = piece.strip_prefix('!') {
        return Ok(Requirement::Missing(checked_key(key.trim())?));
    } else {
        return Ok(Requirement::Exists(checked_key(piece)?));
    };
    let (key, value) = (checked_key(key.trim())?, value.trim().to_owned());
    check_value(&value)?;
    Ok(match equal {
        true => Requirement::In(key, vec![value]),
        false => Requirement::NotIn(key, vec![value]),
    })
}

fn checked_key(key: &str) -> Result<String, String> {
    let (prefix, name) = key.split_once('/').unwrap_or(("", key));
    let is_fine = is_label(name, 63) && !name.is_empty() && (prefix.is_empty() || is_label(prefix, 253));
    if is_fine { Ok(key.to_owned()) } else { Err(format!("{key:?} is not a label key")) }
}

fn check_value(value: &str) -> Result<(), String> {
    if is_label(value, 63) { Ok(()) } else { Err(format!("{value:?} is not a label value")) }
}

fn is_label(text: &str, most: usize) -> bool {
    text.len() <= most
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && !text.starts_with(['-', '_', '.'])
        && !text.ends_with(['-', '_', '.'])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_select_as_the_api_server_does() {
        let labels = json!({"app": "a", "tier": "web"});
        let table = [
            ("app=a", true),
            ("app==a,tier=web", true),
            ("app=b", false),
            ("app!=b", true),
            ("none!=b", true),
            ("app", true),
            ("!app", false),
            ("!none", true),
            ("tier in (web, api)", true),
            ("tier notin (web,api)", false),
            ("none notin (x)", true),
            ("app.kubernetes.io/name=", false),
        ];
        for (text, wanted) in table {
            assert_eq!(Selector::parse(text).unwrap().matches(&labels), wanted, "{text}");
        }
        assert!(!Selector::parse("app=a").unwrap().matches(&Value::Null));
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in ["", ",", "a=b=c", "a in b", "a in (b", "a)", "=x", "a b", "-a", "a=\u{1b}[31m", "a foo (b)"] {
            assert!(Selector::parse(text).is_err(), "{text:?}");
        }
    }
}
