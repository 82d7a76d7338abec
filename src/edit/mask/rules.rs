//! Decides which scalars are secrets: by their key, by the name next to them, by their form.

use serde_json::{Map, Value};

/// Keys whose value is always a secret, compared in lower case without `-` and `_`.
const SECRET_KEYS: [&str; 12] = [
    "password",
    "passwd",
    "token",
    "accesstoken",
    "apikey",
    "secretkey",
    "secretaccesskey",
    "clientsecret",
    "privatekey",
    "authorization",
    "tlskey",
    "licensekey",
];

/// Endings of keys, and of variable names, whose own text is a secret: `adminPassword`, `REDIS_PASSWORD`. A map below
/// such a key may contain anything: `serviceAccountToken` has an audience.
const SECRET_ENDS: [&str; 9] =
    ["password", "passwd", "passphrase", "token", "apikey", "secretkey", "accesskey", "clientsecret", "privatekey"];

/// Names of headers whose value is a secret, compared in lower case.
const SECRET_HEADERS: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"];

/// Keys whose value names the content of the key `value` in the same map.
const NAMES: [&str; 3] = ["key", "name", "headerName"];

/// Keys of a Secret whose texts are all secret.
const OF_A_SECRET: [&str; 2] = ["data", "stringData"];

/// Which values below a key are secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    /// Decided by the rules.
    ByRule,
    /// The text of the key itself. A map under it is checked by the rules.
    Own,
    /// Every text and every number.
    All,
}

/// Which values are secret below each key of a map.
pub(super) struct MapRules {
    is_secret: bool,
    is_named: bool,
}

impl MapRules {
    pub(super) fn of_map(map: &Map<String, Value>) -> Self {
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        Self {
            is_secret: text("kind") == Some("Secret") && text("apiVersion") == Some("v1"),
            is_named: NAMES.iter().filter_map(|key| text(key)).any(is_secret_name),
        }
    }

    pub(super) fn below(&self, key: &str) -> Below {
        match below(key) {
            Below::All => Below::All,
            _ if self.is_secret && is_of_a_secret(key) => Below::All,
            _ if self.is_named && key == "value" => Below::All,
            by_key => by_key,
        }
    }
}

/// Which values are secret below a key in any map.
pub(super) fn below(key: &str) -> Below {
    let plain = plain_key(key);
    if SECRET_KEYS.contains(&plain.as_str()) {
        return Below::All;
    }
    if SECRET_ENDS.iter().any(|end| plain.ends_with(end)) { Below::Own } else { Below::ByRule }
}

/// Whether every text under this key of a Secret is secret.
pub(super) fn is_of_a_secret(key: &str) -> bool {
    OF_A_SECRET.contains(&key)
}

/// Whether the value of this key names the content of the key `value` next to it.
pub(super) fn is_naming(key: &str) -> bool {
    NAMES.contains(&key)
}

/// Whether the value of a header or a variable of this name is a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    SECRET_HEADERS.contains(&name.to_ascii_lowercase().as_str()) || below(name) != Below::ByRule
}

/// Whether a text has the form of a secret: a private key or a JSON Web Token.
pub(super) fn is_secret_shape(text: &str) -> bool {
    let is_token = || {
        let mut parts = text.trim().split('.');
        let is_part = |part: &str| {
            part.len() >= 10 && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        text.trim().starts_with("eyJ") && parts.clone().count() == 3 && parts.by_ref().all(is_part)
    };
    (text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----")) || is_token()
}

fn plain_key(key: &str) -> String {
    key.to_ascii_lowercase().replace(['-', '_'], "")
}
