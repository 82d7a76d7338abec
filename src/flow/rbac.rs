//! `rbac`: prints the roles that a command line needs. Asks no cluster.

use serde_json::{Value, json};

use super::report::Report;
use crate::needs;
use crate::options::{Command, Format, RbacTask, ValuesDestination};
use crate::plan::advice::{Advice, Code};
use crate::render::role;
use crate::yaml;

/// Prints the roles, and their bindings if there is an account.
pub(super) fn print(task: &RbacTask, format: Format, report: &mut Report<'_>) {
    let needs = needs::of(&task.command, &task.global);
    let usual = format!("gloo-rs-{}", task.words.join("-"));
    let manifests = role::manifests(&needs, task.name.as_deref().unwrap_or(&usual), task.account.as_ref());
    if needs.is_empty() {
        report.ui.status(format!("{} needs no right in a cluster: there is nothing to grant", task.words.join(" ")));
    }
    report.advice_if(on_helm(&task.command));
    match format {
        Format::Json => report.value(&json!({"apiVersion": "v1", "kind": "List", "items": manifests})),
        _ => report.whole(documents(&manifests).as_bytes()),
    }
}

/// Helm is another program, with the same user.
fn on_helm(command: &Command) -> Option<Advice> {
    let is_run = match command {
        Command::UpgradeValues(task) => matches!(task.destination, ValuesDestination::Helm(_)),
        Command::Setup(_) | Command::Teardown(_) => true,
        _ => false,
    };
    let what = "Helm itself needs the rights to change the objects of the release; they are not in this role";
    is_run.then(|| Advice::note(Code::HelmRights, what))
}

fn documents(manifests: &[Value]) -> String {
    manifests.iter().map(yaml::write).collect::<Vec<_>>().join("---\n")
}
