//! Suppressed findings: by code and object, with a reason and an optional expiry date.

use serde_json::Value;

use super::{Finding, Ran, codes};
use crate::text::is_like;

/// One suppression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suppression {
    pub code: String,
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    pub reason: String,
    /// The last day on which it is valid, such as `2026-12-31`.
    pub expires: Option<String>,
}

/// Reads the document of the file: `suppress:` and a list.
///
/// # Errors
/// What is wrong, and in which item.
pub(crate) fn parse(document: &Value) -> Result<Vec<Suppression>, String> {
    let Some(fields) = document.as_object() else { return Err("it has no key suppress".into()) };
    if let Some(key) = fields.keys().find(|key| *key != "suppress") {
        return Err(format!("unknown key {key}; the only key is suppress"));
    }
    let Some(items) = fields.get("suppress").and_then(Value::as_array) else {
        return Err("suppress is not a list".into());
    };
    items.iter().enumerate().map(|(index, item)| one(item).map_err(|why| format!("suppress[{index}]: {why}"))).collect()
}

fn one(item: &Value) -> Result<Suppression, String> {
    let known = ["code", "object", "reason", "expires"];
    check_keys(item, &known)?;
    let text = |value: &Value, key: &str| match value {
        Value::Null => Ok(None),
        Value::String(text) if !text.trim().is_empty() => Ok(Some(text.clone())),
        _ => Err(format!("{key} is not text")),
    };
    let code = text(&item["code"], "code")?.ok_or("it has no code")?;
    if codes::named(&code).is_none() {
        let retired = if codes::RETIRED.contains(&code.as_str()) { ": it is retired" } else { "" };
        return Err(format!("{code} is not a finding code{retired}"));
    }
    let object = &item["object"];
    if !object.is_null() {
        check_keys(object, &["kind", "namespace", "name"])?;
    }
    let expires = text(&item["expires"], "expires")?;
    if let Some(day) = expires.as_deref().filter(|day| !is_day(day)) {
        return Err(format!("expires {day:?} is not a date such as 2026-12-31"));
    }
    Ok(Suppression {
        code,
        kind: text(&object["kind"], "kind")?,
        namespace: text(&object["namespace"], "namespace")?,
        name: text(&object["name"], "name")?,
        reason: text(&item["reason"], "reason")?.ok_or("it has no reason")?,
        expires,
    })
}

fn check_keys(value: &Value, known: &[&str]) -> Result<(), String> {
    let Some(fields) = value.as_object() else { return Err("it is not a map".into()) };
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown key {key}; the keys are {}", known.join(", "))),
        None => Ok(()),
    }
}

fn is_day(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let number = |part: &str, digits: usize| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
    let in_range = |part: &str, most: u8| part.parse::<u8>().is_ok_and(|number| (1..=most).contains(&number));
    matches!(parts[..], [year, month, day] if number(year, 4) && number(month, 2) && number(day, 2)
        && in_range(month, 12) && in_range(day, 31))
}

/// How the suppressions were used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Expired suppressions, which have no effect.
    pub expired: Vec<Suppression>,
    /// Suppressions that matched no finding.
    pub unused: Vec<Suppression>,
}

/// Moves suppressed findings out of the results. `today` is a date such as `2026-12-31`.
pub(crate) fn apply(suppressions: &[Suppression], today: &str, ran: &mut [Ran]) -> Used {
    let mut used = vec![false; suppressions.len()];
    for ran in ran {
        let findings = std::mem::take(&mut ran.findings);
        for finding in findings {
            let hit = suppressions.iter().position(|it| !it.is_over(today) && it.fits(&finding));
            match hit {
                Some(index) => {
                    used[index] = true;
                    ran.suppressed.push((finding, suppressions[index].reason.clone()));
                }
                None => ran.findings.push(finding),
            }
        }
    }
    let left = suppressions.iter().zip(used).filter(|(_, used)| !used).map(|(it, _)| it.clone());
    let (expired, unused) = left.partition(|it| it.is_over(today));
    Used { expired, unused }
}

impl Suppression {
    fn is_over(&self, today: &str) -> bool {
        self.expires.as_deref().is_some_and(|day| day < today)
    }

    fn fits(&self, finding: &Finding) -> bool {
        let object = &finding.object;
        let fits = |pattern: &Option<String>, text: &str| pattern.as_ref().is_none_or(|pattern| is_like(pattern, text));
        finding.code.id.eq_ignore_ascii_case(&self.code)
            && fits(&self.kind, object.kind.kind)
            && fits(&self.namespace, &object.namespace)
            && fits(&self.name, &object.name)
    }

    /// The suppression as one line: `GRS101 Upstream shop/legacy-*`.
    #[must_use]
    pub(crate) fn shown(&self) -> String {
        let part = |pattern: &Option<String>| pattern.clone().unwrap_or_else(|| "*".to_owned());
        format!("{} {} {}/{}", self.code, part(&self.kind), part(&self.namespace), part(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_without_reason_or_with_a_typo_is_none() {
        let read = |text: &str| parse(&crate::yaml::parse(text).unwrap());
        let fine =
            "suppress:\n- {code: GRS101, object: {kind: Upstream, name: 'a*'}, reason: r, expires: '2026-12-31'}";
        assert_eq!(read(fine).unwrap()[0].shown(), "GRS101 Upstream */a*");
        for (text, why) in [
            ("suppress: [{code: GRS101}]", "suppress[0]: it has no reason"),
            ("suppress: [{code: GRS999, reason: r}]", "suppress[0]: GRS999 is not a finding code"),
            ("suppress: [{code: GRS101, reason: ' '}]", "suppress[0]: reason is not text"),
            (
                "suppress: [{code: GRS101, reason: r, expires: soon}]",
                "suppress[0]: expires \"soon\" is not a date such as 2026-12-31",
            ),
            (
                "suppress: [{code: GRS101, reason: r, until: x}]",
                "suppress[0]: unknown key until; the keys are code, object, reason, expires",
            ),
            (
                "suppress: [{code: GRS101, reason: r, object: {names: x}}]",
                "suppress[0]: unknown key names; the keys are kind, namespace, name",
            ),
            ("suppres: []", "unknown key suppres; the only key is suppress"),
            ("[]", "it has no key suppress"),
        ] {
            assert_eq!(read(text).unwrap_err(), why);
        }
    }
}
