//! What became of a change: read again, waited for, proven or not.

pub mod acceptance;
pub mod enrolment;
pub mod rollout;
pub mod sidecars;
