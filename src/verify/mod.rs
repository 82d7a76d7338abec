//! What became of a change: read again, waited for, proven or not.

pub(crate) mod acceptance;
pub(crate) mod enrolment;
pub(crate) mod rollout;
pub(crate) mod sidecars;
