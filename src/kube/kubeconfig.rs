//! Chooses the cluster and the user: reads the files that kubectl reads, merges them as client-go does, selects one
//! context.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use ::kube::config::{AuthInfo, Cluster, Context, Kubeconfig};

use super::kubeconfig_file::{self, refused};
use super::{ClusterContext, Environment, KubeconfigFiles, Target};
use crate::command::flag;
use crate::error::Failure;
use crate::text::nearest;

/// A context with its cluster and user.
#[derive(Debug)]
pub(super) struct ChosenContext {
    pub cluster_context: ClusterContext,
    /// The name of the context in messages.
    pub context: String,
    pub namespace: String,
    pub cluster: Cluster,
    /// The name of the user in the kubeconfig; empty in a pod, or if the context names none.
    pub user_name: String,
    pub user: AuthInfo,
}

impl ChosenContext {
    /// A hash over everything that the kubeconfig says about the cluster and the user.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut said = serde_json::json!([&self.cluster, &self.user]);
        // Some of the maps have no fixed order.
        said.sort_all_objects();
        (&self.context, said.to_string()).hash(&mut hasher);
        hasher.finish()
    }
}

/// The context that `target` selects.
pub(super) fn choose(target: &Target) -> Result<ChosenContext, Failure> {
    let files = files(target);
    let (config, missing) = read(&files)?;
    let empty = config.contexts.is_empty() && config.clusters.is_empty() && config.auth_infos.is_empty();
    if empty
        && target.kubeconfig.is_none()
        && target.context.is_none()
        && let Some(chosen) = in_cluster(&target.environment)
    {
        return chosen;
    }
    if empty {
        return Err(nothing(&files, &missing));
    }
    select(&config, target, &files)
}

/// The kubeconfig, read once for a run over several of its contexts.
pub(crate) struct KnownContexts {
    config: Kubeconfig,
    files: ConfigFiles,
}

impl KnownContexts {
    /// Reads the kubeconfig.
    ///
    /// # Errors
    /// It cannot be read, or has no context.
    pub(crate) fn read(target: &Target) -> Result<Self, Failure> {
        let files = files(target);
        let (config, missing) = read(&files)?;
        match config.contexts.is_empty() {
            true if missing.len() == files.paths.len() => Err(nothing(&files, &missing)),
            true => Err(refused(format!("kubeconfig {}: it has no context", shown(&files)))),
            false => Ok(Self { config, files }),
        }
    }

    /// The names of the contexts in the order of the files, each once.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for context in &self.config.contexts {
            if !names.contains(&context.name.as_str()) {
                names.push(&context.name);
            }
        }
        names
    }

    /// The files in messages.
    pub(crate) fn files(&self) -> String {
        shown(&self.files)
    }

    pub(super) fn choose(&self, target: &Target) -> Result<ChosenContext, Failure> {
        select(&self.config, target, &self.files)
    }
}

/// The names of the kubeconfig's contexts; empty if it cannot be read.
pub(crate) fn context_names(target: &Target) -> Vec<String> {
    let Ok((config, _)) = read(&files(target)) else { return Vec::new() };
    config.contexts.into_iter().map(|context| context.name).collect()
}

/// The files to read, and whether a flag named them.
pub(super) struct ConfigFiles {
    pub paths: Vec<PathBuf>,
    pub named: bool,
}

fn files(target: &Target) -> ConfigFiles {
    if let Some(path) = &target.kubeconfig {
        return ConfigFiles { paths: vec![path.clone()], named: true };
    }
    if let Some(list) = target.environment.os("KUBECONFIG") {
        let paths: Vec<_> = std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect();
        if !paths.is_empty() {
            return ConfigFiles { paths, named: false };
        }
    }
    let home = target.environment.os("HOME").or_else(|| target.environment.os("USERPROFILE"));
    ConfigFiles {
        paths: home.map(|home| Path::new(home).join(".kube").join("config")).into_iter().collect(),
        named: false,
    }
}

/// The files as absolute paths, so that another program reads the same files from any directory. If the paths cannot be
/// joined for a variable there is only one: several can come only from the variable.
fn absolute(files: &ConfigFiles) -> KubeconfigFiles {
    let whole: Vec<_> =
        files.paths.iter().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())).collect();
    match std::env::join_paths(&whole) {
        Ok(list) if whole.len() > 1 => KubeconfigFiles::Merged(list),
        _ => KubeconfigFiles::One(whole.into_iter().next().unwrap_or_default()),
    }
}

fn shown(files: &ConfigFiles) -> String {
    files.paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Reads and merges the files: the first file that names an entry wins. A missing file is skipped, as in client-go,
/// unless a flag named it.
fn read(files: &ConfigFiles) -> Result<(Kubeconfig, Vec<PathBuf>), Failure> {
    let mut merged = Kubeconfig::default();
    let mut missing = Vec::new();
    for path in &files.paths {
        // Relative paths in a kubeconfig are relative to its directory, so that must be absolute.
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let bad = |why: String| refused(format!("kubeconfig {}{why}", path.display()));
        match kubeconfig_file::read(&whole)? {
            Some(config) => merged = merged.merge(config).map_err(|error| bad(format!(": {error}")))?,
            None if files.named => return Err(bad(": no such file".to_owned())),
            None => missing.push(path.clone()),
        }
    }
    Ok((merged, missing))
}

fn nothing(files: &ConfigFiles, missing: &[PathBuf]) -> Failure {
    let hint = "--kubeconfig names a file, KUBECONFIG one or several; -f works on manifests without a cluster";
    if files.paths.is_empty() {
        return refused("no kubeconfig: neither KUBECONFIG nor HOME is set").hint(hint);
    }
    if missing.len() == files.paths.len() {
        return refused(format!("no kubeconfig: no such file: {}", shown(files))).hint(hint);
    }
    refused(format!("kubeconfig {}: empty: no context, no cluster, no user", shown(files))).hint(hint)
}

pub(super) fn select(config: &Kubeconfig, target: &Target, files: &ConfigFiles) -> Result<ChosenContext, Failure> {
    let path = &shown(files);
    let context_names: Vec<&str> = config.contexts.iter().map(|named| named.name.as_str()).collect();
    let choice = target.context.as_deref().or(config.current_context.as_deref()).filter(|name| !name.is_empty());
    let Some(name) = choice else {
        return Err(refused(format!("kubeconfig {path}: no current-context is set"))
            .detail(format!("contexts: {}", listed(&context_names)))
            .hint(flag("--kube-context").text(" chooses one")));
    };
    let context = config
        .contexts
        .iter()
        .find(|named| named.name == name)
        .ok_or_else(|| no_context(path, name, &context_names, target.context.is_none()))?
        .context
        .clone()
        .unwrap_or_default();
    let cluster = cluster(config, &context, name, path)?;
    let user = user(config, &context, name, path)?;
    let namespace = context.namespace.filter(|namespace| !namespace.is_empty()).unwrap_or_else(|| "default".to_owned());
    let cluster_context = ClusterContext::Kubeconfig { name: name.to_owned(), files: absolute(files) };
    let user_name = context.user.unwrap_or_default();
    Ok(ChosenContext { cluster_context, context: name.to_owned(), namespace, cluster, user_name, user })
}

fn cluster(config: &Kubeconfig, context: &Context, name: &str, path: &str) -> Result<Cluster, Failure> {
    let names: Vec<&str> = config.clusters.iter().map(|named| named.name.as_str()).collect();
    let cluster = config
        .clusters
        .iter()
        .find(|named| named.name == context.cluster)
        .ok_or_else(|| missing_part(path, name, "cluster", &context.cluster, &names))?
        .cluster
        .clone()
        .unwrap_or_default();
    match &cluster.server {
        Some(server) if !server.is_empty() => Ok(cluster),
        _ => Err(refused(format!("kubeconfig {path}: cluster {} has no server", context.cluster))),
    }
}

fn user(config: &Kubeconfig, context: &Context, name: &str, path: &str) -> Result<AuthInfo, Failure> {
    // A context may have no user. A user that does not exist is an error.
    let Some(wanted) = context.user.as_deref().filter(|user| !user.is_empty()) else { return Ok(AuthInfo::default()) };
    let users: Vec<&str> = config.auth_infos.iter().map(|named| named.name.as_str()).collect();
    let found = config
        .auth_infos
        .iter()
        .find(|named| named.name == wanted)
        .ok_or_else(|| missing_part(path, name, "user", wanted, &users))?;
    Ok(found.auth_info.clone().unwrap_or_default())
}

fn no_context(path: &str, name: &str, names: &[&str], is_current: bool) -> Failure {
    let current = if is_current { ", which current-context names" } else { "" };
    let failure = refused(format!("kubeconfig {path}: no context {name}{current}"));
    match nearest(name, names.iter().copied()).first() {
        Some(near) => failure.detail(format!("near: {near}")),
        None => failure.detail(format!("contexts: {}", listed(names))),
    }
}

fn missing_part(path: &str, context: &str, what: &str, name: &str, names: &[&str]) -> Failure {
    let failure = if name.is_empty() {
        refused(format!("kubeconfig {path}: context {context} names no {what}"))
    } else {
        refused(format!("kubeconfig {path}: no {what} {name}, which context {context} names"))
    };
    failure.detail(format!("{what}s: {}", listed(names)))
}

/// The first names of a list, so that a kubeconfig with hundreds of entries is not printed completely.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 10;
    match names.len() {
        0 => "none".to_owned(),
        n if n <= SHOWN => names.join(", "),
        n => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}

/// The context for a program inside a pod; `None` outside of a pod.
fn in_cluster(environment: &Environment) -> Option<Result<ChosenContext, Failure>> {
    let host = environment.text("KUBERNETES_SERVICE_HOST")?;
    let port = environment.text("KUBERNETES_SERVICE_PORT")?;
    let directory = environment.service_account();
    let token = directory.join("token");
    if !token.exists() {
        return None;
    }
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let file = |name: &str| directory.join(name).to_string_lossy().into_owned();
    let namespace = std::fs::read_to_string(directory.join("namespace")).unwrap_or_default();
    let namespace = match namespace.trim() {
        "" => "default",
        namespace => namespace,
    };
    Some(Ok(ChosenContext {
        context: ClusterContext::InCluster.to_string(),
        cluster_context: ClusterContext::InCluster,
        namespace: namespace.to_owned(),
        cluster: Cluster {
            server: Some(format!("https://{host}:{port}")),
            certificate_authority: Some(file("ca.crt")),
            ..Cluster::default()
        },
        user_name: String::new(),
        user: AuthInfo { token_file: Some(file("token")), ..AuthInfo::default() },
    }))
}
