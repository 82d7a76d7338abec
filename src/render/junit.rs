//! Findings as `JUnit` XML for CI servers: a suite for each check, a test case for each finding.
//!
//! A finding at or above the threshold is a failure. One below it passes, with its message. A suppressed finding, an
//! unknown, and what files do not tell are skipped, with the reason.

use super::findings::not_judged_line;
use super::text::short_name;
use super::xml::Element;
use crate::check::results::{CheckStatus, Results, status};
use crate::check::{Finding, Ran};
use crate::error::Failure;

/// The suites of a run. `failure` is the failure that ended the run.
#[must_use]
pub(crate) fn suites(results: &Results, failure: Option<&Failure>) -> Vec<Suite> {
    results.shown().map(|ran| suite(results, ran)).chain(failure.map(of_failure)).collect()
}

/// The XML document of these suites.
#[must_use]
pub(crate) fn of_suites(suites: Vec<Suite>) -> String {
    let sum = |of: fn(&Suite) -> usize| suites.iter().map(of).sum::<usize>();
    let root = Element::new("testsuites")
        .with("name", "gloo-rs check")
        .with("tests", sum(|suite| suite.cases.len()))
        .with("failures", sum(|suite| suite.failures))
        .with("errors", sum(|suite| suite.errors))
        .with("skipped", sum(|suite| suite.skipped));
    suites.into_iter().fold(root, |root, suite| root.child(suite.element())).document()
}

/// A suite: a check, or the failure of a run.
pub(crate) struct Suite {
    name: String,
    cases: Vec<Element>,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Suite {
    fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), cases: Vec::new(), failures: 0, errors: 0, skipped: 0 }
    }

    /// The suite of this context.
    #[must_use]
    pub(super) fn of(self, context: &str) -> Self {
        Self { name: format!("{context}: {}", self.name), ..self }
    }

    fn element(self) -> Element {
        let element = Element::new("testsuite")
            .with("name", &self.name)
            .with("tests", self.cases.len())
            .with("failures", self.failures)
            .with("errors", self.errors)
            .with("skipped", self.skipped);
        self.cases.into_iter().fold(element, Element::child)
    }
}

fn suite(results: &Results, ran: &Ran) -> Suite {
    let mut suite = Suite::new(ran.check.title);
    for finding in &ran.findings {
        let is_failure = finding.severity <= results.threshold.severity;
        let inside = match is_failure {
            true => Element::new("failure")
                .with("message", &finding.message)
                .with("type", finding.severity.name())
                .lines(lines(finding)),
            false => Element::new("system-out").lines(lines(finding)),
        };
        suite.failures += usize::from(is_failure);
        suite.cases.push(case(ran, finding).child(inside));
    }
    for (finding, reason) in &ran.suppressed {
        suite.skipped += 1;
        let message = format!("suppressed: {reason}");
        suite.cases.push(case(ran, finding).child(Element::new("skipped").with("message", message)));
    }
    for it in &ran.not_judged {
        suite.skipped += 1;
        let name = format!("not judged: {}", it.why);
        let case = Element::new("testcase").with("classname", ran.check.title).with("name", name);
        let message = not_judged_line(ran.check.title, it);
        suite.cases.push(case.child(Element::new("skipped").with("message", message)));
    }
    let alone = Element::new("testcase").with("classname", ran.check.title).with("name", "all");
    match status(ran) {
        CheckStatus::Unknown => {
            suite.skipped += 1;
            let why: Vec<_> = ran.unknown.iter().map(|unknown| unknown.why.as_str()).collect();
            let message = format!("unknown: {}", why.join(", "));
            suite.cases.push(alone.child(Element::new("skipped").with("message", message)));
        }
        CheckStatus::Ok | CheckStatus::NothingInFiles if suite.cases.is_empty() => suite.cases.push(alone),
        _ => {}
    }
    suite
}

fn case(ran: &Ran, finding: &Finding) -> Element {
    let name = format!("{} {}/{}", finding.code.id, finding.object.kind, short_name(&finding.object, ""));
    let case = Element::new("testcase").with("classname", ran.check.title).with("name", name);
    match &finding.spot {
        Some(spot) => case.with("file", &spot.file).with("line", spot.line),
        None => case,
    }
}

fn lines(finding: &Finding) -> Vec<String> {
    let mut lines = vec![finding.message.clone()];
    lines.extend(finding.details.iter().cloned());
    lines.extend(finding.hint.as_ref().map(|hint| format!("hint: {hint}")));
    lines.push(format!("docs: {}", finding.code.explained_by()));
    lines
}

fn of_failure(failure: &Failure) -> Suite {
    let error = Element::new("error")
        .with("message", &failure.message)
        .with("type", failure.reason.name())
        .lines(failure.details.iter().cloned());
    let mut suite = Suite::new("gloo-rs");
    suite.cases.push(Element::new("testcase").with("classname", "gloo-rs").with("name", "run").child(error));
    suite.errors = 1;
    suite
}
