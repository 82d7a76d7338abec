//! The paths of the admin interface (Envoy, `source/server/admin`).

use std::fmt::Write as _;

/// The form of a page that has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StatsFormat {
    /// `name: value`, one a line.
    #[default]
    Text,
    Json,
    Prometheus,
}

/// Which statistics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StatsWish {
    /// A regular expression of RE2 that a name has to match somewhere.
    pub filter: Option<String>,
    pub format: StatsFormat,
    pub scope: StatsScope,
}

/// Whether statistics that were never written are there too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StatsScope {
    #[default]
    All,
    /// `--used`
    Used,
}

/// `/stats`
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

/// As one value of a query (RFC 3986, unreserved characters stay).
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
