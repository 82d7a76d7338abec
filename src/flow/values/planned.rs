//! The planned values of a release or of a file.

use serde_json::Value;

use super::next;
use super::order::Upgrade;
use super::subject::ValuesSubject;
use super::{files, prove, refused, sources};
use crate::edit::mask::{self, SecretTexts};
use crate::edit::values as text;
use crate::error::Failure;
use crate::flow::emit::on_lost_comments;
use crate::flow::notes::Notes;
use crate::load::release::FoundRelease;
use crate::options::{ProofWish, UpgradeValues, ValuesAct};
use crate::plan::advice::{Advice, Code};
use crate::plan::change::AwaitedSidecars;
use crate::plan::path::effect::{Effect, Turn};
use crate::plan::values::proof::Proof;
use crate::plan::values::{self, ValuesPlan, ineffective};
use crate::render::diff::{self, Secrets};
use crate::render::proof;
use crate::render::values as shown;
use crate::yaml;

/// A plan and its result.
pub(crate) struct PlannedValues {
    pub subject: ValuesSubject,
    pub plan: ValuesPlan,
    pub proof: Proof,
    pub after: Value,
    /// `after` as the text of a file, for a release.
    pub text: String,
    /// The new texts of the files that change, with their indices.
    pub edited: Vec<(usize, String)>,
}

impl PlannedValues {
    /// Applies the plan to the values.
    ///
    /// # Errors
    /// The values, or the text of their file, cannot be edited in this way.
    pub(crate) fn new(subject: ValuesSubject, (mut plan, proof): (ValuesPlan, Proof)) -> Result<Self, Failure> {
        let Some(files) = &subject.file else {
            let after = subject.after(&plan)?;
            let text = match values::sorted(&after) {
                Value::Null => "{}\n".to_owned(),
                after => yaml::write(&after),
            };
            return Ok(Self { subject, plan, proof, after, text, edited: Vec::new() });
        };
        if let Some(denied) = &files.denied {
            return Err(refused::denial(denied, &plan.edits));
        }
        files.check_place(&plan.edits)?;
        sources::settle(files, (&subject.values, &subject.chart), &mut plan)?;
        let after = subject.after(&plan)?;
        let edited = files.edited(&plan.edits, &after)?;
        Ok(Self { plan, proof, after, text: String::new(), edited, subject })
    }

    /// Reports the changes and advice.
    pub(crate) fn say(&self, task: &UpgradeValues, notes: &mut dyn Notes) {
        let Self { subject, plan, proof, .. } = self;
        if let Some(istiod) = &plan.istiod {
            notes.status(istiod);
        }
        let touched = plan.changes.iter().filter(|change| matches!(change.old, values::Old::Set(_))).count();
        let others = values::leaves(&subject.values).saturating_sub(touched);
        let ineffective = ineffective::of_values(&subject.values, &self.after, &subject.chart);
        let has_no_effect = |advice: &Advice| matches!(advice.code, Code::NoEffect | Code::Swallowed);
        let is_left_out = !proof.unread.is_empty() || plan.advice.iter().chain(&ineffective).any(has_no_effect);
        let is_partial = subject.file.as_ref().is_some_and(files::ValuesFiles::is_partial);
        match plan.is_empty() {
            true if is_left_out => notes.status("no change would have an effect"),
            true if is_partial => notes.status("no change in what was read"),
            _ => shown::changes(&plan.changes, others, task.secrets).iter().for_each(|line| notes.status(line)),
        }
        if let Some(files) = &subject.file {
            sources::say_effective(files, (&subject.values, &subject.chart), plan, notes);
            let lost = |(index, new): &(usize, String)| {
                let text = &files.texts[*index];
                on_lost_comments(&text.name, &text.text, new)
            };
            notes.advices(self.edited.iter().filter_map(lost));
        }
        let is_told = task.proof == ProofWish::Rendered || subject.at_hand.is_some();
        proof::lines(proof).iter().filter(|_| is_told).for_each(|line| notes.status(line));
        notes.advices(prove::advice(proof, subject));
        notes.advices(plan.advice.iter().cloned());
        for path in values::templated(&self.after, &subject.chart) {
            notes.advice(Advice::note(Code::Unknown, format!("{path} is a template: its value is unknown")));
        }
        notes.advices(ineffective);
        if let Some(chart) = &subject.at_hand {
            let name = format!("{}-{}", chart.name, chart.version);
            notes.advices(chart.known.advise(&subject.values, &subject.chart, &name));
        }
        let secrets = mask::secret_paths(&self.after);
        if !secrets.is_empty() {
            notes.advice(Advice::note(Code::Secret, shown::secrets(&secrets)));
        }
        let running = subject.release.as_ref().map(|found| found.record.chart_version.as_str());
        notes.advices(next::crds(running, subject.chart.edition, subject.at_hand.as_ref(), task));
    }

    /// What Gloo's controller makes of the proxies of the Gateway API because of these values.
    fn of_gateway_api(&self) -> Option<AwaitedSidecars> {
        let address = |values| values::gateway_api_address(values, &self.subject.chart);
        match (address(&self.subject.values), address(&self.after)) {
            (_, Some(address)) => Some(AwaitedSidecars::There { address: Some(address), tag: None }),
            (Some(_), None) => Some(AwaitedSidecars::Gone),
            (None, None) => None,
        }
    }

    /// The effects of these values on requests.
    pub(crate) fn effects(&self, task: &UpgradeValues) -> Vec<Effect> {
        let turn = |is_on: bool| if is_on { Turn::On } else { Turn::Off };
        vec![
            Effect::Certificates(Vec::new(), turn(task.act == ValuesAct::Merge)),
            Effect::AutoMtls(turn(self.subject.chart.has_auto_mtls(&self.after))),
        ]
    }

    /// The change as a unified diff.
    pub(crate) fn diff(&self, secrets: Secrets) -> String {
        let Some(files) = &self.subject.file else {
            let shown = |values: &Value| match values {
                Value::Null => String::new(),
                values => yaml::write(&secrets.shown(&values::sorted(values))),
            };
            return diff::unified("values", "values", &shown(&self.subject.values), &shown(&self.after));
        };
        let shown = |text: &str| match secrets {
            Secrets::Shown => text.to_owned(),
            Secrets::Masked => text::masked(text),
        };
        let of_file = |(index, new): &(usize, String)| {
            let of_name = files::shown(&files.texts[*index]);
            diff::unified(of_name, of_name, &shown(&files.texts[*index].text), &shown(new))
        };
        self.edited.iter().map(of_file).collect()
    }

    /// The input of the Helm upgrade. `None` if the release has these values already.
    pub(crate) fn upgrade(&self, task: &UpgradeValues) -> Option<Upgrade> {
        let Self { subject, plan, text, .. } = self;
        let FoundRelease { record, history, .. } = subject.release.as_ref()?;
        let at_hand = subject.at_hand.as_ref().map(|chart| &chart.version);
        let version = at_hand.or(task.to_version.as_ref()).unwrap_or(&record.chart_version);
        if plan.is_empty() && *version == record.chart_version {
            return None;
        }
        let newest = history.first().map_or((record.revision, record.status.clone()), |entry| {
            (entry.revision, entry.status.clone().unwrap_or_default())
        });
        Some(Upgrade {
            record: record.clone(),
            edition: subject.chart.edition,
            values: text.clone(),
            changes: plan.changes.len(),
            gateway_api: self.of_gateway_api(),
            secrets: SecretTexts::of_value(&subject.values),
            conflict: subject.conflict.clone(),
            newest,
        })
    }
}
