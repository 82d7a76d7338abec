//! `gloo-rs istio peer-auth`.

mod get;
mod permissive;
mod remove;
mod strict;

use std::collections::BTreeMap;

use clap::Subcommand;

use super::names::check_namespace;
use crate::cli::observe::ObserveArgs;
use crate::cli::preview::PreviewArgs;
use crate::error::Failure;
use crate::model::Selector;
use crate::options::{Command, Global, PeerAuth};
use crate::plan::peer::change::{PolicyRequest, PolicyScope, PolicyWish};
use crate::plan::policy::{Caution, OtherTls};

#[derive(Debug, Subcommand)]
pub(crate) enum PeerAuthCommand {
    Strict(strict::PeerAuthStrictArgs),
    Permissive(permissive::PeerAuthPermissiveArgs),
    Remove(remove::PeerAuthRemoveArgs),
    Get(get::PeerAuthGetArgs),
}

impl PeerAuthCommand {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        match self {
            Self::Strict(args) => args.options(global),
            Self::Permissive(args) => args.options(global),
            Self::Remove(args) => args.options(global),
            Self::Get(args) => args.options(global),
        }
    }
}

/// Whose policy.
#[derive(Debug, clap::Args)]
pub(super) struct ScopeArgs {
    /// Use the mesh's policy; it is in Istio's root namespace
    #[arg(long, conflicts_with = "workload")]
    mesh: bool,
    /// Use the policy of the pods with these labels; KEY=VALUE,... in the namespace of -n
    #[arg(long, value_name = "LABELS")]
    workload: Option<String>,
    /// Use this as Istio's root namespace [default: the one in the mesh configuration]
    #[arg(long, value_name = "NS")]
    root_namespace: Option<String>,
}

impl ScopeArgs {
    /// The scope, if one was typed, and the root namespace.
    fn scope(self, global: &Global) -> Result<(Option<PolicyScope>, Option<String>), Failure> {
        if let Some(namespace) = &self.root_namespace {
            check_namespace("--root-namespace", namespace)?;
        }
        let scope = match (self.mesh, self.workload, global.namespace.clone()) {
            (true, _, Some(namespace)) => {
                return Err(Failure::usage(format!("--mesh cannot be combined with -n {namespace}"))
                    .hint("choose one policy; GLOO_RS_NAMESPACE counts as -n"));
            }
            (true, ..) => Some(PolicyScope::Mesh),
            (false, Some(_), None) => {
                return Err(Failure::usage("--workload needs the namespace of the pods").hint("-n NAMESPACE"));
            }
            (false, Some(text), Some(namespace)) => Some(PolicyScope::Workload { namespace, labels: labels(&text)? }),
            (false, None, namespace) => namespace.map(PolicyScope::Namespace),
        };
        Ok((scope, self.root_namespace))
    }
}

/// `KEY=VALUE,...`: a policy selects by equality alone.
fn labels(text: &str) -> Result<BTreeMap<String, String>, Failure> {
    let bad = |why: String| {
        Failure::usage(format!("--workload {text:?} {why}")).hint("use labels such as app=cart,version=v1")
    };
    Selector::parse(text).map_err(|why| bad(format!(": {why}")))?;
    let pairs = text.split(',').map(|pair| match pair.split_once('=') {
        Some((key, value)) if !key.ends_with('!') && !value.starts_with('=') && !value.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(bad("is not only KEY=VALUE".to_owned())),
    });
    let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
    let labels: BTreeMap<_, _> = pairs.iter().cloned().collect();
    if labels.len() < pairs.len() {
        return Err(bad("names a label twice".to_owned()));
    }
    Ok(labels)
}

/// What the three commands that write share.
#[derive(Debug, clap::Args)]
pub(super) struct ChangeArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    observe: ObserveArgs,
    #[command(flatten)]
    preview: PreviewArgs,
}

impl ChangeArgs {
    fn options(
        self,
        wish: PolicyWish,
        foreign: OtherTls,
        caution: Caution,
        global: &Global,
    ) -> Result<Command, Failure> {
        let (scope, root_namespace) = self.scope.scope(global)?;
        let scope = scope.ok_or_else(|| {
            Failure::usage(format!("peer-auth {} needs a policy to change", wish.word()))
                .hint("-n NAMESPACE, --workload KEY=VALUE -n NAMESPACE, or --mesh")
        })?;
        let (preview, secrets) = (self.preview.preview(), self.preview.secrets());
        let files = self.preview.files(global.format)?;
        Ok(Command::PeerAuth(PeerAuth {
            request: PolicyRequest { scope, wish, foreign, caution },
            root_namespace,
            preview,
            secrets,
            observation: self.observe.single(files.as_ref())?,
            files,
        }))
    }
}

fn caution(force: bool) -> Caution {
    if force { Caution::Forced } else { Caution::Careful }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_named_by_equal_labels_alone() {
        let read = |text| labels(text).map(|labels| crate::plan::peer::change::shown(&labels));
        assert_eq!(read("app=cart").unwrap(), "app=cart");
        assert_eq!(read("version=v1,app.kubernetes.io/name=cart").unwrap(), "app.kubernetes.io/name=cart,version=v1");
        for text in ["", "app", "!app", "app!=a", "app in (a)", "app=a,app=b", "app==a", "app=", "app=a,", "a b=c"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
