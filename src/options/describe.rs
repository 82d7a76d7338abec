//! `istio describe`.

use super::{Named, SweepScope};
use crate::model::Selector;
use crate::plan::path::Verdict;
use crate::plan::routes::Request;

/// What is described.
#[derive(Debug, Clone)]
pub(crate) struct Describe {
    pub subject: DescribeSubject,
    /// Exit code 3 if a verdict is one of these.
    pub fail_on: Vec<Verdict>,
}

/// One target, a request, or all there is.
#[derive(Debug, Clone)]
pub(crate) enum DescribeSubject {
    Upstream(Named),
    /// `--host`
    Request(Request),
    /// Every Upstream and every Service that routes lead to without one; `only`: rows with these verdicts, or all.
    All {
        labels: Option<Selector>,
        scope: SweepScope,
        only: Vec<Verdict>,
    },
}
