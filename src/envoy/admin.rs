//! Paths of the admin interface (Envoy, `source/server/admin`).

use std::fmt::Write as _;

/// The format of the statistics page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StatsFormat {
    /// One `name: value` on each line.
    #[default]
    Text,
    Json,
    Prometheus,
}

/// The statistics to request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StatsWish {
    /// A regular expression (RE2) that must match a part of the name.
    pub filter: Option<String>,
    pub format: StatsFormat,
    pub scope: StatsScope,
}

/// Whether statistics that were never updated are included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StatsScope {
    #[default]
    All,
    /// Only statistics that were updated: `--used`.
    Used,
}

/// The path of the statistics page with its query.
#[must_use]
pub(crate) fn stats(wish: &StatsWish) -> String {
    let mut query = Vec::new();
    query.extend((wish.scope == StatsScope::Used).then(|| "usedonly".to_owned()));
    query.extend(wish.filter.as_ref().map(|filter| format!("filter={}", encoded(filter))));
    query.extend(match wish.format {
        StatsFormat::Text => None,
        StatsFormat::Json => Some("format=json".to_owned()),
        StatsFormat::Prometheus => Some("format=prometheus".to_owned()),
    });
    match query.is_empty() {
        true => "/stats".to_owned(),
        false => format!("/stats?{}", query.join("&")),
    }
}

/// Encodes the text as one query value (RFC 3986; unreserved characters stay).
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => out.push(char::from(byte)),
            false => write!(out, "%{byte:02X}").expect("writing to a String does not fail"),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_asked_for_as_envoy_reads_it() {
        assert_eq!(stats(&StatsWish::default()), "/stats");
        let wish = StatsWish {
            filter: Some("ssl.*(fail|error)&x".to_owned()),
            format: StatsFormat::Prometheus,
            scope: StatsScope::Used,
        };
        assert_eq!(stats(&wish), "/stats?usedonly&filter=ssl.%2A%28fail%7Cerror%29%26x&format=prometheus");
    }
}
