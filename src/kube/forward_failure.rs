//! The failures of a request to a pod, and their messages.

use std::fmt;
use std::time::Duration;

use ::kube::client::UpgradeConnectionError;
use serde_json::json;

use super::answer::{self, ApiAnswer, Asked};
use super::failure::{ApiCause, ApiError, Verb};
use super::{Session, tls};
use crate::error::{Causes, Exit, Failure, Reason};
use crate::model::{Unknown, kinds};
use crate::rights::Rule;

/// The resource as RBAC names it.
pub(super) const RESOURCE: &str = "pods/portforward";

/// A request to a pod that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardFailure {
    pub namespace: String,
    pub pod: String,
    pub port: u16,
    pub cause: ForwardCause,
}

/// The cause of a failed request to a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardCause {
    /// The API server opened no stream: no such pod, no permission, no connection to it, or a failure of its own.
    Api(ApiCause),
    /// The pod is not scheduled to a node yet, or does not run there.
    NotRunning(String),
    /// Nothing listens on the port.
    Refused,
    /// Any other message of the kubelet.
    Kubelet(String),
    /// The API server, or a proxy in front of it, does not open port-forwards over WebSocket.
    NoUpgrade(String),
    /// The server on the port does not use HTTP.
    NotHttp,
    /// The stream ended after this many bytes of the body; `None`: before the answer.
    Cut { received: Option<u64> },
    /// Nothing came for this long.
    Timeout { after: Duration, received: Option<u64> },
    /// The answer is longer than the limit in bytes.
    TooLong { most: usize },
    /// A status other than 2xx, with the first line of the body.
    Status { status: u16, text: String },
    /// The request is not valid HTTP and cannot be sent.
    NotARequest(String),
}

impl ForwardCause {
    /// The cause for an answer whose status is not 2xx.
    #[must_use]
    pub fn status(status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text: String = text.lines().next().unwrap_or_default().chars().take(200).collect();
        Self::Status { status, text: text.trim().to_owned() }
    }
}

/// The cause for an answer of the API server that opened no stream.
pub(super) fn refused_by_server(error: &::kube::Error, namespace: &str) -> ForwardCause {
    match error {
        ::kube::Error::Api(status) => {
            let name = status.details.as_ref().map(|details| details.name.as_str()).unwrap_or_default();
            let body = json!({"kind": "Status", "message": status.message, "details": {"name": name}}).to_string();
            let answer = ApiAnswer { status: status.code, retry_after: None, body: body.into_bytes() };
            let asked = Asked { verb: "create", group: "", plural: RESOURCE, namespace, name };
            match answer::read(&answer, asked).err() {
                Some(cause) => of_answer(naming_the_rule(cause, namespace)),
                None => ForwardCause::Api(ApiCause::BadAnswer(format!("status {}", status.code))),
            }
        }
        ::kube::Error::UpgradeConnection(UpgradeConnectionError::GetPendingUpgrade(_)) => {
            ForwardCause::Api(ApiCause::Unreachable { why: "connection cut".to_owned(), sent: true })
        }
        ::kube::Error::UpgradeConnection(error) => ForwardCause::NoUpgrade(error.to_string()),
        error => ForwardCause::Api(tls::cause_of(error)),
    }
}

/// Adds the rule to an answer that names none. The API server asks for the verb `create` in a place of its own, after `get`
/// was allowed, and gives no reason there (kubernetes, pkg/registry/core/pod/rest/subresources.go).
fn naming_the_rule(cause: ApiCause, namespace: &str) -> ApiCause {
    match cause {
        ApiCause::Forbidden { message, rule: None } if message.trim_end().ends_with("is forbidden:") => {
            let rule = Rule {
                verb: "create".to_owned(),
                resource: RESOURCE.to_owned(),
                group: String::new(),
                namespace: Some(namespace.to_owned()),
                user: None,
            };
            ApiCause::Forbidden { message, rule: Some(Box::new(rule)) }
        }
        cause => cause,
    }
}

fn of_answer(cause: ApiCause) -> ForwardCause {
    match cause {
        // The handler needs the pod's node (kubernetes, pkg/registry/core/pod/strategy.go).
        ApiCause::Invalid(message) if message.contains("does not have a host assigned") => {
            ForwardCause::NotRunning("it is not scheduled to a node yet".to_owned())
        }
        ApiCause::Invalid(message) if message.contains("pgrade request required") => ForwardCause::NoUpgrade(message),
        ApiCause::Forbidden { message, rule: Some(mut rule) } => {
            // Before Kubernetes 1.35 a WebSocket needs the verb `get`; since then it also needs `create`.
            if rule.verb == "get" {
                "get, create".clone_into(&mut rule.verb);
            }
            ForwardCause::Api(ApiCause::Forbidden { message, rule: Some(rule) })
        }
        cause => ForwardCause::Api(cause),
    }
}

/// The cause for the kubelet's message in the error channel of the stream. Each container runtime has its own wording.
pub(super) fn refused_by_kubelet(text: &str) -> ForwardCause {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.contains("onnection refused") {
        return ForwardCause::Refused;
    }
    if ["is not running", "not found", "no such container", "does not exist"].iter().any(|words| text.contains(words)) {
        return ForwardCause::NotRunning(text);
    }
    ForwardCause::Kubelet(text)
}

impl ForwardFailure {
    fn api_error(&self, cause: &ApiCause) -> ApiError {
        ApiError {
            verb: Verb::Get,
            kind: Some(&kinds::POD),
            namespace: self.namespace.clone(),
            name: self.pod.clone(),
            cause: cause.clone(),
            causes: Causes::default(),
        }
    }

    /// The cause in a few words.
    #[must_use]
    pub fn why(&self) -> String {
        let port = self.port;
        let begun = |received: Option<u64>| match received {
            None => "before an answer".to_owned(),
            Some(bytes) => format!("after {bytes} bytes of the answer"),
        };
        match &self.cause {
            ForwardCause::Api(ApiCause::Forbidden { rule: Some(rule), .. }) => {
                format!("not allowed to {} {} in {}", rule.verb.replace(", ", " or "), rule.resource, self.namespace)
            }
            ForwardCause::Api(ApiCause::NotFound) => "there is no such pod any more".to_owned(),
            ForwardCause::Api(cause) => self.api_error(cause).to_string(),
            ForwardCause::NotRunning(why) => format!("the pod is not running: {why}"),
            ForwardCause::Refused => format!("nothing listens on port {port}"),
            ForwardCause::Kubelet(text) => format!("the node cannot forward port {port}: {text}"),
            ForwardCause::NoUpgrade(why) => format!("no port-forward over WebSocket: {why}"),
            ForwardCause::NotHttp => format!("what answers on port {port} does not speak HTTP"),
            ForwardCause::Cut { received } => format!("the stream was cut {}", begun(*received)),
            ForwardCause::Timeout { after, received: None } => {
                format!("no answer on port {port} within {}s", after.as_secs_f32())
            }
            ForwardCause::Timeout { after, received } => {
                format!("no data for {}s {}", after.as_secs_f32(), begun(*received))
            }
            ForwardCause::TooLong { most } => format!("the answer is larger than {} MiB", most >> 20),
            ForwardCause::Status { status, text } if text.is_empty() => format!("port {port} answers {status}"),
            ForwardCause::Status { status, text } => format!("port {port} answers {status}: {text}"),
            ForwardCause::NotARequest(why) => why.clone(),
        }
    }

    /// The rule of a Role that would allow the request, if a permission is missing.
    #[must_use]
    pub fn rule(&self) -> Option<Box<Rule>> {
        match &self.cause {
            ForwardCause::Api(ApiCause::Forbidden { rule, .. }) => rule.clone(),
            _ => None,
        }
    }

    /// The unknown that this failure leads to. A missing permission is missing for every pod, so no pod is named.
    #[must_use]
    pub(crate) fn unknown(&self) -> Unknown {
        let rule = self.rule();
        let why = if rule.is_some() { self.why() } else { format!("pod {}: {}", self.pod, self.why()) };
        Unknown { why, rule }
    }

    /// The reason in the JSON output.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match &self.cause {
            ForwardCause::Api(cause) => self.api_error(cause).reason(),
            ForwardCause::NotRunning(_) => Reason::NotRunning,
            ForwardCause::Refused => Reason::NotListening,
            ForwardCause::Cut { .. } => Reason::Cut,
            ForwardCause::Timeout { .. } => Reason::Timeout,
            ForwardCause::NoUpgrade(_) => Reason::BadAnswer,
            ForwardCause::Kubelet(_) => Reason::ServerError,
            ForwardCause::NotHttp | ForwardCause::TooLong { .. } | ForwardCause::Status { .. } => Reason::InPod,
            ForwardCause::NotARequest(_) => Reason::Usage,
        }
    }

    /// The exit code of a run that ends with this failure.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match &self.cause {
            ForwardCause::Api(cause) => self.api_error(cause).exit(),
            ForwardCause::NotRunning(_)
            | ForwardCause::Refused
            | ForwardCause::Cut { .. }
            | ForwardCause::Timeout { .. } => Exit::NoAnswer,
            ForwardCause::NotARequest(_) => Exit::Usage,
            ForwardCause::Kubelet(_)
            | ForwardCause::NoUpgrade(_)
            | ForwardCause::NotHttp
            | ForwardCause::TooLong { .. }
            | ForwardCause::Status { .. } => Exit::Failed,
        }
    }

    /// The failure as it is reported to a person or a script.
    #[must_use]
    pub fn into_failure(self, session: &Session) -> Failure {
        if let ForwardCause::Api(cause) = &self.cause {
            return self.api_error(cause).into_failure(session);
        }
        let failure = Failure::new(self.exit(), self.reason(), self.to_string()).detail(session.place());
        match self.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match &self.cause {
            ForwardCause::Refused => "a custom bootstrap may use another admin port, or Envoy may still be starting",
            ForwardCause::NoUpgrade(_) => "a proxy in front of the API server may block WebSockets",
            ForwardCause::Cut { .. } => "run the same command again if the pod is still running",
            ForwardCause::Timeout { .. } => "--timeout waits longer",
            _ => return None,
        })
    }
}

impl fmt::Display for ForwardFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pod {}/{}: {}", self.namespace, self.pod, self.why())
    }
}

impl std::error::Error for ForwardFailure {}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(cause: ForwardCause) -> ForwardFailure {
        ForwardFailure { namespace: "gloo-system".into(), pod: "gateway-proxy-x".into(), port: 19000, cause }
    }

    fn api(code: u16, message: &str) -> ForwardCause {
        let mut status = ::kube::core::Status::failure(message, "");
        status.code = code;
        refused_by_server(&::kube::Error::Api(status.boxed()), "gloo-system")
    }

    #[test]
    fn a_kubelets_words_are_read_whatever_runtime_they_come_from() {
        let containerd = "an error occurred forwarding 40001 -> 19000: error forwarding port 19000 to pod 3f, uid : \
            failed to execute portforward in network namespace \"/var/run/netns/cni-1\": failed to connect to \
            localhost:19000 inside namespace \"3f\", IPv4: dial tcp4 127.0.0.1:19000: connect: connection refused";
        let crio = "exit status 1: 2024/01/01 socat[2] E connect(5, AF=2 127.0.0.1:19000, 16): Connection refused";
        for text in [containerd, crio] {
            assert_eq!(refused_by_kubelet(text), ForwardCause::Refused, "{text}");
        }
        let ended = refused_by_kubelet("container not running (3f): sandbox 3f\nis not running");
        assert!(matches!(&ended, ForwardCause::NotRunning(why) if !why.contains('\n')), "{ended:?}");
        assert_eq!(refused_by_kubelet("no space left"), ForwardCause::Kubelet("no space left".into()));
    }

    #[test]
    fn the_role_rule_is_one_that_holds_before_and_since_kubernetes_1_35() {
        let message = |verb: &str| {
            format!(
                "pods \"gateway-proxy-x\" is forbidden: User \"ann\" cannot {verb} resource \"pods/portforward\" in \
                 API group \"\" in the namespace \"gloo-system\""
            )
        };
        for (verb, rule) in [
            ("get", r#"{apiGroups: [""], resources: [pods/portforward], verbs: [get, create]}"#),
            ("create", r#"{apiGroups: [""], resources: [pods/portforward], verbs: [create]}"#),
        ] {
            let failure = failure(api(403, &message(verb)));
            assert_eq!((failure.exit(), failure.reason()), (Exit::SaidNo, Reason::Forbidden));
            assert!(failure.why().starts_with("not allowed to "), "{}", failure.why());
            let ForwardCause::Api(ApiCause::Forbidden { rule: Some(found), .. }) = failure.cause else {
                panic!("no rule")
            };
            assert_eq!(found.to_string(), rule);
        }
        let failure = failure(api(403, "pods \"gateway-proxy-x\" is forbidden: "));
        assert_eq!(failure.why(), "not allowed to create pods/portforward in gloo-system");
    }

    #[test]
    fn what_the_server_says_of_a_pod_is_told_apart() {
        let pending = api(400, "pod gateway-proxy-x does not have a host assigned");
        assert_eq!(failure(pending).exit(), Exit::NoAnswer);
        let dialing = failure(api(500, "error dialing backend: dial tcp 10.0.0.7:10250: connect: connection refused"));
        assert!(dialing.why().contains("error dialing backend"), "{dialing}");
        let upgrade = api(400, "Upgrade request required");
        assert!(matches!(upgrade, ForwardCause::NoUpgrade(_)), "{upgrade:?}");
    }

    #[test]
    fn each_end_is_one_line_that_names_the_pod() {
        for cause in [
            ForwardCause::Refused,
            ForwardCause::NotHttp,
            ForwardCause::Cut { received: None },
            ForwardCause::Cut { received: Some(7) },
            ForwardCause::Timeout { after: Duration::from_secs(30), received: Some(7) },
            ForwardCause::TooLong { most: 16 << 20 },
            ForwardCause::status(500, b"no\nmore"),
        ] {
            let line = failure(cause).to_string();
            assert!(line.starts_with("pod gloo-system/gateway-proxy-x: ") && !line.contains('\n'), "{line}");
        }
        assert_eq!(failure(ForwardCause::status(500, b"no\nmore")).why(), "port 19000 answers 500: no");
    }
}
