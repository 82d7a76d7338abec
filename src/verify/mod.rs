//! Verifies changes: waits for their effect and reads the objects again.

pub(crate) mod acceptance;
pub(crate) mod captured;
pub(crate) mod controller;
pub(crate) mod enrolment;
pub(crate) mod rollout;
pub(crate) mod sidecars;
