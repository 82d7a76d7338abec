//! The control plane's protobuf: fields are found where they stand, in any message.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gloo_rs::fuzzing::{fields, texts};
use gloo_rs::gloo::{route_configs, socket_of};
use gloo_rs_fuzz::choice;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// A field of bytes as protobuf writes it.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    for mut value in [number << 3 | 2, bytes.len() as u64] {
        while value >= 0x80 {
            message.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        message.push(value as u8);
    }
    message.extend(bytes);
    message
}

fuzz_target!(|data: &[u8]| {
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
});
