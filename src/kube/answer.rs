//! Interprets an answer of the API server: the object, or the cause of the failure. Pure.

use std::time::Duration;

use serde_json::Value;

use super::failure::{ApiCause, TlsFault};
use crate::bounded::{self, NoValue};
use crate::rights::{Attributes, Rule};

/// The limit for the parsed values of one answer. etcd accepts objects of 1.5 MiB; parsed, an object takes eight to twelve times
/// that.
const MOST_PARSED: usize = 24 << 20;

/// A complete answer.
pub(super) struct ApiAnswer {
    pub status: u16,
    /// The seconds of `Retry-After`. API servers do not send the header's other form, a date.
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

/// The parts of the request that the meaning of the answer depends on.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub verb: &'a str,
    pub group: &'a str,
    pub plural: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
}

impl<'a> Asked<'a> {
    /// The request as RBAC sees it.
    pub(super) fn attributes(self) -> Attributes<'a> {
        let Self { verb, group, plural, namespace, name } = self;
        Attributes { verb, group, resource: plural, namespace, name }
    }
}

/// Returns the object, or the cause of the failure.
pub(super) fn read(answer: &ApiAnswer, asked: Asked<'_>) -> Result<Value, ApiCause> {
    let value = match bounded::value(&answer.body, MOST_PARSED) {
        Ok(value) => Some(value),
        Err(NoValue::TooLarge) => return Err(ApiCause::TooLarge { most: MOST_PARSED }),
        Err(NoValue::Json(_)) => None,
    };
    if (200..300).contains(&answer.status) {
        return match value {
            Some(value) if value["kind"] == "Status" && value["status"] == "Failure" => {
                let code = value["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(answer.status);
                Err(ApiCause::BadAnswer(format!(
                    "{} with a failure ({code}): {}",
                    answer.status,
                    text(&value, "message")
                )))
            }
            Some(value) if value.is_object() => Ok(value),
            Some(_) => Err(ApiCause::BadAnswer(format!("{} with JSON that is not an object", answer.status))),
            None => Err(ApiCause::BadAnswer(unread(answer))),
        };
    }
    Err(refusal(answer, value.filter(|value| value["kind"] == "Status"), asked))
}

fn refusal(answer: &ApiAnswer, status: Option<Value>, asked: Asked<'_>) -> ApiCause {
    let Some(status) = status else { return without_status(answer) };
    let message = text(&status, "message");
    // An admission webhook chooses its own status code, so the message decides.
    if denied_by_admission(&message) {
        return ApiCause::Invalid(message);
    }
    match answer.status {
        401 => ApiCause::Unauthorized,
        403 => ApiCause::Forbidden { rule: rule(&message, asked).map(Box::new), message },
        404 if !asked.name.is_empty() && status["details"]["name"] == asked.name => ApiCause::NotFound,
        404 if status["details"]["kind"] == "namespaces" && status["details"]["name"] == asked.namespace => {
            ApiCause::NoNamespace
        }
        404 if !asked.plural.is_empty() => ApiCause::NoCrd,
        409 => ApiCause::Conflict,
        410 => ApiCause::Gone {
            next: status["metadata"]["continue"].as_str().filter(|next| !next.is_empty()).map(str::to_owned),
        },
        429 => {
            let after = status["details"]["retryAfterSeconds"].as_u64().map(Duration::from_secs);
            ApiCause::Throttled { after: answer.retry_after.or(after) }
        }
        400..500 => {
            ApiCause::Invalid(if message.is_empty() { format!("refused ({})", answer.status) } else { message })
        }
        500..600 => ApiCause::Server { status: answer.status, message },
        other => ApiCause::BadAnswer(format!("status {other}")),
    }
}

/// The cause from an answer without a `Status` object. Proxies in front of the API server, and its own outermost
/// handlers, answer in plain text.
fn without_status(answer: &ApiAnswer) -> ApiCause {
    let text = String::from_utf8_lossy(&answer.body);
    let text = text.trim();
    match answer.status {
        400 if text.contains("HTTP request to an HTTPS server") => ApiCause::Tls(TlsFault::WantsTls),
        401 => ApiCause::Unauthorized,
        404 if text.starts_with("404 page not found") => ApiCause::NoCrd,
        429 => ApiCause::Throttled { after: answer.retry_after },
        500..600 => ApiCause::Server { status: answer.status, message: beginning(text) },
        _ => ApiCause::BadAnswer(unread(answer)),
    }
}

fn unread(answer: &ApiAnswer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let what = match text.trim_start().bytes().next() {
        None => "an empty body",
        Some(b'<') => "an HTML page",
        Some(b'{' | b'[') => "JSON that is cut off or too deep",
        Some(_) => "a body that is not JSON",
    };
    format!("{} with {what}", answer.status)
}

/// The first line of a text, at most 200 characters. Empty for an HTML page, which says nothing useful.
fn beginning(text: &str) -> String {
    if text.starts_with('<') {
        return String::new();
    }
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

fn denied_by_admission(message: &str) -> bool {
    message.contains("admission webhook") || message.contains("ValidatingAdmissionPolicy")
}

/// The missing rule, read from the server's message, such as
/// `User "bob" cannot patch resource "upstreams" in API group "gloo.solo.io" in the namespace "gloo-system"`.
/// With impersonation it can be another permission than the one for the request itself.
fn rule(message: &str, asked: Asked<'_>) -> Option<Rule> {
    let (before, after) = message.split_once(" cannot ")?;
    let verb = after.split_whitespace().next().unwrap_or(asked.verb);
    let quoted = |mark: &str| Some(after.split_once(mark)?.1.split_once('"')?.0.to_owned());
    let whole = after.contains("at the cluster scope");
    let namespace = quoted("in the namespace \"")
        .or_else(|| (!whole && !asked.namespace.is_empty()).then(|| asked.namespace.to_owned()));
    Some(Rule {
        verb: verb.to_owned(),
        resource: quoted("resource \"").unwrap_or_else(|| asked.plural.to_owned()),
        group: quoted("API group \"").unwrap_or_else(|| asked.group.to_owned()),
        namespace,
        user: before.split_once("User \"").and_then(|(_, rest)| Some(rest.rsplit_once('"')?.0.to_owned())),
    })
}

fn text(status: &Value, key: &str) -> String {
    status[key].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ASKED: Asked<'static> =
        Asked { verb: "patch", group: "gloo.solo.io", plural: "upstreams", namespace: "gloo-system", name: "x" };

    fn cause<T: ToString>(status: u16, body: T) -> ApiCause {
        let answer = ApiAnswer { status, retry_after: None, body: body.to_string().into_bytes() };
        drop(body);
        read(&answer, ASKED).unwrap_err()
    }

    fn status(message: &str) -> Value {
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message})
    }

    #[test]
    fn a_missing_object_is_not_a_missing_kind() {
        let mut object = status(r#"upstreams.gloo.solo.io "x" not found"#);
        object["details"] = json!({"name": "x", "group": "gloo.solo.io", "kind": "upstreams"});
        assert_eq!(cause(404, object), ApiCause::NotFound);
        let mut namespace = status(r#"namespaces "gloo-system" not found"#);
        namespace["details"] = json!({"name": "gloo-system", "kind": "namespaces"});
        assert_eq!(cause(404, namespace), ApiCause::NoNamespace);
        assert_eq!(cause(404, "404 page not found\n"), ApiCause::NoCrd);
        let mut kind = status("the server could not find the requested resource");
        kind["details"] = json!({});
        assert_eq!(cause(404, kind), ApiCause::NoCrd);
        assert_eq!(cause(404, "<html>"), ApiCause::BadAnswer("404 with an HTML page".to_owned()));
    }

    #[test]
    fn the_rule_is_the_one_the_server_misses() {
        let message = r#"upstreams.gloo.solo.io "x" is forbidden: User "system:serviceaccount:a:b" cannot patch resource "upstreams" in API group "gloo.solo.io" in the namespace "gloo-system""#;
        let ApiCause::Forbidden { rule: Some(rule), .. } = cause(403, status(message)) else { panic!("no rule") };
        assert_eq!(rule.to_string(), "{apiGroups: [gloo.solo.io], resources: [upstreams], verbs: [patch]}");
        assert_eq!(rule.namespace.as_deref(), Some("gloo-system"));
        assert_eq!(rule.user.as_deref(), Some("system:serviceaccount:a:b"));

        let message = r#"users "bob" is forbidden: User "ann" cannot impersonate resource "users" in API group "" at the cluster scope"#;
        let ApiCause::Forbidden { rule: Some(rule), .. } = cause(403, status(message)) else { panic!("no rule") };
        assert_eq!(rule.to_string(), r#"{apiGroups: [""], resources: [users], verbs: [impersonate]}"#);
        assert_eq!(rule.namespace, None);
    }

    #[test]
    fn a_denial_that_is_no_missing_right_has_no_rule() {
        let denied = r#"admission webhook "gloo.gloo-system.svc" denied the request: route table not found"#;
        for code in [400, 403, 422, 500] {
            assert_eq!(cause(code, status(denied)), ApiCause::Invalid(denied.to_owned()), "{code}");
        }
        let quota = "exceeded quota: compute";
        assert_eq!(cause(403, status(quota)), ApiCause::Forbidden { message: quota.to_owned(), rule: None });
    }

    #[test]
    fn each_status_has_its_cause() {
        assert_eq!(cause(401, status("Unauthorized")), ApiCause::Unauthorized);
        assert_eq!(cause(409, status("modified")), ApiCause::Conflict);
        assert_eq!(cause(422, status("bad port")), ApiCause::Invalid("bad port".to_owned()));
        assert_eq!(cause(415, status("")), ApiCause::Invalid("refused (415)".to_owned()));
        assert_eq!(cause(500, status("etcd")), ApiCause::Server { status: 500, message: "etcd".to_owned() });
        assert_eq!(cause(502, "<html>"), ApiCause::Server { status: 502, message: String::new() });
        assert_eq!(cause(302, "<html>"), ApiCause::BadAnswer("302 with an HTML page".to_owned()));
        let tls = "Client sent an HTTP request to an HTTPS server.\n";
        assert_eq!(cause(400, tls), ApiCause::Tls(TlsFault::WantsTls));
        let mut gone = status("too old");
        gone["metadata"] = json!({"continue": "abc"});
        assert_eq!(cause(410, gone), ApiCause::Gone { next: Some("abc".to_owned()) });
        let mut busy = status("busy");
        busy["details"] = json!({"retryAfterSeconds": 7});
        assert_eq!(cause(429, busy), ApiCause::Throttled { after: Some(Duration::from_secs(7)) });
    }

    #[test]
    fn what_is_not_an_object_is_a_bad_answer() {
        let said = |body: &str| match cause(200, body) {
            ApiCause::BadAnswer(what) => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(said(""), "200 with an empty body");
        assert_eq!(said("<!doctype html>"), "200 with an HTML page");
        assert_eq!(said(r#"{"kind":"Upstr"#), "200 with JSON that is cut off or too deep");
        assert_eq!(said("hello"), "200 with a body that is not JSON");
        assert_eq!(said("[]"), "200 with JSON that is not an object");
        let mut failure = status("no");
        failure["code"] = json!(500);
        assert_eq!(said(&failure.to_string()), "200 with a failure (500): no");
        assert_eq!(said(&"[".repeat(100_000)), "200 with JSON that is cut off or too deep");
    }
}
