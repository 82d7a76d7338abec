//! Which virtual host matches a Host header, by Envoy's search order.

/// How well a domain matches. The greater rank wins. An exact domain comes first, then the longest `*.x`, then the
/// longest `x.*`, then `*` (Envoy, `config.route.v3.VirtualHost.domains`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Any,
    Prefix(usize),
    Suffix(usize),
    Exact,
}

impl Rank {
    /// Returns why it wins over a lower rank.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Suffix(_) | Self::Prefix(_) => "wildcard",
            Self::Any => "any host",
        }
    }
}

/// Returns how a domain matches a host. `None` if it does not match. Case is ignored. A wildcard matches at least one
/// character.
pub(crate) fn rank(domain: &str, host: &str) -> Option<Rank> {
    let (domain, host) = (domain.to_ascii_lowercase(), host.to_ascii_lowercase());
    if domain == "*" {
        return Some(Rank::Any);
    }
    if domain == host {
        return Some(Rank::Exact);
    }
    let is_longer = |part: &str| host.len() > part.len();
    if let Some(suffix) = domain.strip_prefix('*') {
        return (is_longer(suffix) && host.ends_with(suffix)).then_some(Rank::Suffix(suffix.len()));
    }
    let prefix = domain.strip_suffix('*')?;
    (is_longer(prefix) && host.starts_with(prefix)).then_some(Rank::Prefix(prefix.len()))
}

/// Returns a host without its port. An IPv6 address keeps its brackets.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => {
            let is_inside_brackets = name.starts_with('[') && !name.ends_with(']');
            let is_bare_address = name.contains(':') && !name.starts_with('[');
            if is_inside_brackets || is_bare_address { host } else { name }
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_beats_the_longest_suffix_beats_the_longest_prefix_beats_any() {
        let host = "api.shop.example";
        let mut domains = ["*", "api.*", "*.example", "api.shop.*", "*.shop.example", "API.shop.example", "*other"];
        domains.sort_by_key(|domain| std::cmp::Reverse(rank(domain, host)));
        assert_eq!(domains, ["API.shop.example", "*.shop.example", "*.example", "api.shop.*", "api.*", "*", "*other"]);
    }

    #[test]
    fn a_wildcard_stands_for_something_and_a_port_is_part_of_the_host() {
        assert_eq!(rank("*.shop.example", ".shop.example"), None);
        assert_eq!(rank("*-a.example", "b-a.example"), Some(Rank::Suffix(10)));
        assert_eq!(rank("shop.example", "shop.example:8080"), None);
        assert_eq!(rank("shop.example:*", "shop.example:8080"), Some(Rank::Prefix(13)));
        assert_eq!(rank("", "shop.example"), None);
    }

    #[test]
    fn a_port_is_told_from_an_address() {
        for (host, bare) in [("a:80", "a"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("::1", "::1")] {
            assert_eq!(without_port(host), bare);
        }
    }
}
