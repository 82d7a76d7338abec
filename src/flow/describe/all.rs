//! `upstreams`: describes every Upstream, page by page, then the Services that routes refer to without an Upstream.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Cluster;
use crate::command::TypedTarget;
use crate::error::{Exit, Failure, Reason};
use crate::flow::baseline::{self, BaselineRun, Scoped, USUAL};
use crate::kube::{ApiCause, Query, Scope as Place};
use crate::load::paths;
use crate::load::unread::why;
use crate::model::{Object, Selector, kinds};
use crate::options::{Format, SweepScope};
use crate::plan::Unread;
use crate::plan::advice::Advice;
use crate::plan::destinations::{self, DestinationTarget as Written};
use crate::plan::path::routed::ROUTES;
use crate::plan::path::{Described, Verdict};
use crate::posture::baseline::{PATHS, Recorded};
use crate::posture::records;
use crate::render::answer::{AnswerPart, ClusterAnswer};
use crate::render::describe::{self as render, CSV_HEAD, TargetRow, Width};
use crate::render::line::Line;
use crate::render::text::count;

/// Which targets to describe, and which of them to show.
pub(super) struct WantedTargets<'w> {
    pub labels: Option<&'w Selector>,
    pub scope: &'w SweepScope,
    pub only: &'w [Verdict],
    pub baseline: &'w BaselineRun,
}

impl WantedTargets<'_> {
    /// What the paths are of, for a baseline.
    fn described_as(&self, namespace: &str) -> String {
        let labels = self.labels.map_or_else(String::new, |labels| format!(", labels {labels}"));
        match self.scope {
            SweepScope::Namespace => format!("namespace {namespace}{labels}"),
            SweepScope::Everywhere => format!("{ALL_NAMESPACES}{labels}"),
        }
    }
}

/// What the paths of a baseline are of if it is about the whole cluster.
pub(in crate::flow) const ALL_NAMESPACES: &str = "all namespaces";

/// What is kept of each target. There may be ten thousand of them in memory.
struct Found {
    format: Format,
    only: Vec<Verdict>,
    rows: Vec<TargetRow>,
    values: Vec<Value>,
    counts: BTreeMap<Verdict, usize>,
    unread: Vec<Unread>,
    /// The facts for a baseline. `None` if the run has nothing to do with one.
    recorded: Option<Recorded>,
    target: TypedTarget,
}

/// Describes all targets.
///
/// # Errors
/// Upstreams may not be listed, there are none, or the API server does not answer.
pub(super) async fn describe(
    cluster: &Cluster<'_>,
    wanted: &WantedTargets<'_>,
    fail_on: &[Verdict],
    answer: &mut ClusterAnswer,
    advance: &mut dyn FnMut(),
) -> Result<(), Failure> {
    let place = match wanted.scope {
        SweepScope::Namespace => Place::Namespace(cluster.global.object_namespace()),
        SweepScope::Everywhere => Place::All,
    };
    let snapshot = paths::around_all(&cluster.session, &cluster.gloo, &cluster.namespaces()).await?;
    let survey = cluster.survey(&snapshot).await;
    let routed = cluster.routed(&survey, answer).await;
    let described = |facts| {
        let narrowed = routed.iter().fold(facts, |facts, routed| routed.narrow(&survey, facts));
        Described::from(narrowed).on(&cluster.global.target())
    };
    let mut found = Found::new(cluster, wanted);
    let query = Query::labelled(wanted.labels.map(ToString::to_string).unwrap_or_default());
    let mut pages = cluster.session.pages(&kinds::UPSTREAM, place, query);
    while let Some(page) = pages.next().await.map_err(|error| error.into_failure(&cluster.session))? {
        for value in page.items {
            found.take(&described(survey.of_upstream(&Object::new(&kinds::UPSTREAM, value))));
            advance();
        }
    }
    let (services, gaps) = services(cluster, place).await?;
    for (namespace, name, port) in services {
        let labelled = snapshot.find(&kinds::SERVICE, &namespace, &name).object();
        let is_selected = wanted
            .labels
            .is_none_or(|labels| labelled.is_some_and(|it| labels.matches(&it.value["metadata"]["labels"])));
        if is_selected {
            found.take(&described(survey.of_service(&namespace, &name, port)));
        }
    }
    for why in survey.unread_certificates() {
        answer.advice(Advice::unknown("whether the gateways' certificates are still valid is unknown", why));
    }
    for gap in &gaps {
        answer.advice(Advice::unknown("Services that routes lead to are missing here", gap));
    }
    let recorded = found.recorded.take();
    let is_open = !gaps.is_empty() && fail_on.contains(&Verdict::Unknown);
    if is_open || fail_on.iter().any(|verdict| found.counts.contains_key(verdict)) {
        answer.ends(Exit::WouldChange);
    }
    let compared = recorded.map(|mut recorded| {
        if !gaps.is_empty() {
            recorded.not_read(PATHS);
        }
        let paths = Some(wanted.described_as(cluster.global.object_namespace()));
        wanted.baseline.end(Scoped { paths, findings: None, recorded }, USUAL, answer)
    });
    let compared = compared.transpose()?.flatten();
    found.say(wanted, cluster, answer)?;
    baseline::say(compared.as_ref(), cluster.global.format, answer);
    Ok(())
}

type Service = (String, String, Option<u64>);

/// The Services that routes refer to, each once, and the lists that could not be read.
async fn services(cluster: &Cluster<'_>, place: Place<'_>) -> Result<(BTreeSet<Service>, Vec<Unread>), Failure> {
    let mut services = BTreeSet::new();
    let mut gaps = Vec::new();
    for kind in ROUTES {
        let mut pages = cluster.session.pages(kind, place, Query::default());
        loop {
            match pages.next().await {
                Ok(None) => break,
                Ok(Some(page)) => {
                    for value in page.items {
                        let named = destinations::read(&Object::new(kind, value)).into_iter();
                        services.extend(named.filter_map(|it| match it.target {
                            Written::Kube { service, port } => Some((service.namespace, service.name, port)),
                            _ => None,
                        }));
                    }
                }
                Err(error) if error.cause == ApiCause::NoCrd => break,
                Err(error) => {
                    let ApiCause::Forbidden { rule, .. } = &error.cause else {
                        return Err(error.into_failure(&cluster.session));
                    };
                    gaps.push(Unread { why: why(&error), rule: rule.clone(), failure: None });
                    break;
                }
            }
        }
    }
    Ok((services, gaps))
}

impl Found {
    fn new(cluster: &Cluster<'_>, wanted: &WantedTargets<'_>) -> Self {
        Self {
            format: cluster.global.format,
            only: wanted.only.to_vec(),
            rows: Vec::new(),
            values: Vec::new(),
            counts: BTreeMap::new(),
            unread: Vec::new(),
            recorded: wanted.baseline.is_wanted().then(Recorded::default),
            target: cluster.global.target(),
        }
    }

    fn take(&mut self, described: &Described) {
        let verdict = described.judged.verdict;
        *self.counts.entry(verdict).or_default() += 1;
        if let Some(recorded) = &mut self.recorded {
            recorded.add_paths(records(described, &self.target).iter().map(|(path, _)| path));
        }
        for why in described.facts.unread() {
            if why.rule.is_some() && !self.unread.contains(why) {
                self.unread.push(why.clone());
            }
        }
        if !self.only.is_empty() && !self.only.contains(&verdict) {
            return;
        }
        match self.format {
            Format::Json | Format::Yaml => self.values.push(render::of_target(described)),
            _ => self.rows.push(TargetRow::from(described)),
        }
    }

    fn say(self, wanted: &WantedTargets<'_>, cluster: &Cluster<'_>, answer: &mut ClusterAnswer) -> Result<(), Failure> {
        let all: usize = self.counts.values().sum();
        let counts: Map<_, _> =
            self.counts.iter().map(|(verdict, number)| (verdict.name().to_owned(), (*number).into())).collect();
        answer.field("verdictCounts", Value::Object(counts));
        if all == 0 {
            return Err(none(wanted, cluster));
        }
        answer.field("targets", Value::Array(self.values));
        match self.format {
            Format::Csv => {
                let rows = self.rows.iter().map(render::csv).collect();
                answer.parts.push(AnswerPart::Csv { head: CSV_HEAD, rows });
            }
            _ if self.rows.is_empty() => {}
            Format::Wide => answer.parts.push(AnswerPart::Table(render::table(&self.rows, Width::Wide))),
            _ => {
                // A script that reads the rows gets all of them.
                let (rows, more) = match answer.columns {
                    Some(_) => render::grouped(self.rows),
                    None => (self.rows, Vec::new()),
                };
                answer.parts.push(AnswerPart::Table(render::table(&rows, Width::Usual)));
                for line in more {
                    answer.line(line);
                }
            }
        }
        for why in &self.unread {
            answer.advice(Advice::unknown("some verdicts or facts are unknown", why));
        }
        let mut line = Line::default();
        for (place, (verdict, number)) in self.counts.iter().enumerate() {
            let between = if place == 0 { "" } else { ", " };
            line = line.text(between).toned(format!("{number} {verdict}"), verdict);
        }
        answer.status(line.text(format!(" ({})", count(all, "target"))));
        Ok(())
    }
}

fn none(wanted: &WantedTargets<'_>, cluster: &Cluster<'_>) -> Failure {
    let place = match wanted.scope {
        SweepScope::Namespace => format!("in {}", cluster.global.object_namespace()),
        SweepScope::Everywhere => "in any namespace".to_owned(),
    };
    let with = wanted.labels.map_or_else(String::new, |labels| format!(" with labels {labels}"));
    let message = format!("no Upstream{with} {place}, and no Service that a route leads to");
    let failure = Failure::new(Exit::SaidNo, Reason::NotFound, message);
    let session = &cluster.session;
    let failure = failure.detail(session.looked());
    if *wanted.scope == SweepScope::Namespace { failure.hint("-A searches all namespaces") } else { failure }
}
