//! Hints of a step's own command, as they help who typed the longer way.

use super::forward::shown;
use super::step::Act;
use crate::cli;
use crate::error::Failure;
use crate::flow::again;
use crate::options::{Global, Injection, Selection, ValuesAct};
use crate::plan::{PerObject, auto_mtls};

/// Flags with which a step's own command goes through first, so that the longer way finds it done.
const GO_FIRST: [&str; 3] = ["--overwrite", "--force", "--istio-discovery-address"];

/// Keeps of the hints what can be typed here, names the step's own command for what only that takes, and drops the rest.
pub fn told(why: Failure, way: &str, act: &Act, typed: &Global) -> Failure {
    let takes = |flag: &str| cli::takes(&["istio", way], flag);
    let own = command(act, typed);
    let hints = why.hints.iter().filter_map(|hint| here(hint, &takes, own.as_deref())).collect();
    Failure { hints, ..why }
}

fn here(hint: &str, takes: &impl Fn(&str) -> bool, own: Option<&str>) -> Option<String> {
    let is_fine = |clause: &&str| clause.contains("gloo-rs ") || flags(clause).all(takes);
    // Each half of a hint is one way out, and each of its clauses may be.
    let half = |half: &str| {
        let clauses: Vec<_> = half.split(", ").filter(is_fine).collect();
        (!clauses.is_empty()).then(|| clauses.join(", "))
    };
    let kept: Vec<_> = hint.split("; ").filter_map(half).collect();
    if !kept.is_empty() {
        return Some(kept.join("; "));
    }
    let flag = flags(hint).next().filter(|flag| GO_FIRST.contains(flag))?;
    let value = hint.split(' ').nth(1).filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()));
    let value = value.map(|value| format!(" {value}")).unwrap_or_default();
    Some(format!("first: {} {flag}{value}", own?))
}

fn flags(clause: &str) -> impl Iterator<Item = &str> {
    clause.split(' ').filter(|word| word.starts_with("--"))
}

/// The command of a step; none where its flags would not help the way: a namespace that is enrolled is asked about again.
fn command(act: &Act, typed: &Global) -> Option<String> {
    let (with, without) = (again::flags(typed), again::flags_without_namespace(typed));
    Some(match act {
        Act::Upstreams { policy, objects, .. } => {
            let Selection::Named(names) = &objects.selection else { return None };
            let names = names.iter().map(shown).collect::<Vec<_>>().join(",");
            format!("gloo-rs {} -u {names}{with}", policy.words().command)
        }
        Act::PeerAuth(task) => {
            let request = &task.request;
            format!("gloo-rs istio peer-auth {} {}{without}", request.wish.word(), request.scope.flags())
        }
        Act::Switches(auto_mtls::Wish::Enable, _) => format!("gloo-rs istio auto-mtls enable{with}"),
        Act::Sidecars(task) if matches!(task.act, Injection::Inject { .. }) => format!("gloo-rs istio inject{with}"),
        Act::Values(task) if task.act == ValuesAct::Merge => format!("gloo-rs upgrade-values --apply{with}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_that_only_the_steps_own_command_has_is_named_with_it_or_not_at_all() {
        let here = |hint: &str| {
            here(hint, &|flag| cli::takes(&["istio", "setup"], flag), Some("gloo-rs istio enable-mtls -u a"))
        };
        for (hint, told) in [
            ("--overwrite replaces them", Some("first: gloo-rs istio enable-mtls -u a --overwrite")),
            (
                "--istio-discovery-address HOST:15012 names one elsewhere",
                Some("first: gloo-rs istio enable-mtls -u a --istio-discovery-address HOST:15012"),
            ),
            ("--no-verify leaves the requests out", Some("--no-verify leaves the requests out")),
            ("--wait-timeout waits longer", Some("--wait-timeout waits longer")),
            ("--revision REVISION", Some("--revision REVISION")),
            ("without --apply the values and the command to run are printed", None),
            ("--release NAME takes one", None),
            (
                "-n NAMESPACE looks elsewhere, --release NAME takes one whatever its chart is called",
                Some("-n NAMESPACE looks elsewhere"),
            ),
            (
                "gloo-rs istio inject puts the gateway alone into the mesh; --force enrolls all the same",
                Some("gloo-rs istio inject puts the gateway alone into the mesh"),
            ),
            ("take those fields out, then run this again", Some("take those fields out, then run this again")),
        ] {
            assert_eq!(here(hint).as_deref(), told, "{hint}");
        }
    }
}
