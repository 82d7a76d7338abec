//! Commands as lines to copy: the same cluster, the same identity, the same wishes.

use crate::options::{Consent, Global};
use crate::plan::PerObject;
use crate::render::text::shell_word;

/// What was typed about cluster and identity, each with a blank before it: ` -n shop --kube-context b`.
pub fn flags(global: &Global) -> String {
    with_blanks(&words(global, OURS))
}

fn with_blanks(words: &[String]) -> String {
    words.iter().flat_map(|word| [" ", word]).collect()
}

/// The same for a command that has a namespace of its own.
pub fn flags_without_namespace(global: &Global) -> String {
    flags(&Global { namespace: None, ..global.clone() })
}

/// The same for kubectl.
pub fn flags_of_kubectl(global: &Global) -> String {
    let global = Global { namespace: None, gloo_namespace: None, ..global.clone() };
    with_blanks(&words(&global, "--context"))
}

/// This program's flag for a context.
const OURS: &str = "--kube-context";

fn words(global: &Global, context: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut flag = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            words.extend([name.to_owned(), shell_word(value)]);
        }
    };
    flag("-n", global.namespace.as_deref());
    flag("--gloo-namespace", global.gloo_namespace.as_deref());
    flag("--kubeconfig", global.kubeconfig.as_ref().and_then(|path| path.to_str()));
    flag(context, global.context.as_deref());
    flag("--as", global.as_user.as_deref());
    for group in &global.as_groups {
        flag("--as-group", Some(group));
    }
    flag("--as-uid", global.as_uid.as_deref());
    words
}

/// The one that takes only what failed, up to the names: `gloo-rs istio enable-mtls -n shop --kube-context b -u`.
pub fn command(plan: &dyn PerObject, global: &Global) -> String {
    let mut words = [vec![format!("gloo-rs {}", plan.words().command)], words(global, OURS)].concat();
    // --force is about what a sweep skips; a name is taken anyway.
    words.extend(plan.words().flags.iter().map(|flag| (*flag).to_owned()));
    let asked = !plan.risks().is_empty() && global.consent == Consent::Given;
    words.extend(asked.then(|| "--yes".to_owned()));
    words.push("-u".to_owned());
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::options::{Format, Loudness, When};
    use crate::plan::mtls::{Caution, Foreign, Policy, Wish};

    fn global() -> Global {
        Global {
            kubeconfig: None,
            context: None,
            namespace: None,
            gloo_namespace: None,
            as_user: None,
            as_groups: Vec::new(),
            as_uid: None,
            format: Format::Text,
            timeout: Duration::from_secs(30),
            wait_timeout: Duration::from_mins(5),
            colour: When::Auto,
            loudness: Loudness::Usual,
            consent: Consent::Ask,
        }
    }

    #[test]
    fn only_what_was_said_is_said_again() {
        let policy = Policy { wish: Wish::Disable, foreign: Foreign::Keep, caution: Caution::Careful };
        assert_eq!(command(&policy, &global()), "gloo-rs istio disable-mtls -u");
    }

    #[test]
    fn the_same_cluster_identity_and_wishes_are_named_again() {
        let policy = Policy { wish: Wish::Enable, foreign: Foreign::Replace, caution: Caution::Forced };
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
            command(&policy, &global),
            "gloo-rs istio enable-mtls -n shop --gloo-namespace edge --kubeconfig '/home/me/my config' \
             --kube-context b --as bob --as-group a --as-group 'b c' --as-uid 7 --overwrite --yes -u"
        );
        assert_eq!(
            flags_of_kubectl(&global),
            " --kubeconfig '/home/me/my config' --context b --as bob --as-group a --as-group 'b c' --as-uid 7"
        );
    }
}
