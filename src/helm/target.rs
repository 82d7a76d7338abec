//! The cluster, the user and the namespace of a Helm run. Helm is not started without them.

use std::ffi::OsString;
use std::path::PathBuf;

use super::ReleaseNamespace;

/// The cluster, the user and the namespace that Helm is given. None of them is left to Helm's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HelmTarget {
    /// A context of one kubeconfig, or of several that are merged.
    Context { kubeconfig: Kubeconfig, context: String, user: Option<AsUser>, namespace: ReleaseNamespace },
    /// The cluster of the pod in which Helm runs, with its service account. client-go does not impersonate there.
    InCluster { namespace: ReleaseNamespace },
}

/// The kubeconfig files to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kubeconfig {
    One(PathBuf),
    /// Several files, in the format of KUBECONFIG.
    Merged(OsString),
}

/// The impersonated user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AsUser {
    pub user: String,
    pub groups: Vec<String>,
}

/// A file without any context for client-go, so that it uses the pod's own cluster.
pub(super) const NO_KUBECONFIG: &str = "/dev/null";

impl HelmTarget {
    /// The flags, each with its value in one word, so that a value never becomes a flag.
    pub(super) fn flags(&self) -> Vec<OsString> {
        let (Self::Context { namespace, .. } | Self::InCluster { namespace }) = self;
        let mut flags = vec![flag("namespace", &**namespace)];
        if let Self::Context { kubeconfig, context, user, .. } = self {
            if let Kubeconfig::One(path) = kubeconfig {
                flags.push(flag("kubeconfig", path));
            }
            flags.push(flag("kube-context", context));
            if let Some(AsUser { user, groups }) = user {
                flags.push(flag("kube-as-user", user));
                flags.extend(groups.iter().map(|group| flag("kube-as-group", group)));
            }
        }
        flags
    }

    /// The value of the variable KUBECONFIG.
    pub(super) fn variable(&self) -> Option<OsString> {
        match self {
            Self::Context { kubeconfig: Kubeconfig::One(_), .. } => None,
            Self::Context { kubeconfig: Kubeconfig::Merged(list), .. } => Some(list.clone()),
            Self::InCluster { .. } => Some(NO_KUBECONFIG.into()),
        }
    }
}

/// A flag with its value: `--NAME=VALUE`.
pub(crate) fn flag(name: &str, value: impl AsRef<std::ffi::OsStr>) -> OsString {
    let mut word = OsString::from(format!("--{name}="));
    word.push(value);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace() -> ReleaseNamespace {
        ReleaseNamespace::parse("edge").unwrap()
    }

    fn context(kubeconfig: Kubeconfig, name: &str, user: Option<AsUser>) -> HelmTarget {
        HelmTarget::Context { kubeconfig, context: name.to_owned(), user, namespace: namespace() }
    }

    #[test]
    fn a_context_is_named_whatever_it_is_called() {
        for name in ["in-cluster", "-h", "a b", "--kubeconfig=/x"] {
            let target = context(Kubeconfig::One("/k".into()), name, None);
            let words = ["--namespace=edge", "--kubeconfig=/k", &format!("--kube-context={name}")].map(OsString::from);
            assert_eq!((target.flags(), target.variable()), (words.to_vec(), None));
        }
    }

    #[test]
    fn several_kubeconfigs_are_merged_by_helm_too() {
        let target = context(Kubeconfig::Merged("/a:/b".into()), "x", None);
        assert_eq!(target.flags(), ["--namespace=edge", "--kube-context=x"].map(OsString::from));
        assert_eq!(target.variable(), Some("/a:/b".into()));
    }

    #[test]
    fn in_a_pod_helm_finds_no_kubeconfig() {
        let target = HelmTarget::InCluster { namespace: namespace() };
        assert_eq!(target.flags(), ["--namespace=edge"].map(OsString::from));
        assert_eq!(target.variable(), Some("/dev/null".into()));
    }

    #[test]
    fn impersonation_is_passed_on() {
        let user = AsUser { user: "-v".to_owned(), groups: vec!["a,b".to_owned(), "c".to_owned()] };
        let flags = context(Kubeconfig::One("/k".into()), "x", Some(user)).flags();
        assert_eq!(flags[3..], ["--kube-as-user=-v", "--kube-as-group=a,b", "--kube-as-group=c"].map(OsString::from));
    }
}
