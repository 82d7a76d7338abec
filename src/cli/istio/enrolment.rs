//! Which namespaces, and how their workloads are restarted: the flags of `enroll` and `unenroll`.

use crate::error::Failure;
use crate::model::{Kind, kinds};
use crate::options::{Named, Restarts};
use crate::plan::enrolment::WorkloadName;

#[derive(Debug, clap::Args)]
pub(super) struct NamespacesArgs {
    /// The namespaces to change; with -f only those in the manifests
    #[arg(value_name = "NAMESPACE", required = true)]
    namespaces: Vec<String>,
    /// Change only the labels; pods follow when they are replaced
    #[arg(long, conflicts_with_all = ["workloads", "parallel"])]
    no_restart: bool,
    /// Restart only this workload: deployment/NAME, statefulset/NAME or daemonset/NAME; can be repeated
    #[arg(long = "workload", value_name = "KIND/NAME", value_delimiter = ',', conflicts_with = "filenames")]
    workloads: Vec<String>,
    /// Restart this many workloads at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: u16,
}

/// kubectl's words for each kind.
const KINDS: [(&Kind, &[&str]); 3] = [
    (&kinds::DEPLOYMENT, &["deploy", "deployment", "deployments", "deployment.apps", "deployments.apps"]),
    (&kinds::STATEFUL_SET, &["sts", "statefulset", "statefulsets", "statefulset.apps", "statefulsets.apps"]),
    (&kinds::DAEMON_SET, &["ds", "daemonset", "daemonsets", "daemonset.apps", "daemonsets.apps"]),
];

impl NamespacesArgs {
    /// The namespaces, each once, and what is done about their pods.
    pub(super) fn options(self) -> Result<(Vec<String>, Restarts), Failure> {
        let mut namespaces: Vec<String> = Vec::new();
        for typed in self.namespaces {
            // As kubectl prints it, so that -o name feeds the next command.
            let name = ["namespace/", "namespaces/", "ns/"].iter().find_map(|kind| typed.strip_prefix(kind));
            let name = name.unwrap_or(&typed).to_owned();
            super::names::check_namespace("NAMESPACE", &name)?;
            if !namespaces.contains(&name) {
                namespaces.push(name);
            }
        }
        if !self.workloads.is_empty() && namespaces.len() > 1 {
            return Err(Failure::usage("--workload needs exactly one namespace, and several are named")
                .hint("run one command for each namespace"));
        }
        let restarts = match self.no_restart {
            true => Restarts::None,
            false => Restarts::Rolling {
                parallel: usize::from(self.parallel),
                only: self.workloads.iter().map(|text| workload(text)).collect::<Result<_, _>>()?,
            },
        };
        Ok((namespaces, restarts))
    }
}

fn workload(text: &str) -> Result<WorkloadName, Failure> {
    let (kind, name) = match text.split_once('/') {
        None => (None, text),
        Some((word, name)) => {
            let kind = KINDS.iter().find(|(_, words)| words.contains(&word)).map(|(kind, _)| *kind);
            let no_kind = || {
                Failure::usage(format!("--workload {text:?}: {word:?} is not a kind that can be restarted"))
                    .hint("deployment/NAME, statefulset/NAME or daemonset/NAME")
            };
            (Some(kind.ok_or_else(no_kind)?), name)
        }
    };
    match super::names::named("--workload", name)? {
        Named { namespace: None, name } => Ok(WorkloadName { kind, name }),
        Named { .. } => Err(Failure::usage(format!("--workload {text:?} is not KIND/NAME"))
            .hint("deployment/NAME, statefulset/NAME or daemonset/NAME")),
    }
}
