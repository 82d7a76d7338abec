//! Masks the secrets of Envoy's API by their place. Envoy redacts a config dump, but other sources may not be redacted.

use serde_json::Value;

use crate::edit::mask::{self, MASK};

/// Fields of Envoy's API whose content is secret (`api/envoy/extensions/transport_sockets/tls/v3`).
const SECRET: [&str; 6] =
    ["private_key", "password", "session_ticket_keys", "generic_secret", "hmac_secret", "token_secret"];

/// The value with every secret replaced.
#[must_use]
pub(crate) fn masked(value: &Value) -> Value {
    let mut shown = mask::masked(value);
    hide(&mut shown);
    shown
}

fn hide(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, inner)| match SECRET.contains(&key.as_str()) {
            true => hide_all(inner),
            false => hide(inner),
        }),
        _ => {}
    }
}

fn hide_all(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hide_all),
        Value::Object(fields) => fields.values_mut().for_each(hide_all),
        Value::String(_) => *value = MASK.into(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_masked_and_certificates_are_not() {
        let secret = json!({"name": "s", "tls_certificate": {
            "certificate_chain": {"inline_bytes": "Y2VydA=="},
            "private_key": {"inline_bytes": "a2V5"},
            "password": {"inline_string": "geheim"},
        }});
        let shown = masked(&secret);
        let of = &shown["tls_certificate"];
        assert_eq!(of["private_key"], json!({"inline_bytes": MASK}));
        assert_eq!(of["certificate_chain"]["inline_bytes"], "Y2VydA==");
        assert!(!shown.to_string().contains("geheim"));
        assert_eq!(
            masked(&json!({"session_ticket_keys": {"keys": [{"inline_bytes": "eA=="}]}}))["session_ticket_keys"]["keys"]
                [0]["inline_bytes"],
            MASK
        );
    }
}
