//! Adapts the hints of a step's own command to the command `setup` or `teardown`.

use super::step::StepAct;
use crate::cli;
use crate::command::{CommandLine, Hint, gloo_rs};
use crate::error::Failure;
use crate::flow::{again, peer_auth};
use crate::options::{Global, Injection, ValuesAct};
use crate::plan::{PerObject, auto_mtls};

/// Flags that the step's own command accepts. Running that command first lets setup or teardown find the step done.
/// Each flag is given as in a hint and as typed.
const GO_FIRST: [(&str, &str); 2] =
    [("--overwrite", "--overwrite"), ("--istio-discovery-address", "--istio-discovery-address HOST:15012")];

/// Keeps the hints that apply to this command, names the step's
/// own command for flags that only it accepts, and drops the rest.
pub(super) fn told(why: Failure, way: &str, act: &StepAct, typed: &Global) -> Failure {
    let takes = |flag: &str| cli::takes(&["istio", way], flag);
    let own = command(act, typed);
    let hints = why.hints.iter().filter_map(|hint| here(hint, &takes, own.as_ref())).collect();
    Failure { hints, ..why }
}

fn here(hint: &Hint, takes: &impl Fn(&str) -> bool, own: Option<&CommandLine>) -> Option<Hint> {
    let is_of_use = |way: &Hint| way.has_command() || way.flags().all(takes);
    hint.clone().only(is_of_use).or_else(|| {
        let named = hint.flags().next()?;
        let (_, typed) = GO_FIRST.into_iter().find(|(flag, _)| *flag == named)?;
        Some(own?.clone().fixed(typed).after("first: "))
    })
}

/// The step's own command. `None` if its flags would not help, because setup asks about an enrolled namespace again.
fn command(act: &StepAct, typed: &Global) -> Option<CommandLine> {
    Some(match act {
        StepAct::Upstreams(policy, names) => {
            let names = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            again::scoped(gloo_rs(policy.words().command).with("-u", names), typed)
        }
        StepAct::PeerAuth(task) => again::in_gloo(peer_auth::command(task), typed),
        StepAct::Switches(auto_mtls::AutoMtlsWish::Enable) => again::scoped(gloo_rs("istio auto-mtls enable"), typed),
        StepAct::Sidecars(task) if matches!(task.act, Injection::Inject { .. }) => {
            again::scoped(gloo_rs("istio inject"), typed)
        }
        StepAct::Values(task) if task.act == ValuesAct::Merge => {
            again::scoped(gloo_rs("upgrade-values --apply"), typed)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::flag;

    #[test]
    fn a_flag_that_only_the_steps_own_command_has_is_named_with_it_or_not_at_all() {
        let own = gloo_rs("istio enable-mtls").with("-u", "a");
        let takes = |flag: &str| cli::takes(&["istio", "setup"], flag);
        let inject = gloo_rs("istio inject").then(" puts only the gateway into the mesh");
        for (hint, told) in [
            (flag("--overwrite").text(" replaces them"), Some("first: gloo-rs istio enable-mtls -u a --overwrite")),
            (
                flag("--istio-discovery-address").text(" HOST:15012 names one elsewhere"),
                Some("first: gloo-rs istio enable-mtls -u a --istio-discovery-address HOST:15012"),
            ),
            (flag("--no-verify").text(" skips the requests"), Some("--no-verify skips the requests")),
            (flag("--wait-timeout").text(" waits longer"), Some("--wait-timeout waits longer")),
            (flag("--revision").text(" REVISION"), Some("--revision REVISION")),
            (Hint::from("without ").flag("--apply").text(" the values are printed"), None),
            (flag("--release").text(" NAME chooses one"), None),
            (
                Hint::from("-n NAMESPACE searches another namespace")
                    .or_else(", ", flag("--release").text(" NAME chooses one")),
                Some("-n NAMESPACE searches another namespace"),
            ),
            (
                inject.or_else("; ", flag("--include-gloo-namespace").text(" enrolls it")),
                Some("gloo-rs istio inject puts only the gateway into the mesh"),
            ),
            ("remove those fields, then run this again".into(), Some("remove those fields, then run this again")),
        ] {
            assert_eq!(here(&hint, &takes, Some(&own)), told.map(Hint::from), "{hint}");
        }
    }
}
