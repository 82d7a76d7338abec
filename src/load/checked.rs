//! What `check` reads from the cluster: a list for each kind that a check declares, the Helm release, and certificates.

use crate::check::look::Release;
use crate::check::{Beyond, Check};
use crate::command::Hint;
use crate::error::{Exit, Failure, Reason};
use crate::kube::Session;
use crate::load::snapshot::{Detail, Want};
use crate::load::{paths, release, release_chart};
use crate::model::names::KUBE_GATEWAY_LABEL;
use crate::model::{Kind, Unknown, kinds};
use crate::plan::istiod::{ISTIOD_LABEL, REVISION_LABEL};
use crate::plan::path::in_files;

/// The kinds that the checks read, each once.
#[must_use]
pub(crate) fn kinds_of(checks: &[&'static Check]) -> Vec<&'static Kind> {
    let mut all: Vec<&'static Kind> = Vec::new();
    for kind in checks.iter().flat_map(|check| check.kinds) {
        if !all.contains(kind) {
            all.push(kind);
        }
    }
    all
}

/// The kinds that are read from files.
#[must_use]
pub(crate) fn kinds_in_files(checks: &[&'static Check]) -> Vec<&'static Kind> {
    let mut all = kinds_of(checks);
    let more = in_files::more_kinds().filter(|kind| !all.contains(kind)).collect::<Vec<_>>();
    if all.contains(&&kinds::POD) {
        all.extend(more);
    }
    all
}

/// The lists for these kinds. `gloo` is the namespace of Gloo. `only`
/// are the namespaces of its objects; if empty, all namespaces.
#[must_use]
pub(crate) fn wants(kinds: &[&'static Kind], gloo: &str, only: &[String]) -> Vec<Want> {
    kinds.iter().flat_map(|kind| of_kind(kind, gloo, only)).collect()
}

fn of_kind(kind: &'static Kind, gloo: &str, only: &[String]) -> Vec<Want> {
    let all = Want::all(kind);
    let is = |other: &Kind| *kind == *other;
    if is(&kinds::DEPLOYMENT) {
        let of_gateway_api = all.clone().labelled(KUBE_GATEWAY_LABEL);
        return vec![all.clone().labelled(ISTIOD_LABEL), of_gateway_api, all.in_namespace(gloo).detail(Detail::Whole)];
    }
    if is(&kinds::CONFIG_MAP) {
        let of_gateway_api = all.clone().labelled(KUBE_GATEWAY_LABEL).detail(Detail::Whole);
        return vec![
            all.clone().labelled(REVISION_LABEL),
            of_gateway_api,
            all.in_namespace(gloo).detail(Detail::Whole),
        ];
    }
    if is(&kinds::REPLICA_SET) {
        // Read by `prevented`.
        return Vec::new();
    }
    if is(&kinds::DAEMON_SET) {
        return vec![all.in_namespace(gloo).detail(Detail::Whole)];
    }
    if is(&kinds::POD) {
        // For other pods the labels are enough. For Gloo's pods, the status says why one is not ready.
        return vec![all.clone().running().detail(Detail::Metadata), all.in_namespace(gloo)];
    }
    if is(&kinds::SETTINGS) {
        return vec![all.in_namespace(gloo)];
    }
    if is(&kinds::NAMESPACE) {
        return vec![Want::of_the_cluster(kind).detail(Detail::Metadata)];
    }
    if is(&kinds::MUTATING_WEBHOOK) {
        return vec![Want::of_the_cluster(kind).labelled(REVISION_LABEL)];
    }
    if is(&kinds::KUBE_GATEWAY_CLASS) {
        return vec![Want::of_the_cluster(kind)];
    }
    if is(&kinds::ENDPOINT_SLICE) {
        return vec![paths::endpoints()];
    }
    let of_all = [&kinds::SERVICE, &kinds::PEER_AUTHENTICATION, &kinds::AUTHORIZATION_POLICY, &kinds::NETWORK_POLICY];
    if of_all.into_iter().any(is) {
        return vec![all];
    }
    let all = if is(&kinds::SECRET) { all.detail(Detail::Metadata) } else { all };
    if only.is_empty() { vec![all] } else { only.iter().map(|namespace| all.clone().in_namespace(namespace)).collect() }
}

/// The Helm release of Gloo's chart in the namespace.
pub(crate) async fn release(session: &Session, namespace: &str) -> Beyond<Release> {
    match release::find(session, namespace, None, None).await {
        Ok(found) => match release_chart::chart(&found.record) {
            Some(chart) => Beyond::Read(Release {
                name: format!("{namespace}/{}", found.record.name),
                revision: found.record.revision,
                values: found.record.values,
                chart,
            }),
            None => Beyond::Unknown(Unknown::because(format!("the chart of release {} is unclear", found.record.name))),
        },
        Err(failure) if matches!(failure.reason, Reason::NoRelease | Reason::NotFound | Reason::Managed) => {
            Beyond::NotThere(failure.message)
        }
        Err(failure) => Beyond::Unknown(unknown(failure)),
    }
}

fn unknown(failure: Failure) -> Unknown {
    let rule = failure.hints.iter().find_map(Hint::rule);
    let is_right = failure.exit == Exit::SaidNo && rule.is_some();
    Unknown { why: failure.message, rule: rule.filter(|_| is_right) }
}
