//! What a command line allows a plan to do: how objects were picked, whether settings not managed by Istio are
//! replaced, and whether harm is accepted.

/// How an Upstream was picked: by its name, or by a bulk run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picked {
    Named,
    Selected,
}

/// How to handle TLS settings not managed by Istio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtherTls {
    Keep,
    /// `--overwrite`
    Replace,
}

/// How a bulk run handles an Upstream that may answer 503 afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caution {
    /// Skips it.
    Careful,
    /// `--force`
    Forced,
}
