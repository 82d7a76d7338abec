//! Builds Helm's command line: the cluster, the user, the release and the chart. It uses only data of the session and
//! the release's record.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::command::Hint;
use crate::edit::mask::SecretTexts;
use crate::error::{Exit, Failure, Reason};
use crate::helm::{AsUser, Helm, HelmTarget, Kubeconfig, Order, Record, ReleaseNamespace, flag};
use crate::kube::{ClusterContext, Impersonation, KubeconfigFiles};
use crate::options::{HelmFailure, UpgradeValues, ValuesAct};
use crate::plan::advice::Advice;
use crate::plan::change::AwaitedSidecars;
use crate::plan::mark;
use crate::plan::values::Edition;

/// The input of an upgrade by Helm.
pub(crate) struct Upgrade {
    pub record: Record,
    pub edition: Edition,
    /// All values, as YAML.
    pub values: String,
    /// Number of keys that change.
    pub changes: usize,
    /// What Gloo's controller makes of the proxies of the Gateway API, if the values have some.
    pub gateway_api: Option<AwaitedSidecars>,
    /// Secret texts to mask in Helm's output.
    pub secrets: SecretTexts,
    /// Why an upgrade by Helm 4 would fail.
    pub conflict: Option<Advice>,
    /// The newest revision and its status.
    pub newest: (u64, String),
}

/// The Helm to run.
pub(crate) struct ReadyHelm {
    pub helm: Helm,
    pub target: HelmTarget,
    /// Whether Helm's own wait would not end before its deadline.
    pub is_endless: bool,
    /// About Helm's wait.
    pub advice: Option<Advice>,
}

/// Without this flag, Helm treats empty values as a request to keep those of the previous release.
pub(super) const RESET_VALUES: &str = "--reset-values";

/// The working directory for Helm. Helm 3 prefers a file or directory with the chart's name in the working directory to
/// the repository, even with `--repo`. `/dev` contains no chart.
const NO_CHARTS: &str = "/dev";

/// The cluster and the user of the session.
///
/// # Errors
/// Helm cannot act as that user.
pub(super) fn target(
    context: &ClusterContext,
    impersonation: Option<&Impersonation>,
    namespace: &ReleaseNamespace,
) -> Result<HelmTarget, Failure> {
    let cannot =
        |why: String| Failure::usage(why).hint(Hint::from("without ").flag("--apply").text(" the values are printed"));
    if impersonation.is_some_and(|it| it.uid.is_some()) {
        return Err(cannot("--as-uid: helm cannot act with a UID".to_owned()));
    }
    let namespace = namespace.clone();
    let ClusterContext::Kubeconfig { name, files } = context else {
        return match impersonation {
            Some(_) => Err(cannot("--as: with the in-cluster configuration helm acts only as the pod".to_owned())
                .hint(
                    Hint::default().flag("--kubeconfig").text(" FILE names a kubeconfig, with which helm impersonates"),
                )),
            None => Ok(HelmTarget::InCluster { namespace }),
        };
    };
    let kept = |it: &Impersonation| {
        let is_kept = |field: &&&str| **field != "as-groups" || it.groups.is_empty();
        it.replaced.iter().filter(is_kept).copied().collect::<Vec<_>>().join(", ")
    };
    if let Some(kept) = impersonation.map(kept).filter(|kept| !kept.is_empty()) {
        return Err(cannot(format!("--as: helm would keep {kept} of the kubeconfig's user"))
            .hint("use a context whose user impersonates nothing"));
    }
    Ok(HelmTarget::Context {
        kubeconfig: match files {
            KubeconfigFiles::One(path) => Kubeconfig::One(path.clone()),
            KubeconfigFiles::Merged(list) => Kubeconfig::Merged(list.clone()),
        },
        context: name.clone(),
        user: impersonation.map(|it| AsUser { user: it.user.clone(), groups: it.groups.clone() }),
        namespace,
    })
}

/// The version of the published chart: the one from the command line, or else exactly the current one. With a range in
/// the record, the repository would choose the version.
///
/// # Errors
/// The record has no exact version.
pub(super) fn version<'a>(upgrade: &'a Upgrade, task: &'a UpgradeValues) -> Result<&'a str, Failure> {
    let record = &upgrade.record;
    match &task.to_version {
        Some(typed) => Ok(typed),
        None if is_exact(&record.chart_version) => Ok(&record.chart_version),
        None => {
            let message = format!(
                "release {}/{}: the version of its chart, {:?}, is not one version; nothing changed",
                record.namespace, record.name, record.chart_version
            );
            Err(Failure::new(Exit::Failed, Reason::BadRecord, message).hint(
                Hint::default()
                    .flag("--to-version")
                    .text(" VERSION names one")
                    .or_else(", ", Hint::default().flag("--chart").text(" FILE.tgz the chart itself")),
            ))
        }
    }
}

/// Whether this is an exact version, such as `1.17.7` or `v1.17.0-beta13+build.1`.
fn is_exact(version: &str) -> bool {
    let version = version.strip_prefix('v').unwrap_or(version);
    let core_end = version.find(['-', '+']).unwrap_or(version.len());
    let (core, rest) = version.split_at(core_end);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'))
}

/// The complete Helm order of the upgrade.
///
/// # Errors
/// The record has no version of the published chart.
pub(super) fn upgrade(
    target: HelmTarget,
    upgrade: &Upgrade,
    on_failure: HelmFailure,
    helm: &Helm,
    task: &UpgradeValues,
) -> Result<Order, Failure> {
    let record = &upgrade.record;
    let mut flags = vec![flag("values", "-"), flag("description", description(&task.act))];
    let mut directory = None;
    if task.chart.is_none() {
        flags.push(flag("repo", upgrade.edition.repository()));
        flags.push(flag("version", version(upgrade, task)?));
        directory = Some(PathBuf::from(NO_CHARTS));
    }
    flags.push(RESET_VALUES.into());
    if on_failure == HelmFailure::RollsBack {
        flags.push(helm.rollback_flag().into());
    }
    let chart = task.chart.as_ref().map_or_else(|| upgrade.edition.chart().into(), OsString::from);
    Ok(Order {
        target,
        command: "upgrade",
        flags,
        operands: vec![OsString::from(&*record.name), chart],
        directory,
        values: upgrade.values.clone(),
        storage: record.storage,
    })
}

fn description(act: &ValuesAct) -> &'static str {
    match act {
        ValuesAct::Merge => mark::RELEASE,
        ValuesAct::Remove => "Istio's values taken out by gloo-rs",
        ValuesAct::AutoMtlsBack { .. } => "auto-mTLS taken back by gloo-rs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(name: &str) -> ClusterContext {
        ClusterContext::Kubeconfig { name: name.to_owned(), files: KubeconfigFiles::One("/k".into()) }
    }

    fn told(context: &ClusterContext, impersonation: Option<&Impersonation>) -> Result<HelmTarget, String> {
        let namespace = ReleaseNamespace::parse("edge").unwrap();
        target(context, impersonation, &namespace).map_err(|failure| failure.message)
    }

    fn bob() -> Impersonation {
        Impersonation { user: "bob".to_owned(), groups: Vec::new(), uid: None, replaced: Vec::new() }
    }

    #[test]
    fn a_context_named_in_cluster_is_given_to_helm_as_a_context() {
        let Ok(HelmTarget::Context { context, kubeconfig, user: None, .. }) = told(&context("in-cluster"), None) else {
            panic!("no context")
        };
        assert_eq!((context.as_str(), kubeconfig), ("in-cluster", Kubeconfig::One("/k".into())));
        assert!(matches!(told(&ClusterContext::InCluster, None), Ok(HelmTarget::InCluster { .. })));
    }

    #[test]
    fn a_user_that_helm_cannot_be_is_refused() {
        let in_pod = told(&ClusterContext::InCluster, Some(&bob())).unwrap_err();
        assert_eq!(in_pod, "--as: with the in-cluster configuration helm acts only as the pod");
        for context in [context("a"), ClusterContext::InCluster] {
            let uid = told(&context, Some(&Impersonation { uid: Some("7".to_owned()), ..bob() })).unwrap_err();
            assert_eq!(uid, "--as-uid: helm cannot act with a UID");
        }
        let replaced = |fields: &[&'static str], groups: &[&str]| {
            let groups = groups.iter().map(|group| (*group).to_owned()).collect();
            told(&context("a"), Some(&Impersonation { groups, replaced: fields.to_vec(), ..bob() }))
        };
        assert!(replaced(&["as-groups"], &["mine"]).is_ok());
        let all = ["as-groups", "as-uid", "as-user-extra"];
        assert_eq!(
            replaced(&all, &[]),
            Err("--as: helm would keep as-groups, as-uid, as-user-extra of the kubeconfig's user".to_owned())
        );
        assert!(replaced(&all, &["mine"]).unwrap_err().contains("keep as-uid, as-user-extra of"));
    }

    #[test]
    fn a_version_is_one_and_no_range_and_no_flag() {
        for version in ["1.17.7", "v1.17.0", "1.17.0-beta13", "1.18.0-rc.1+build.5"] {
            assert!(is_exact(version), "{version}");
        }
        for version in
            ["", "*", ">0.0.0-0", "1.17", "1.17.x", "^1.17.7", "1.17.7 || *", "-h", "--repo=x", "1.2.3,4.5.6"]
        {
            assert!(!is_exact(version), "{version}");
        }
    }
}
