//! What a command line lets a plan do: to objects that it named or selected, to settings of others, in spite of harm.

/// How an Upstream came to be looked at: by its name, or by a sweep over many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picked {
    Named,
    Selected,
}

/// What to do with settings that are not Istio's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtherTls {
    Keep,
    /// `--overwrite`
    Replace,
}

/// What a sweep does with an Upstream that may answer 503 afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caution {
    /// Leaves it alone.
    Careful,
    /// `--force`
    Forced,
}
