//! Builds commands for the operator to copy, with the same Gloo installation and the same options. The report adds the
//! cluster and the identity.

use crate::command::{CommandLine, gloo_rs};
use crate::options::{Consent, Global};
use crate::plan::PerObject;

/// Adds the namespaces from the command line. Only commands of this program take them.
pub(super) fn scoped(command: CommandLine, global: &Global) -> CommandLine {
    let command = match &global.namespace {
        Some(namespace) if command.is_ours() => command.with("-n", namespace),
        _ => command,
    };
    in_gloo(command, global)
}

/// Adds only `--gloo-namespace`, for a command that has a namespace of its own.
pub(super) fn in_gloo(command: CommandLine, global: &Global) -> CommandLine {
    match &global.gloo_namespace {
        Some(namespace) if command.is_ours() => command.with("--gloo-namespace", namespace),
        _ => command,
    }
}

/// The command that selects only the failed objects, without their names: `gloo-rs istio enable-mtls -n shop -u`.
pub(super) fn command(plan: &dyn PerObject, global: &Global) -> CommandLine {
    let command = scoped(gloo_rs(plan.words().command), global);
    // `--force` overrides what a bulk run skips. A named object is changed without it.
    let command = plan.words().flags.iter().fold(command, |command, flag| command.fixed(flag));
    let is_asked = !plan.risks().is_empty() && global.consent == Consent::Given;
    let command = if is_asked { command.fixed("--yes") } else { command };
    command.fixed("-u")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::command::kubectl;
    use crate::flow::fixture::global;
    use crate::plan::mtls::{MtlsWish, Policy};
    use crate::plan::policy::{Caution, OtherTls};

    #[test]
    fn only_what_was_said_is_said_again() {
        let policy = Policy { wish: MtlsWish::Disable, other_tls: OtherTls::Keep, caution: Caution::Careful };
        assert_eq!(command(&policy, &global()).to_string(), "gloo-rs istio disable-mtls -u");
    }

    #[test]
    fn the_same_cluster_identity_and_wishes_are_named_again() {
        let policy = Policy { wish: MtlsWish::Enable, other_tls: OtherTls::Replace, caution: Caution::Forced };
        let global = Global {
            kubeconfig: Some(PathBuf::from("/home/me/my config")),
            context: Some("b".into()),
            namespace: Some("shop".into()),
            gloo_namespace: Some("edge".into()),
            as_user: Some("bob".into()),
            as_groups: vec!["a".into(), "b c".into()],
            as_uid: Some("7".into()),
            consent: Consent::Given,
            ..global()
        };
        assert_eq!(
            command(&policy, &global).value("a,b").on(&global.target()).to_string(),
            "gloo-rs istio enable-mtls -n shop --gloo-namespace edge --overwrite --yes -u a,b \
             --kubeconfig '/home/me/my config' --kube-context b --as bob --as-group a --as-group 'b c' --as-uid 7"
        );
    }

    #[test]
    fn only_this_programs_commands_have_its_namespaces() {
        let global = Global { namespace: Some("shop".into()), gloo_namespace: Some("edge".into()), ..global() };
        assert_eq!(scoped(kubectl("apply -f -"), &global).to_string(), "kubectl apply -f -");
        assert_eq!(in_gloo(gloo_rs("istio inject"), &global).to_string(), "gloo-rs istio inject --gloo-namespace edge");
    }
}
