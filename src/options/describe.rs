//! The options of `istio describe`.

use super::{BaselineTask, Named, SweepScope};
use crate::model::Selector;
use crate::plan::path::Verdict;
use crate::plan::routes::Request;

/// The options of `istio describe`.
#[derive(Debug, Clone)]
pub(crate) struct Describe {
    pub subject: DescribeSubject,
    /// Exit with code 3 if a verdict is one of these.
    pub fail_on: Vec<Verdict>,
    /// Only of `upstreams`.
    pub baseline: BaselineTask,
}

/// One target, a request, or everything.
#[derive(Debug, Clone)]
pub(crate) enum DescribeSubject {
    Upstream(Named),
    /// A request: `--host`.
    Request(Request),
    /// Every Upstream, and every Service that is the target of a route without an Upstream. `only` selects rows with
    /// these verdicts; empty for all.
    All {
        labels: Option<Selector>,
        scope: SweepScope,
        only: Vec<Verdict>,
    },
}
