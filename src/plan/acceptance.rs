//! The latest status that Gloo's control plane reported for an object: accepted, rejected with a reason, or nothing.
//!
//! There is no observed generation, so an old `Accepted` proves nothing about new content.

use serde_json::Value;

/// The status that Gloo reported for an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    Accepted,
    /// Accepted, with a warning.
    Warned {
        reason: String,
    },
    Rejected {
        reason: String,
    },
    /// Gloo has seen the object and has not decided yet.
    Pending,
    /// No status was reported.
    Silent,
}

/// Reads `status.statuses.<namespace>`, or the single `status` of older versions. With several control planes it
/// returns the worst status.
pub(crate) fn read(object: &Value) -> Acceptance {
    let status = &object["status"];
    let several = status["statuses"].as_object().into_iter().flatten().map(|(_, one)| one);
    let single = (!status["state"].is_null()).then_some(status);
    let all: Vec<_> = several.chain(single).map(one).collect();
    let rank = |acceptance: &Acceptance| match acceptance {
        Acceptance::Silent => 0,
        Acceptance::Accepted => 1,
        Acceptance::Pending => 2,
        Acceptance::Warned { .. } => 3,
        Acceptance::Rejected { .. } => 4,
    };
    all.into_iter().max_by_key(rank).unwrap_or(Acceptance::Silent)
}

/// Like [`read`], but only for the control plane in one namespace.
pub(crate) fn reported_by(object: &Value, namespace: &str) -> Acceptance {
    one(&object["status"]["statuses"][namespace])
}

/// Reads the status of one control plane. Older versions write the state as a number.
fn one(status: &Value) -> Acceptance {
    let reason = || {
        let reason = status["reason"].as_str().unwrap_or("no reason given");
        reason.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    match (status["state"].as_str(), status["state"].as_u64()) {
        (Some("Accepted"), _) | (_, Some(1)) => Acceptance::Accepted,
        (Some("Rejected"), _) | (_, Some(2)) => Acceptance::Rejected { reason: reason() },
        (Some("Warning"), _) | (_, Some(3)) => Acceptance::Warned { reason: reason() },
        (Some("Pending"), _) | (_, Some(0)) => Acceptance::Pending,
        _ => Acceptance::Silent,
    }
}

impl Acceptance {
    /// Returns a short reason why Gloo does not use the object as it is now.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Rejected { reason } => Some(format!("rejected by Gloo: {reason}")),
            _ => None,
        }
    }
}

impl std::fmt::Display for Acceptance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accepted => f.write_str("Accepted"),
            Self::Warned { reason } => write!(f, "Warning: {reason}"),
            Self::Rejected { reason } => write!(f, "Rejected: {reason}"),
            Self::Pending => f.write_str("Pending"),
            Self::Silent => f.write_str("none yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_control_plane_that_likes_it_least_is_heard() {
        let of = |status: Value| read(&json!({"status": status}));
        assert_eq!(of(json!({})), Acceptance::Silent);
        assert_eq!(of(json!({"statuses": {"a": {"state": "Accepted"}}})), Acceptance::Accepted);
        assert_eq!(of(json!({"state": 1})), Acceptance::Accepted);
        let two = json!({"statuses": {"a": {"state": "Rejected", "reason": "no\n\tsecret"}, "b": {"state": 1}}});
        assert_eq!(of(two), Acceptance::Rejected { reason: "no secret".into() });
    }
}
