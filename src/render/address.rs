//! The addresses of a gateway, as values of the document.

use serde_json::{Value, json};

use crate::plan::address::Address;

/// An address as a value of the document.
#[must_use]
pub fn value(address: &Address) -> Value {
    json!({
        "url": address.url(),
        "address": address.address(),
        "host": address.host.to_string().trim_matches(['[', ']']),
        "port": address.port,
        "scheme": address.scheme.map(crate::text::Scheme::name),
        "portName": address.port_name,
        "source": address.source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Host, Scheme};

    #[test]
    fn the_host_stands_alone_as_a_socket_takes_it() {
        let address = Address {
            host: Host::parse("2001:db8::1").unwrap(),
            port: 443,
            scheme: Some(Scheme::Https),
            port_name: Some("https".to_owned()),
            source: "clusterIP".to_owned(),
        };
        assert_eq!(
            value(&address),
            json!({
                "url": "https://[2001:db8::1]:443", "address": "[2001:db8::1]:443", "host": "2001:db8::1", "port": 443,
                "scheme": "https", "portName": "https", "source": "clusterIP",
            })
        );
    }
}
