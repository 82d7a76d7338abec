//! The guard of commands that change Upstreams by name.

use std::cell::RefCell;
use std::collections::HashMap;

use tokio::sync::OnceCell;

use super::{Harms, say};
use crate::error::Failure;
use crate::flow::notes::Notes;
use crate::kube::Session;
use crate::load::survey::SurveyReader;
use crate::load::traffic::{self, Traffic};
use crate::model::{Object, ObjectRef};
use crate::plan::mtls::UpstreamContext;
use crate::plan::outcome::{Decision, Objection};
use crate::plan::path::{Facts, guard};
use crate::plan::policy::Picked;
use crate::plan::{PerObject, Unread};

/// Checks each Upstream before it is changed. Routes and all gateways are read once, and only if the change is one that
/// a pod or a gateway may not support.
pub(crate) struct OfUpstreams<'r> {
    session: &'r Session,
    survey: &'r SurveyReader<'r>,
    plan: &'r dyn PerObject,
    /// How the context of an Upstream is read. For many Upstreams, a namespace is read at a time.
    found: Picked,
    names: Vec<ObjectRef>,
    traffic: OnceCell<Result<Traffic, Failure>>,
    seen: RefCell<HashMap<ObjectRef, UpstreamContext>>,
    /// Harm that was not a reason to refuse.
    harms: RefCell<Harms>,
}

impl<'r> OfUpstreams<'r> {
    /// A guard for these Upstreams.
    pub(crate) fn new(
        session: &'r Session,
        survey: &'r SurveyReader<'r>,
        plan: &'r dyn PerObject,
        names: &[ObjectRef],
    ) -> Self {
        const FEW: usize = 4;
        Self {
            session,
            survey,
            plan,
            found: if names.len() > FEW { Picked::Selected } else { Picked::Named },
            names: names.to_vec(),
            traffic: OnceCell::new(),
            seen: RefCell::default(),
            harms: RefCell::default(),
        }
    }

    /// Why the Upstream is not changed: requests that work now would get 503s. Unknown harm is no reason.
    pub(crate) async fn objection(&self, upstream: &Object) -> Option<Objection> {
        let caution = self.plan.guarded()?;
        let Decision::Change { edits, .. } = self.plan.decide(upstream, Picked::Named, &UpstreamContext::unseen())
        else {
            return None;
        };
        let around = self.around(upstream).await.ok()?;
        let (before, after) = (around.path_after(upstream, &[])?, around.path_after(upstream, &edits)?);
        if !self.may_break(&before, &after).await {
            return None;
        }
        let behind = self.survey.whole_behind(upstream, self.found).await?;
        let read = async || Box::pin(traffic::to_upstreams(self.session, self.survey, &self.names)).await;
        let harms = match self.traffic.get_or_init(read).await {
            Ok(traffic) => Harms::of_upstream(traffic, upstream, &edits, &behind),
            Err(failure) => Harms { unknown: vec![Unread::from(failure.message.as_str())], ..Harms::default() },
        };
        let refused = harms.refused(caution);
        if refused.is_none() {
            // An Upstream that no route refers to is already covered by separate advice.
            self.harms.borrow_mut().extend(Harms { unrouted: Vec::new(), ..harms });
        }
        refused
    }

    /// The context of an Upstream, which is read once.
    ///
    /// # Errors
    /// As [`crate::load::survey::SurveyReader::around`].
    pub(crate) async fn around(&self, upstream: &Object) -> Result<UpstreamContext, Failure> {
        if let Some(seen) = self.seen.borrow().get(&upstream.reference) {
            return Ok(seen.clone());
        }
        let around = self.survey.around(upstream, self.found, self.plan.wants()).await?;
        self.seen.borrow_mut().insert(upstream.reference.clone(), around.clone());
        Ok(around)
    }

    async fn may_break(&self, before: &Facts, after: &Facts) -> bool {
        guard::may_break(before, after)
            || (guard::needs_certificates(before, after) && !self.survey.has_whole_gateways().await)
    }

    /// Reports the harm that was not a reason to refuse.
    pub(crate) fn say(&self, notes: &mut dyn Notes) {
        say(&self.harms.borrow(), notes);
    }
}
