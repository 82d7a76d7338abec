//! The only room that uses the kube crates: the cluster and the user, one client, requests with their deadline.

mod access;
mod answer;
mod clear_text;
mod cluster;
mod connect;
mod credential;
mod encoding;
mod environment;
mod exec;
mod failure;
mod forward;
mod forward_failure;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod kubeconfig;
mod kubeconfig_file;
mod logs;
mod oidc;
mod page;
mod pages;
mod port_stream;
mod program;
mod proxy_env;
mod request;
mod session;
mod tls;
mod told;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use clear_text::{Insecure, Withheld};
pub(crate) use cluster::Impersonation;
pub use cluster::{ClusterContext, KubeconfigFiles};
pub use environment::Environment;
pub use failure::{ApiCause, ApiError, Verb};
pub use forward::InPod;
pub(crate) use forward::InPodAnswer;
pub use forward_failure::{ForwardCause, ForwardFailure};
pub(crate) use kubeconfig::{KnownContexts, context_names};
pub(crate) use logs::{Log, LogQuery, Since};
pub(crate) use page::Freshness;
pub use page::{Query, Scope};
pub(crate) use pages::Pages;
pub use session::{DryRun, Session};
pub(crate) use tls::cause_of;

/// The cluster, the user and the timeout: the flags and the environment as plain data.
#[derive(Debug, Clone)]
pub struct Target {
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    pub as_user: Option<String>,
    pub as_groups: Vec<String>,
    pub as_uid: Option<String>,
    /// The timeout of one API request with its retries.
    pub timeout: Duration,
    pub environment: Environment,
}

impl Target {
    /// The defaults without any flag: the current context, 30 s.
    pub fn new(environment: Environment) -> Self {
        Self {
            kubeconfig: None,
            context: None,
            as_user: None,
            as_groups: Vec::new(),
            as_uid: None,
            timeout: Duration::from_secs(30),
            environment,
        }
    }
}

/// One request and its result, for `-v`. It has no headers and no body, so it contains no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange<'a> {
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// `None` if no answer came.
    pub status: Option<u16>,
    /// From sending to the last byte of the body.
    pub took: Duration,
    /// 1 for the first try.
    pub attempt: u32,
}

/// Called at the end of every request.
pub type Trace = Arc<dyn Fn(&Exchange<'_>) + Send + Sync>;
