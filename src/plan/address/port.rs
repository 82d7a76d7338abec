//! The choice of a Service port, and the protocol on that port.

use serde_json::Value;

use super::View;
use crate::command::{flag, quoted};
use crate::error::{Exit, Failure, Reason};
use crate::text::Scheme;

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GatewayPort<'a> {
    pub name: Option<&'a str>,
    pub number: u16,
    pub protocol: &'a str,
    pub app_protocol: Option<&'a str>,
    pub on_nodes: Option<u16>,
    pub target: Option<u16>,
}

/// The protocol that a port name or an `appProtocol` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoken {
    Url(Scheme),
    Other,
    Unsaid,
}

impl<'a> GatewayPort<'a> {
    fn read(value: &'a Value) -> Option<Self> {
        let number = |key: &str| u16::try_from(value[key].as_u64()?).ok().filter(|number| *number != 0);
        Some(Self {
            name: value["name"].as_str().filter(|name| !name.is_empty()),
            number: number("port")?,
            protocol: value["protocol"].as_str().unwrap_or("TCP"),
            app_protocol: value["appProtocol"].as_str().filter(|protocol| !protocol.is_empty()),
            on_nodes: number("nodePort"),
            target: number("targetPort"),
        })
    }

    pub(super) fn is_tcp(&self) -> bool {
        self.protocol == "TCP"
    }

    /// Returns a text like `http 80`, `443` or `quic 443/UDP`.
    pub(super) fn shown(&self) -> String {
        let name = self.name.map(|name| format!("{name} ")).unwrap_or_default();
        let protocol = if self.is_tcp() { String::new() } else { format!("/{}", self.protocol) };
        format!("{name}{}{protocol}", self.number)
    }

    /// Returns the value for `--port` that selects this port.
    pub(super) fn word(&self) -> String {
        self.name.map_or_else(|| self.number.to_string(), str::to_owned)
    }

    /// Returns the scheme by the port's name first, then its `appProtocol`, then its number. The text of the `--port`
    /// flag is never used.
    pub(super) fn scheme(&self) -> Option<Scheme> {
        if !self.is_tcp() {
            return None;
        }
        let said = [self.name.map(said_by_name), self.app_protocol.map(said_by_protocol)];
        match said.into_iter().flatten().find(|spoken| *spoken != Spoken::Unsaid) {
            Some(Spoken::Url(scheme)) => Some(scheme),
            Some(_) => None,
            None => match self.number {
                443 | 8443 => Some(Scheme::Https),
                80 | 8080 => Some(Scheme::Http),
                _ => None,
            },
        }
    }
}

/// Istio's convention, `<protocol>[-<suffix>]`, and any name that begins with http or https.
fn said_by_name(name: &str) -> Spoken {
    let name = name.to_ascii_lowercase();
    let first = name.split('-').next().unwrap_or_default();
    match first {
        _ if name.starts_with("https") => Spoken::Url(Scheme::Https),
        _ if name.starts_with("http") => Spoken::Url(Scheme::Http),
        "grpc" => Spoken::Url(Scheme::Http),
        "tcp" | "udp" | "mongo" | "mysql" | "redis" => Spoken::Other,
        _ => Spoken::Unsaid,
    }
}

fn said_by_protocol(protocol: &str) -> Spoken {
    match protocol.to_ascii_lowercase().as_str() {
        "https" | "kubernetes.io/wss" => Spoken::Url(Scheme::Https),
        "http" | "http2" | "h2c" | "grpc" | "grpc-web" | "kubernetes.io/h2c" | "kubernetes.io/ws" => {
            Spoken::Url(Scheme::Http)
        }
        "tls" => Spoken::Unsaid,
        _ => Spoken::Other,
    }
}

/// Returns the requested port. If none was requested, returns the one named `http`, otherwise the only one.
///
/// A requested port that does not exist has the exit code "the cluster said no" (4), like any name that is not found.
/// Where no port was requested and none can be chosen, the exit code is "refused" (1), because no name was looked up.
pub(super) fn choose<'a>(view: &View<'a>) -> Result<GatewayPort<'a>, Failure> {
    let ports: Vec<GatewayPort> =
        view.spec()["ports"].as_array().into_iter().flatten().filter_map(GatewayPort::read).collect();
    if ports.is_empty() {
        return Err(view.refused(Reason::NoPort, "has no ports"));
    }
    match &view.wish.port {
        Some(wanted) => asked(view, &ports, wanted),
        None => unasked(view, &ports),
    }
}

/// Finds a port by name first, then by number. TCP comes before UDP, because HTTP/3 uses the port number of HTTPS.
fn asked<'a>(view: &View, ports: &[GatewayPort<'a>], wanted: &str) -> Result<GatewayPort<'a>, Failure> {
    let number =
        Some(wanted).filter(|text| text.bytes().all(|b| b.is_ascii_digit())).and_then(|text| text.parse().ok());
    let by_number = |tcp: bool| ports.iter().find(move |port| Some(port.number) == number && port.is_tcp() == tcp);
    let by_name = ports.iter().find(|port| port.name == Some(wanted));
    if let Some(port) = by_name.or_else(|| by_number(true)).or_else(|| by_number(false)) {
        return Ok(port.clone());
    }
    let wanted: String = wanted.chars().take(80).flat_map(char::escape_default).collect();
    let message = format!("{} has no port {wanted}", view.named());
    let failure = Failure::new(Exit::SaidNo, Reason::NoPort, message).detail(listed(ports));
    let meant = ports.iter().find(|port| number.is_some() && (port.target == number || port.on_nodes == number));
    Err(match meant {
        Some(port) if port.target == number => {
            failure.hint(format!("{wanted} is the target of port {0}: --port {1}", port.word(), quoted(&port.word())))
        }
        Some(port) => failure.hint(format!(
            "{wanted} is the node port of port {0}: --port {1}",
            port.word(),
            quoted(&port.word())
        )),
        None => failure,
    })
}

fn unasked<'a>(view: &View, ports: &[GatewayPort<'a>]) -> Result<GatewayPort<'a>, Failure> {
    let tcp: Vec<&GatewayPort> = ports.iter().filter(|port| port.is_tcp()).collect();
    if let Some(port) = tcp.iter().find(|port| port.name == Some("http")) {
        return Ok((*port).clone());
    }
    match tcp.as_slice() {
        [] => {
            let words = ports[0].word();
            Err(view
                .refused(Reason::NoPort, "has no TCP port")
                .detail(listed(ports))
                .hint(flag("--port").text(format!(" {} prints its host:port", quoted(&words)))))
        }
        [only] => Ok((*only).clone()),
        _ => Err(view
            .refused(Reason::NoPort, "has several ports and none is named http")
            .detail(listed(ports))
            .hint("choose one by name or number: --port PORT")),
    }
}

fn listed(ports: &[GatewayPort]) -> String {
    let shown: Vec<String> = ports.iter().map(GatewayPort::shown).collect();
    format!("ports: {}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_scheme_follows_name_then_protocol_then_number() {
        let (http, https) = (Some(Scheme::Http), Some(Scheme::Https));
        let cases = [
            (json!({"name": "http", "port": 8081}), http),
            (json!({"name": "https", "port": 80}), https),
            (json!({"name": "http2", "port": 443}), http),
            (json!({"name": "https-internal", "port": 9000}), https),
            (json!({"name": "grpc-web", "port": 9000}), http),
            (json!({"name": "tcp-admin", "port": 443}), None),
            (json!({"name": "mysql", "port": 3306}), None),
            (json!({"name": "listener", "port": 9000, "appProtocol": "https"}), https),
            (json!({"name": "listener", "port": 443, "appProtocol": "kubernetes.io/h2c"}), http),
            (json!({"name": "listener", "port": 9000, "appProtocol": "kubernetes.io/ws"}), http),
            (json!({"name": "listener", "port": 9000, "appProtocol": "kubernetes.io/wss"}), https),
            (json!({"name": "listener", "port": 9000, "appProtocol": "HTTP2"}), http),
            (json!({"name": "listener", "port": 9000, "appProtocol": "grpc"}), http),
            (json!({"name": "listener", "port": 443, "appProtocol": "tcp"}), None),
            (json!({"name": "listener", "port": 443, "appProtocol": "example.com/own"}), None),
            (json!({"name": "listener", "port": 443, "appProtocol": "tls"}), https),
            (json!({"name": "http", "port": 80, "appProtocol": "https"}), http),
            (json!({"name": "tls", "port": 8443}), https),
            (json!({"port": 443}), https),
            (json!({"port": 8443}), https),
            (json!({"port": 80}), http),
            (json!({"port": 8080}), http),
            (json!({"port": 9000}), None),
            (json!({"name": "https-h3", "port": 443, "protocol": "UDP"}), None),
            (json!({"name": "http", "port": 80, "protocol": "SCTP"}), None),
        ];
        for (port, scheme) in cases {
            assert_eq!(GatewayPort::read(&port).unwrap().scheme(), scheme, "{port}");
        }
    }
}
