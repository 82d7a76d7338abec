//! Asks the API server which requests are allowed, so that a request without permission is never sent.

use serde_json::json;

use super::forward_failure::{ForwardCause, ForwardFailure, RESOURCE};
use super::{ApiCause, DryRun, Session};
use crate::model::{Object, kinds};
use crate::rights::Rule;

impl Session {
    /// Asks the API server whether it would open a port-forward into a pod. Every authenticated user may ask that.
    ///
    /// # Errors
    /// The failure that a real port-forward would have ended in, or why the API server gave no answer.
    pub async fn may_forward(&self, namespace: &str, pod: &str, port: u16) -> Result<(), ForwardFailure> {
        let review = json!({
            "apiVersion": kinds::ACCESS_REVIEW.api_version(),
            "kind": kinds::ACCESS_REVIEW.kind,
            "spec": {"resourceAttributes": {
                // A WebSocket is opened by a GET. Since Kubernetes 1.35 the stream also needs the verb create.
                "verb": "get", "group": "", "resource": "pods", "subresource": "portforward", "namespace": namespace,
            }},
        });
        let cause = match self.create(&Object::new(&kinds::ACCESS_REVIEW, review), DryRun::No).await {
            Ok(review) if review["status"]["allowed"] == true => return Ok(()),
            Ok(_) => ApiCause::Forbidden {
                message: String::new(),
                rule: Some(Box::new(Rule {
                    verb: "get, create".to_owned(),
                    resource: RESOURCE.to_owned(),
                    group: String::new(),
                    namespace: Some(namespace.to_owned()),
                    user: None,
                })),
            },
            Err(error) => error.cause,
        };
        let (namespace, pod) = (namespace.to_owned(), pod.to_owned());
        Err(ForwardFailure { namespace, pod, port, cause: ForwardCause::Api(cause) })
    }
}
