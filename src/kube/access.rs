//! Asking what is allowed, so that what is not is never tried.

use serde_json::json;

use super::failure::Rule;
use super::forward_failure::{ForwardCause, ForwardFailure, RESOURCE};
use super::{Cause, DryRun, Session};
use crate::model::{Object, kinds};

impl Session {
    /// Asks the API server whether it would open a stream into a pod. Everybody whom it knows may ask that.
    ///
    /// # Errors
    /// What trying would have ended in, or why nothing was said.
    pub async fn may_forward(&self, namespace: &str, pod: &str, port: u16) -> Result<(), ForwardFailure> {
        let review = json!({
            "apiVersion": kinds::ACCESS_REVIEW.api_version(),
            "kind": kinds::ACCESS_REVIEW.kind,
            "spec": {"resourceAttributes": {
                // A WebSocket is opened by a GET; since Kubernetes 1.35 the stream itself is a create beside it.
                "verb": "get", "group": "", "resource": "pods", "subresource": "portforward", "namespace": namespace,
            }},
        });
        let cause = match self.create(&Object::new(&kinds::ACCESS_REVIEW, review), DryRun::No).await {
            Ok(review) if review["status"]["allowed"] == true => return Ok(()),
            Ok(_) => Cause::Forbidden {
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
