//! A host in the form that a URL accepts. Hosts from the cluster are validated, because they are printed into shells.

use core::net::IpAddr;
use std::fmt;

/// An IP address or a DNS name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    Ip(IpAddr),
    Name(String),
}

impl Host {
    /// Parses a host; `None` if the text is neither an IP address nor a DNS name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(ip) = text.parse() {
            return Some(Self::Ip(ip));
        }
        is_dns_name(text).then(|| Self::Name(text.to_owned()))
    }

    /// Whether it is an IP address.
    #[must_use]
    pub fn is_ip(&self) -> bool {
        matches!(self, Self::Ip(_))
    }
}

/// Formats the host as before a colon and a port: IPv6 in brackets (RFC 3986).
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Whether the text is a DNS name. A label has no dash at its ends: a host that begins with a dash would be an option
/// of the command that gets it. A last label of digits only would be an IPv4 address to some readers and not to others.
fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(label) && !last.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_is_an_ip_or_a_dns_name() {
        for (text, shown) in [
            ("34.162.22.180", "34.162.22.180"),
            ("2001:DB8::1", "[2001:db8::1]"),
            ("::ffff:10.0.0.1", "[::ffff:10.0.0.1]"),
            ("a1b2.elb.amazonaws.com", "a1b2.elb.amazonaws.com"),
            ("kind-worker", "kind-worker"),
            ("node_1", "node_1"),
        ] {
            assert_eq!(Host::parse(text).map(|host| host.to_string()).as_deref(), Some(shown));
        }
    }

    #[test]
    fn what_would_not_be_one_word_of_a_url_is_no_host() {
        for text in [
            "",
            ".",
            "a..b",
            "-oX.example",
            "a-.example",
            "010.0.0.1",
            "1234",
            "fe80::1%eth0",
            "[::1]",
            "a b",
            "a\n",
            "\u{1b}[31m",
            "$(id)",
            "a/b",
            "user@host",
            "host:80",
            "b\u{fc}cher.example",
        ] {
            assert_eq!(Host::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn an_ip_comes_back_as_itself(bits in any::<u128>(), port in any::<u16>()) {
            let ip = core::net::Ipv6Addr::from_bits(bits);
            let shown = format!("{}:{port}", Host::parse(&ip.to_string()).unwrap());
            prop_assert_eq!(shown.parse(), Ok(core::net::SocketAddrV6::new(ip, port, 0, 0)));
        }

        #[test]
        fn whatever_is_a_host_is_one_plain_word(text in "\\PC{0,8}|[a-c0-9.:_-]{0,12}") {
            if let Some(host) = Host::parse(&text) {
                let shown = host.to_string();
                prop_assert!(!shown.starts_with('-'));
                prop_assert!(shown.bytes().all(|b| b.is_ascii_alphanumeric() || b"[]:.-_".contains(&b)));
            }
        }
    }
}
