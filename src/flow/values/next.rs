//! Prints what to do with the values: the Helm command, and what Helm does not do.

use std::path::PathBuf;

use serde_json::Value;

use super::order::RESET_VALUES;
use crate::command::{Driver, helm, kubectl};
use crate::flow::report::Report;
use crate::helm::Record;
use crate::kube::Session;
use crate::load::chart::AtHand;
use crate::options::{Global, UpgradeValues, ValuesDestination};
use crate::plan::advice::{Advice, Code};
use crate::plan::values::Edition;
use crate::render::line::Line;
use crate::render::values::command;

/// The file name in the printed command if stdout was redirected and the real name is unknown.
const USUAL_FILE: &str = "gloo-gateway.yaml";

/// Prints the command that passes the values to Helm.
pub(super) fn say(
    (record, values): (&Record, &Value),
    edition: Edition,
    session: Option<&Session>,
    task: &UpgradeValues,
    global: &Global,
    report: &mut Report<'_>,
) {
    report.ui.status("next:");
    let mut parts = parts(record, edition, session, task, global);
    if values.as_object().is_none_or(serde_json::Map::is_empty) {
        parts.push(words(&[RESET_VALUES]));
    }
    for line in command(&parts) {
        report.ui.status(Line::default().whole(line));
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn parts(
    record: &Record,
    edition: Edition,
    session: Option<&Session>,
    task: &UpgradeValues,
    global: &Global,
) -> Vec<Vec<String>> {
    let file = match &task.destination {
        ValuesDestination::NewFile(file) => file.clone(),
        _ => PathBuf::from(USUAL_FILE),
    };
    let chart = task.chart.as_ref().map_or_else(|| edition.chart().to_owned(), |chart| chart.display().to_string());
    let helm: Vec<&str> = record.command().split(' ').collect();
    let upgrade = words(&[&helm[..], &["upgrade", &record.name, &chart]].concat());
    let mut parts = vec![upgrade, words(&["-n", &record.namespace])];
    if let Some(kubeconfig) = &global.kubeconfig {
        parts.push(words(&["--kubeconfig", &kubeconfig.display().to_string()]));
    }
    if let (Some(context), Some(_)) = (&global.context, session) {
        parts.push(words(&["--kube-context", context]));
    }
    if let Some(user) = &global.as_user {
        parts.push(words(&["--kube-as-user", user]));
    }
    for group in &global.as_groups {
        parts.push(words(&["--kube-as-group", group]));
    }
    let file = ["-f".to_owned(), file.display().to_string()];
    if task.chart.is_none() {
        let version = task.to_version.as_ref().unwrap_or(&record.chart_version);
        parts.push(words(&["--repo", edition.repository()]));
        parts.push(words(&["--version", version]));
    }
    parts.push(file.to_vec());
    parts
}

/// The advice about CRDs. Another version may have other CRDs, and Helm only installs CRDs, but never upgrades them.
/// `running` is the version of the installed chart, if known.
pub(super) fn crds(
    running: Option<&str>,
    edition: Edition,
    at_hand: Option<&AtHand>,
    task: &UpgradeValues,
) -> Option<Advice> {
    let show = helm(Driver::Secret, "show crds");
    let (version, show) = match (at_hand, &task.chart, &task.to_version) {
        (Some(chart), Some(path), _) if chart.has_crds => {
            (chart.version.as_str(), show.value(path.display().to_string()))
        }
        (None, _, Some(version)) => {
            let show = show.value(edition.chart()).with("--repo", edition.repository());
            (version.as_str(), show.with("--version", version))
        }
        _ => return None,
    };
    if running == Some(version) {
        return None;
    }
    let message = format!("Helm does not upgrade CRDs: apply those of {version} before the upgrade");
    let command = show.then(" | ").command(kubectl("apply --server-side -f -"));
    Some(Advice::note(Code::Crds, message).hint(command))
}
