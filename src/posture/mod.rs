//! The posture of clusters: the state of every path and why, findings, certificates, revisions and deciding policies, as
//! one value from which every output of `report` is made; and the part of it that a baseline keeps.

pub(crate) mod baseline;
mod certificates;
mod findings;
mod groups;
mod paths;
mod policies;
mod revisions;

use serde::Serialize;

pub(crate) use certificates::GatewayCertificates;
pub(crate) use findings::FindingCause;
pub(crate) use groups::{PathCause, PathTotals, VerdictCounts};
pub(crate) use paths::{PathRecord, records};
pub(crate) use policies::DecidingPolicy;
pub(crate) use revisions::RevisionUse;

use crate::check::results::Results;
use crate::check::{Look, World};
use crate::command::TypedTarget;
use crate::model::{Kind, Unknown, kinds};
use crate::plan::path::routed::ROUTES;
use crate::plan::path::{Described, Survey};
use crate::rights::Rule;
use baseline::{PATHS, Recorded};
use groups::PathLedger;
use policies::PolicyTally;

/// The posture of one cluster, or of one set of manifests.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterPosture {
    pub origin: PostureOrigin,
    /// The paths by verdict.
    pub counts: VerdictCounts,
    /// The paths by the namespace of their pods.
    pub namespaces: Vec<PathTotals>,
    /// The paths by gateway.
    pub gateways: Vec<PathTotals>,
    /// The paths by verdict, cause and the object that decides, the worst first.
    pub causes: Vec<PathCause>,
    pub paths: Vec<PathRecord>,
    /// The findings by code and cause, the most severe first.
    pub findings: Vec<FindingCause>,
    /// Number of findings that are suppressed.
    pub suppressed: usize,
    pub certificates: Vec<GatewayCertificates>,
    pub revisions: Vec<RevisionUse>,
    /// The policies that decide what the pods behind the paths accept.
    pub policies: Vec<DecidingPolicy>,
    /// What could not be read, each reason once.
    pub unknown: Vec<PostureGap>,
}

/// What a posture is about, and when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PostureOrigin {
    /// The context of the kubeconfig. `None` for manifests.
    pub context: Option<String>,
    pub server: Option<String>,
    pub gloo_namespace: String,
    /// RFC 3339.
    pub read_at: String,
}

/// Something that could not be read, and what is incomplete without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PostureGap {
    pub what: Vec<String>,
    pub why: String,
    pub rule: Option<Rule>,
}

/// What a posture is made of.
pub(crate) struct PostureInput<'i, 's> {
    pub origin: PostureOrigin,
    pub world: &'s World<'s>,
    /// The facts of the paths, with the certificates of the gateways.
    pub survey: &'i Survey<'s>,
    pub results: &'i Results,
    /// The cluster and user of the printed commands.
    pub target: &'i TypedTarget,
    /// Why certificates were not asked for, if they were not.
    pub unasked: &'i str,
}

/// Builds the posture.
pub(crate) fn of_cluster(input: &PostureInput<'_, '_>) -> ClusterPosture {
    let look = Look::new(input.world);
    // One target at a time: its facts hold all its pods.
    let mut ledger = PathLedger::default();
    let mut policies = PolicyTally::default();
    paths::each_target(input.survey, &look, |facts| {
        let described = Described::from(facts).on(input.target);
        policies.add(&described.facts);
        for (record, fix) in paths::records(&described, input.target) {
            ledger.add(record, fix);
        }
    });
    let (paths, causes) = ledger.finish();
    ClusterPosture {
        origin: input.origin.clone(),
        counts: VerdictCounts::of(&paths),
        namespaces: groups::totals(&paths, |path| &path.backend),
        gateways: groups::totals(&paths, |path| path.gateway.as_deref().unwrap_or("unknown")),
        causes,
        findings: findings::causes(input.results),
        suppressed: input.results.suppressed().count(),
        certificates: certificates::of_gateways(input.survey, input.unasked),
        revisions: revisions::in_snapshot(input.world.snapshot, look.istiods()),
        policies: policies.finish(),
        unknown: gaps(input.world, input.results),
        paths,
    }
}

impl ClusterPosture {
    /// The posture of a cluster of which nothing could be read.
    pub(crate) fn unread(origin: PostureOrigin, why: &str) -> Self {
        let gap = PostureGap { what: vec!["the whole cluster".to_owned()], why: why.to_owned(), rule: None };
        Self {
            origin,
            counts: VerdictCounts::default(),
            namespaces: Vec::new(),
            gateways: Vec::new(),
            causes: Vec::new(),
            paths: Vec::new(),
            findings: Vec::new(),
            suppressed: 0,
            certificates: Vec::new(),
            revisions: Vec::new(),
            policies: Vec::new(),
            unknown: vec![gap],
        }
    }
}

/// The kinds without which paths may be missing.
const PATH_SOURCES: [&Kind; 6] = {
    let [gateway, virtual_service, route_table, upstream_group, http_route] = ROUTES;
    [&kinds::UPSTREAM, gateway, virtual_service, route_table, upstream_group, http_route]
};

/// Returns why some paths may be missing: Upstreams or routes could not be listed.
fn unread_paths<'s>(world: &World<'s>) -> impl Iterator<Item = &'s Unknown> {
    let snapshot = world.snapshot;
    PATH_SOURCES.iter().filter_map(|kind| snapshot.unknown(kind)).filter(|unknown| !unknown.is_of_files())
}

fn gaps(world: &World<'_>, results: &Results) -> Vec<PostureGap> {
    let mut gaps: Vec<PostureGap> = Vec::new();
    if world.snapshot.is_of_files() {
        let what = vec!["everything that is not in the manifests".to_owned()];
        gaps.push(PostureGap { what, why: Unknown::of_files().why, rule: None });
    }
    let of_paths = unread_paths(world).map(|unknown| (unknown, vec!["paths"]));
    for (unknown, titles) in of_paths.chain(results.unknown()) {
        let index = gaps.iter().position(|gap| gap.why == unknown.why).unwrap_or_else(|| {
            let rule = unknown.rule.as_deref().cloned();
            gaps.push(PostureGap { what: Vec::new(), why: unknown.why.clone(), rule });
            gaps.len() - 1
        });
        let gap = &mut gaps[index];
        for title in titles {
            if !gap.what.iter().any(|known| known == title) {
                gap.what.push(title.to_owned());
            }
        }
    }
    gaps
}

impl ClusterPosture {
    /// Returns the facts that a baseline keeps.
    pub(crate) fn recorded(&self, world: &World<'_>, results: &Results) -> Recorded {
        let mut recorded = Recorded::default();
        recorded.add_paths(&self.paths);
        recorded.add_results(results);
        if unread_paths(world).next().is_some() {
            recorded.not_read(PATHS);
        }
        recorded
    }
}
