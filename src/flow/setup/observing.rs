//! What is observed after a step, and when.

/// The requests that a step affects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Concerned {
    /// All that pass through the gateways.
    All,
    /// Those to Services of a namespace.
    Namespace(String),
    /// Those to the Upstreams that the step changes.
    Upstreams,
}

/// Whether the requests after a step are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observing {
    Due,
    /// The step has nothing to do.
    NotNeeded,
    /// They are expected to fail until this step, and are judged after it.
    Postponed {
        until: usize,
    },
}
