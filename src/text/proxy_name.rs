//! Names of gateway proxies on the command line: `x`, `svc/x`, `deployment/x`, `pod/x`.

use crate::command::quoted;
use crate::error::Failure;

/// The kind before the slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ProxyKind {
    Service,
    Deployment,
    DaemonSet,
    Pod,
}

/// A proxy name from the command line. Without a kind, the command decides which kinds it searches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyName {
    pub kind: Option<ProxyKind>,
    pub name: String,
}

/// Writes `gateway-proxy` or `deployment/gateway-proxy`, as `--name` takes it.
impl std::fmt::Display for ProxyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = WORDS.iter().find(|(kind, _)| Some(*kind) == self.kind).and_then(|(_, words)| words.get(1));
        match word {
            Some(word) => write!(f, "{word}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// kubectl's names for each kind.
const WORDS: [(ProxyKind, &[&str]); 4] = [
    (ProxyKind::Service, &["svc", "service", "services"]),
    (ProxyKind::Deployment, &["deploy", "deployment", "deployments", "deployment.apps", "deployments.apps"]),
    (ProxyKind::DaemonSet, &["ds", "daemonset", "daemonsets", "daemonset.apps", "daemonsets.apps"]),
    (ProxyKind::Pod, &["po", "pod", "pods"]),
];

/// The longest name of a Kubernetes object.
const LONGEST: usize = 253;

/// Parses a proxy's name. An accepted name is also safe as a part of a URL's path.
///
/// # Errors
/// A usage failure if the text is not a kind of proxy, or not a name that Kubernetes allows.
pub(crate) fn parse(text: &str) -> Result<ProxyName, Failure> {
    let (kind, name) = match text.split_once('/') {
        None => (None, text),
        Some((word, name)) => (Some(kind_of(word, name)?), name),
    };
    if !is_name(name) {
        return Err(Failure::usage(format!("--name {}: not a name of a Kubernetes object", shown(text)))
            .detail("lower-case letters, digits, - and . are allowed, with a letter or digit at each end")
            .hint("NAME, svc/NAME, deployment/NAME, daemonset/NAME or pod/NAME"));
    }
    Ok(ProxyName { kind, name: name.to_owned() })
}

fn kind_of(word: &str, name: &str) -> Result<ProxyKind, Failure> {
    if let Some((kind, _)) = WORDS.iter().find(|(_, words)| words.contains(&word)) {
        return Ok(*kind);
    }
    let failure = Failure::usage(format!("--name {}: no kind of a proxy", shown(&format!("{word}/{name}"))));
    Err(if is_name(word) && is_name(name) {
        failure.detail("kinds are svc, deployment, daemonset and pod").hint(format!(
            "if {word} is a namespace: -n {} --name {}",
            quoted(word),
            quoted(name)
        ))
    } else {
        failure.hint("NAME, svc/NAME, deployment/NAME, daemonset/NAME or pod/NAME")
    })
}

impl ProxyName {
    /// The name of the Service with this proxy's address. Gloo gives a proxy's workload and its Service the same name.
    ///
    /// # Errors
    /// A usage failure for a pod: its name does not contain the Service's.
    pub(crate) fn service_name(&self) -> Result<&str, Failure> {
        if self.kind == Some(ProxyKind::Pod) {
            return Err(Failure::usage(format!("--name pod/{}: a pod has no address of its own", self.name))
                .hint("name the Service: --name svc/NAME"));
        }
        Ok(&self.name)
    }
}

/// The name of a Gateway of the Kubernetes Gateway API: `--gateway`. It is safe as a part of a URL's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GatewayName(String);

impl GatewayName {
    /// Parses a name.
    ///
    /// # Errors
    /// A usage failure if the text is not a name that Kubernetes allows.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        if !is_name(text) {
            return Err(Failure::usage(format!("--gateway {}: not a name of a Kubernetes object", shown(text)))
                .hint("name the Gateway alone; its namespace is -n NAMESPACE"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name of the Gateway.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the Service, Deployment and ConfigMap that Gloo creates for the Gateway. It is truncated as in Gloo's
    /// chart: to 63 characters, then without one trailing `-`.
    pub(crate) fn proxy(&self) -> String {
        const LONGEST_LABEL: usize = 63;
        let name: String = format!("gloo-proxy-{}", self.0).chars().take(LONGEST_LABEL).collect();
        name.strip_suffix('-').map_or_else(|| name.clone(), str::to_owned)
    }
}

/// Whether the text is a DNS subdomain (RFC 1123), as the names of objects are.
fn is_name(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label = |label: &str| {
        label.starts_with(alphanumeric)
            && label.ends_with(alphanumeric)
            && label.chars().all(|c| alphanumeric(c) || c == '-')
    };
    text.len() <= LONGEST && text.split('.').all(label)
}

/// The typed text in ASCII, on one line and truncated.
fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let escaped: String = text.chars().take(MOST).flat_map(char::escape_default).collect();
    let more = if text.chars().nth(MOST).is_some() { "..." } else { "" };
    format!("'{escaped}{more}'")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::{Exit, Reason};

    #[test]
    fn a_proxy_is_named_in_kubectls_words() {
        for (text, kind) in [
            ("x", None),
            ("svc/x", Some(ProxyKind::Service)),
            ("service/x", Some(ProxyKind::Service)),
            ("deploy/x", Some(ProxyKind::Deployment)),
            ("deployment/x", Some(ProxyKind::Deployment)),
            ("deployment.apps/x", Some(ProxyKind::Deployment)),
            ("ds/x", Some(ProxyKind::DaemonSet)),
            ("daemonset/x", Some(ProxyKind::DaemonSet)),
            ("po/x", Some(ProxyKind::Pod)),
            ("pod/x", Some(ProxyKind::Pod)),
        ] {
            assert_eq!(parse(text), Ok(ProxyName { kind, name: "x".into() }), "{text}");
        }
        assert_eq!(parse("gloo-proxy-http.v2").unwrap().name, "gloo-proxy-http.v2");
    }

    #[test]
    fn what_is_no_name_is_a_usage_failure() {
        let long = "a".repeat(254);
        for text in [
            "",
            "/",
            "svc/",
            "/x",
            "svc/x/y",
            "X",
            "svc/Gateway",
            "-x",
            "x-",
            ".",
            "..",
            "a..b",
            "a b",
            "x\n",
            "\u{1b}[31mx",
            "svc/../secrets",
            "x?watch=1",
            "x%2fy",
            "\u{fc}",
            "node/x",
            long.as_str(),
        ] {
            let failure = parse(text).unwrap_err();
            assert_eq!((failure.exit, failure.reason), (Exit::Usage, Reason::Usage), "{text:?}");
            assert!(failure.message.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{failure}");
            assert!(failure.message.len() < 400, "{failure}");
        }
    }

    #[test]
    fn a_namespace_before_the_slash_is_told_where_it_belongs() {
        let failure = parse("gloo-system/gateway-proxy").unwrap_err();
        assert_eq!(failure.hints, ["if gloo-system is a namespace: -n gloo-system --name gateway-proxy"]);
    }

    #[test]
    fn an_address_is_asked_of_the_service_of_that_name_and_never_of_a_pod() {
        assert_eq!(parse("ds/x").unwrap().service_name(), Ok("x"));
        assert_eq!(parse("x").unwrap().service_name(), Ok("x"));
        assert_eq!(parse("pod/x-1").unwrap().service_name().unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_gateways_service_is_cut_to_what_a_label_holds() {
        let proxy = |gateway: &str| GatewayName::parse(gateway).unwrap().proxy();
        assert_eq!(proxy("http"), "gloo-proxy-http");
        assert_eq!(proxy(&"g".repeat(80)), format!("gloo-proxy-{}", "g".repeat(52)));
        let dash_at_the_cut = format!("{}-{}", "g".repeat(51), "tail");
        assert_eq!(proxy(&dash_at_the_cut), format!("gloo-proxy-{}", "g".repeat(51)));
    }

    #[test]
    fn a_gateway_is_a_bare_name() {
        assert_eq!(GatewayName::parse("http").map(|gateway| gateway.as_str().to_owned()), Ok("http".into()));
        for text in ["", "svc/http", "../http", "HTTP", "http?x", "a\n"] {
            assert_eq!(GatewayName::parse(text).unwrap_err().exit, Exit::Usage, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_parses_is_safe_in_a_path(text in "\\PC{0,12}|[a-z./-]{0,12}") {
            if let Ok(proxy) = parse(&text) {
                prop_assert!(!proxy.name.is_empty() && !proxy.name.contains(['/', '%', '?', '#']));
                prop_assert!(!proxy.name.split('.').any(str::is_empty));
            }
        }
    }
}
