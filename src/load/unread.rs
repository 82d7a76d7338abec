//! Explains why something is unknown after a failed request.

use crate::kube::{ApiCause, ApiError, Session};
use crate::plan::Unread;

/// Why something is unknown, with the missing permission or the failure.
pub(crate) fn unread(session: &Session, error: ApiError) -> Unread {
    let why = why(&error);
    match &error.cause {
        ApiCause::Forbidden { rule, .. } => Unread { why, rule: rule.clone(), failure: None },
        ApiCause::NotFound | ApiCause::NoCrd => why.into(),
        _ => Unread { why, rule: None, failure: Some(Box::new(error.into_failure(session))) },
    }
}

/// Why something is unknown, as a short text.
pub(crate) fn why(error: &ApiError) -> String {
    let kind = error.kind.map_or("the server", |kind| kind.plural);
    match &error.cause {
        ApiCause::Forbidden { .. } if error.namespace.is_empty() => format!("not allowed to {} {kind}", error.verb),
        ApiCause::Forbidden { .. } => format!("not allowed to {} {kind} in {}", error.verb, error.namespace),
        ApiCause::NotFound => format!("no {kind} {} in {}", error.name, error.namespace),
        ApiCause::NoCrd => format!("the cluster has no {kind}"),
        _ => format!("cannot {} {kind}: {}", error.verb, error.reason().meaning().to_lowercase()),
    }
}
