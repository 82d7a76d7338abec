//! Secrets are masked by where they stand, before anything is shown.

use serde_json::Value;

use crate::model::{FieldPath, Segment};

/// What is shown instead.
pub const MASK: &str = "***";

/// Keys whose text is a secret wherever they stand, compared in lower case without `-` and `_`.
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

/// Ends of keys, and of names of variables, whose own text is a secret: `adminPassword`, `REDIS_PASSWORD`. What is below
/// such a key may be anything: `serviceAccountToken` has an audience.
const SECRET_ENDS: [&str; 9] =
    ["password", "passwd", "passphrase", "token", "apikey", "secretkey", "accesskey", "clientsecret", "privatekey"];

/// Names of headers whose value is a secret, compared in lower case.
const SECRET_HEADERS: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"];

/// The value with every secret replaced by `***`.
#[must_use]
pub fn masked(value: &Value) -> Value {
    let mut shown = value.clone();
    for_each_secret(&mut shown, &mut |secret| *secret = MASK.into());
    shown
}

/// The texts that must not be shown, longest first, so that none is shown as part of another.
pub fn secrets(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for_each_secret(&mut value.clone(), &mut |secret| {
        let text = secret.as_str().map_or_else(|| secret.to_string(), str::to_owned);
        found.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    });
    found.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    found.dedup();
    found
}

/// Where secrets stand: `gloo.license_key`, `headers[0].value`.
#[must_use]
pub fn secret_paths(value: &Value) -> Vec<FieldPath> {
    let masked = masked(value);
    let mut found = Vec::new();
    differences(value, &masked, &FieldPath::root(), &mut found);
    found
}

fn differences(a: &Value, b: &Value, at: &FieldPath, found: &mut Vec<FieldPath>) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                differences(value, &b[key], &at.then(Segment::Key(key.clone())), found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for (number, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &at.then(Segment::Index(number)), found);
            }
        }
        _ if a != b => found.push(at.clone()),
        _ => {}
    }
}

/// Whether a text is a secret by its shape: a private key, a JSON web token.
fn is_secret_shape(text: &str) -> bool {
    let is_token = || {
        let mut parts = text.trim().split('.');
        let is_part = |part: &str| {
            part.len() >= 10 && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        text.trim().starts_with("eyJ") && parts.clone().count() == 3 && parts.by_ref().all(is_part)
    };
    (text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----")) || is_token()
}

/// A text with these secrets replaced.
#[must_use]
pub fn masked_text(text: &str, secrets: &[String]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
}

/// A manifest's text with its secrets replaced: by where they stand in what can be read, and by their
/// keys, line by line, in what cannot.
pub fn masked_manifest(text: &str) -> String {
    let found: Vec<_> = crate::edit::manifest::values(text).iter().flat_map(secrets).collect();
    let lines: Vec<_> = text.split_inclusive('\n').map(|line| masked_text(&masked_line(line), &found)).collect();
    lines.concat()
}

/// `password: x` on a line of its own, also where it is commented out.
fn masked_line(line: &str) -> String {
    let Some((key, value)) = line.split_once(':') else { return line.to_owned() };
    let plain = plain_key(key.trim_matches([' ', '\t', '#', '-', '"', '\'']));
    if !is_secret_key(&plain) || matches!(value.trim(), "" | "true" | "false" | "null") {
        return line.to_owned();
    }
    format!("{key}: {MASK}{}", if line.ends_with('\n') { "\n" } else { "" })
}

/// Whether what stands under a key (as [`plain_key`] gives it) is a secret, if it is a text or a number.
fn is_secret_key(plain: &str) -> bool {
    SECRET_KEYS.contains(&plain) || SECRET_ENDS.iter().any(|end| plain.ends_with(end))
}

fn plain_key(key: &str) -> String {
    key.to_ascii_lowercase().replace(['-', '_'], "")
}

fn for_each_secret(value: &mut Value, act: &mut impl FnMut(&mut Value)) {
    let is_secret_object = value["kind"] == "Secret" && value["apiVersion"] == "v1";
    match value {
        Value::String(text) if is_secret_shape(text) => act(value),
        Value::Array(items) => items.iter_mut().for_each(|item| for_each_secret(item, act)),
        Value::Object(map) => {
            let is_secret_name = |name: &str| {
                SECRET_HEADERS.contains(&name.to_ascii_lowercase().as_str()) || is_secret_key(&plain_key(name))
            };
            let named =
                ["key", "name", "headerName"].iter().filter_map(|key| map.get(*key)?.as_str()).any(is_secret_name);
            for (key, inner) in map.iter_mut() {
                let whole = is_secret_object && matches!(key.as_str(), "data" | "stringData");
                let plain = plain_key(key);
                let own = is_secret_key(&plain) && !inner.is_object();
                if whole || own || SECRET_KEYS.contains(&plain.as_str()) || (named && key == "value") {
                    for_each_text(inner, act);
                } else {
                    for_each_secret(inner, act);
                }
            }
        }
        _ => {}
    }
}

fn for_each_text(value: &mut Value, act: &mut impl FnMut(&mut Value)) {
    match value {
        Value::String(_) | Value::Number(_) => act(value),
        Value::Array(items) => items.iter_mut().for_each(|item| for_each_text(item, act)),
        Value::Object(map) => map.values_mut().for_each(|inner| for_each_text(inner, act)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_by_their_shape_and_told_by_their_path() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";
        let value = json!({"license_key": "k", "a": [{"pem": key}, "eyJ.no.token"], "b": {"c": token, "d": "plain"}});
        let paths: Vec<_> = secret_paths(&value).iter().map(ToString::to_string).collect();
        assert_eq!(paths, ["license_key", "a[0].pem", "b.c"]);
        assert_eq!(masked(&value)["b"], json!({"c": MASK, "d": "plain"}));
    }

    #[test]
    fn keys_and_variables_that_end_as_secrets_do_have_secrets() {
        let value = json!({
            "adminPassword": "a", "pin": {"db_password": 12_345, "usePassword": true},
            "env": [{"name": "REDIS_PASSWORD", "value": "r"}, {"name": "ZONE", "value": "b"}],
            "serviceAccountToken": {"audience": "istio-ca", "path": "istio-token"}, "pullSecret": "shown",
        });
        let shown = masked(&value);
        assert_eq!((&shown["adminPassword"], &shown["pin"]["db_password"]), (&json!(MASK), &json!(MASK)));
        assert_eq!(shown["env"], json!([{"name": "REDIS_PASSWORD", "value": MASK}, {"name": "ZONE", "value": "b"}]));
        for key in ["serviceAccountToken", "pullSecret"] {
            assert_eq!(shown[key], value[key]);
        }
        assert_eq!(shown["pin"]["usePassword"], true);
        assert_eq!(
            masked_manifest("{a: {dbPassword: 12345}}\n# adminPassword: old\n"),
            "{a: {dbPassword: ***}}\n# adminPassword: ***\n"
        );
    }

    #[test]
    fn secrets_are_found_by_where_they_stand() {
        let value = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "QUJD"},
            "spec": {
                "healthChecks": [{"header": {"key": "Authorization", "value": "Bearer x"}}],
                "headers": [{"key": "x-other", "value": "shown"}],
                "aws": {"secretRef": {"name": "shown-too"}, "secretAccessKey": "k"},
            },
        });
        let shown = masked(&value);
        assert_eq!(shown["data"]["a"], MASK);
        assert_eq!(shown["spec"]["healthChecks"][0]["header"]["value"], MASK);
        assert_eq!(shown["spec"]["headers"][0]["value"], "shown");
        assert_eq!(shown["spec"]["aws"]["secretRef"]["name"], "shown-too");
        assert_eq!(shown["spec"]["aws"]["secretAccessKey"], MASK);
        assert_eq!(shown["metadata"]["name"], "s");
        assert_eq!(secrets(&value), ["Bearer x", "QUJD", "k"]);
    }

    #[test]
    fn a_manifests_secrets_are_masked_also_where_it_cannot_be_read() {
        let text = "apiVersion: v1\nkind: Secret\ndata:\n  a: QUJD # QUJD\n---\n{{ if x }}\n  api_key: hunter2\n";
        assert_eq!(
            masked_manifest(text),
            "apiVersion: v1\nkind: Secret\ndata:\n  a: *** # ***\n---\n{{ if x }}\n  api_key: ***\n"
        );
    }

    #[test]
    fn a_secret_that_is_part_of_another_does_not_uncover_the_rest() {
        let secrets = secrets(&json!({"password": "abc", "token": "abcdef"}));
        assert_eq!(masked_text("token: abcdef", &secrets), "token: ***");
    }
}
