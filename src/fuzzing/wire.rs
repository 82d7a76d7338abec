//! The control plane's protobuf: fields are found by their path in any message.

use super::choice;
use crate::gloo::wire::{fields, texts};
use crate::gloo::{route_configs, socket_of};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// A field of bytes in protobuf's wire format.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    for mut value in [number << 3 | 2, bytes.len() as u64] {
        while value >= 0x80 {
            message.push(low_byte(value) | 0x80);
            value >>= 7;
        }
        message.push(low_byte(value));
    }
    message.extend(bytes);
    message
}

fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

pub(super) fn run(data: &[u8]) {
    let (number, message) = choice(data);
    let number = number as u64 + 1;
    let whole = message.as_ptr_range();
    for wanted in 0..16 {
        for found in fields(message, wanted) {
            let found = found.as_ptr_range();
            assert!(whole.start <= found.start && found.end <= whole.end);
        }
    }
    assert_eq!(fields(&field(number, message), number).collect::<Vec<_>>(), [message]);
    let nested = field(3, &field(number, message));
    let is_text = std::str::from_utf8(message);
    assert_eq!(texts(&nested, &[3, number]), is_text.into_iter().collect::<Vec<_>>());
    let any = |kind: &str| json!({"TypedConfig": {"type_url": kind, "value": STANDARD.encode(message)}});
    let _ = socket_of(&json!({"transport_socket": {"ConfigType": any(TLS)}}));
    let _ = route_configs(&json!({"filter_chains": [{"filters": [{"ConfigType": any(MANAGER)}]}]}));
}
