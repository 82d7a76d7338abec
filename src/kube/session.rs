//! A session: one cluster, one identity, one client, for the whole run.

use ::kube::Config;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::answer::Asked;
use super::clear_text::{Withheld, withhold};
use super::connect::{bad_proxy, client, config, install_ring, server, unusable};
use super::credential::Bearer;
use super::encoding::encode;
use super::failure::{ApiError, Cause, Verb};
use super::kubeconfig::{ChosenContext, choose};
use super::page::{Page, Query, Scope, named};
use super::request::CallFailure;
use super::request::{Call, Payload, ServerContact, Wire};
use super::{ClusterContext, Impersonation, Target, Trace, proxy_env};
use crate::error::Causes;
use crate::error::{Exit, Failure, Reason};
use crate::model::{Kind, Object, ObjectRef};

/// Who writes, in `metadata.managedFields`.
const MANAGER: &str = "gloo-rs";
const JSON: &str = "application/json";
const JSON_PATCH: &str = "application/json-patch+json";
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// Whether a write is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRun {
    No,
    /// The server does everything but keep it.
    Server,
}

impl DryRun {
    fn query(self) -> String {
        match self {
            Self::No => format!("?fieldManager={MANAGER}"),
            Self::Server => format!("?fieldManager={MANAGER}&dryRun=All"),
        }
    }
}

/// One cluster, one identity, one client.
pub struct Session {
    context: ClusterContext,
    /// Of what the kubeconfig said when it was read.
    fingerprint: u64,
    server: String,
    user: Option<String>,
    impersonation: Option<Impersonation>,
    namespace: String,
    via: Option<String>,
    withheld: Option<Withheld>,
    wire: Wire,
}

impl Session {
    /// Reads the kubeconfig, runs its exec plugin if it has one, builds the client. Asks the cluster nothing.
    ///
    /// # Errors
    /// The kubeconfig, the certificates it names, its exec plugin or the proxy cannot be used.
    pub async fn open(target: &Target, trace: Option<Trace>) -> Result<Self, Failure> {
        install_ring();
        let mut chosen = choose(target)?;
        let fingerprint = chosen.fingerprint();
        let impersonation = impersonate(&mut chosen, target)?;
        let server = server(&chosen)?;
        let proxy = proxy_env::decide(&server, chosen.cluster.proxy_url.as_deref(), &target.environment)
            .map_err(|bad| bad_proxy(&chosen.context, &bad))?;
        let withheld = withhold(&mut chosen.user, &server, proxy.as_ref());
        let bearer = Bearer::open(&mut chosen, target).await?;
        let config = config(&chosen, server)?;
        let client = client(&config, proxy.as_ref()).map_err(|error| unusable(&chosen.context, &error))?;
        let lanes = Semaphore::new(Semaphore::MAX_PERMITS);
        let large = Semaphore::new(1);
        Ok(Self {
            server: shown(&config),
            user: config.auth_info.impersonate,
            context: chosen.cluster_context,
            fingerprint,
            impersonation,
            namespace: chosen.namespace,
            withheld,
            via: proxy.as_ref().map(ToString::to_string),
            wire: Wire { client, bearer, timeout: target.timeout, trace, seen: ServerContact::default(), lanes, large },
        })
    }

    /// Which cluster this is about.
    pub fn context(&self) -> &ClusterContext {
        &self.context
    }

    /// The API server's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// `context NAME (SERVER)`
    pub fn place(&self) -> String {
        self.context.place(&self.server)
    }

    /// Where something was looked for that is not there: `looked in context NAME (SERVER)`.
    pub fn looked(&self) -> String {
        format!("looked in {}", self.place())
    }

    /// How long one request may take, with its retries.
    pub fn timeout(&self) -> std::time::Duration {
        self.wire.timeout
    }

    /// Who is impersonated.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The user that the flags impersonate.
    pub fn impersonation(&self) -> Option<&Impersonation> {
        self.impersonation.as_ref()
    }

    /// Whether the kubeconfig still says about this context what it said when the session was opened: another program
    /// that reads it now is to reach the same cluster as the same user. `target` is that of [`Self::open`].
    ///
    /// # Errors
    /// It says something else, or cannot be read.
    pub fn check_unchanged(&self, target: &Target) -> Result<(), Failure> {
        let ClusterContext::Kubeconfig { name, .. } = &self.context else { return Ok(()) };
        let chosen = choose(&Target { context: Some(name.clone()), ..target.clone() })?;
        if chosen.cluster_context == self.context && chosen.fingerprint() == self.fingerprint {
            return Ok(());
        }
        let message =
            format!("the kubeconfig changed since it was read: context {name} is different now; nothing changed");
        Err(Failure::new(Exit::Failed, Reason::Kubeconfig, message)
            .hint("run the same command again to read the current one"))
    }

    /// The proxy in between, and who named it: `http://proxy:3128 (HTTPS_PROXY)`.
    pub fn via(&self) -> Option<&str> {
        self.via.as_deref()
    }

    /// Why the kubeconfig's credentials are not sent; none where they are, or where there are none.
    pub fn withheld(&self) -> Option<Withheld> {
        self.withheld
    }

    /// The context's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// One object.
    ///
    /// # Errors
    /// Why it could not be had.
    pub async fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Result<Value, ApiError> {
        let path = path(kind, namespace, name);
        let request = Request { method: Method::GET, path, accept: JSON, body: None };
        let object = self.send(Verb::Get, kind, namespace, name, request).await?;
        let why = match named(&object) {
            Ok(found) if found == name => return Ok(object),
            Ok(found) => format!("an object named {found:?}"),
            Err(why) => format!("an object that {why}"),
        };
        Err(ApiError {
            verb: Verb::Get,
            kind: Some(kind),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            cause: Cause::BadAnswer(why),
            causes: Causes::default(),
        })
    }

    /// One page of a list.
    ///
    /// # Errors
    /// Why it could not be had.
    pub async fn list_page(&self, kind: &'static Kind, scope: Scope<'_>, query: &Query) -> Result<Page, ApiError> {
        let namespace = scope.namespace();
        let path = path(kind, namespace, "") + &query.text();
        let accept = if query.metadata_only { METADATA } else { JSON };
        let request = Request { method: Method::GET, path, accept, body: None };
        let list = self.send(Verb::List, kind, namespace, "", request).await?;
        Page::parse(list).map_err(|why| ApiError {
            verb: Verb::List,
            kind: Some(kind),
            namespace: namespace.to_owned(),
            name: String::new(),
            cause: Cause::BadAnswer(why),
            causes: Causes::default(),
        })
    }

    /// Sends a JSON patch and gives the object as it is then. Never sent again once it may have been made.
    ///
    /// # Errors
    /// Why it was not made, or that this is not known: [`ApiError::outcome_unknown`].
    pub async fn patch(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        patch: &Value,
        dry_run: DryRun,
    ) -> Result<Value, ApiError> {
        let request = Request {
            method: Method::PATCH,
            path: path(kind, namespace, name) + &dry_run.query(),
            accept: JSON,
            body: Some(Payload { bytes: Bytes::from(patch.to_string()), content_type: JSON_PATCH }),
        };
        self.send(Verb::Patch, kind, namespace, name, request).await
    }

    /// Makes an object that is not there yet and gives it as it is then. Never sent again once it may have been made.
    ///
    /// # Errors
    /// Why it was not made, [`Cause::Conflict`] where one of its name is there already; or that this is not known:
    /// [`ApiError::outcome_unknown`].
    pub async fn create(&self, object: &Object, dry_run: DryRun) -> Result<Value, ApiError> {
        let ObjectRef { kind, namespace, name } = &object.reference;
        let request = Request {
            method: Method::POST,
            path: path(kind, namespace, "") + &dry_run.query(),
            accept: JSON,
            body: Some(Payload { bytes: Bytes::from(object.value.to_string()), content_type: JSON }),
        };
        self.send(Verb::Create, kind, namespace, name, request).await
    }

    /// Takes an object away, exactly the one that was read and in the version that was read. Never sent again once it
    /// may have been done.
    ///
    /// # Errors
    /// Why it was not done, [`Cause::Conflict`] where it is not that one any more; or that this is not known:
    /// [`ApiError::outcome_unknown`].
    pub async fn delete(&self, object: &Object, dry_run: DryRun) -> Result<(), ApiError> {
        let ObjectRef { kind, namespace, name } = &object.reference;
        let mut options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {
                "uid": object.value["metadata"]["uid"],
                "resourceVersion": object.resource_version(),
            },
        });
        if dry_run == DryRun::Server {
            // The query of a DELETE is not read where it has a body.
            options["dryRun"] = json!(["All"]);
        }
        let request = Request {
            method: Method::DELETE,
            path: path(kind, namespace, name),
            accept: JSON,
            body: Some(Payload { bytes: Bytes::from(options.to_string()), content_type: JSON }),
        };
        self.send(Verb::Delete, kind, namespace, name, request).await.map(drop)
    }

    /// Sends no more than this many requests at once from here on, each of which has a connection of its own. Streams,
    /// such as logs and port-forwards, are not counted.
    pub fn limit_requests(&self, most: usize) {
        self.wire.lanes.forget_permits(self.wire.lanes.available_permits().saturating_sub(most));
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// `GET /version`.
    ///
    /// # Errors
    /// Why it could not be had.
    pub async fn version(&self) -> Result<Value, ApiError> {
        let asked = Asked { verb: "get", group: "", plural: "", namespace: "", name: "" };
        let call = Call { method: Method::GET, path: "/version".to_owned(), accept: JSON, body: None, asked };
        self.wire.call(&call).await.map_err(|CallFailure { cause, causes }| ApiError {
            verb: Verb::Get,
            kind: None,
            namespace: String::new(),
            name: String::new(),
            cause,
            causes,
        })
    }

    async fn send(
        &self,
        verb: Verb,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        request: Request,
    ) -> Result<Value, ApiError> {
        let Request { method, path, accept, body } = request;
        let words = verb.to_string();
        let asked = Asked { verb: &words, group: kind.group, plural: kind.plural, namespace, name };
        let call = Call { method, path, accept, body, asked };
        self.wire.call(&call).await.map_err(|CallFailure { cause, causes }| ApiError {
            verb,
            kind: Some(kind),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            cause,
            causes,
        })
    }
}

struct Request {
    method: Method,
    path: String,
    accept: &'static str,
    body: Option<Payload>,
}

/// `/apis/gloo.solo.io/v1/namespaces/NS/upstreams/NAME`; without a name the list.
fn path(kind: &Kind, namespace: &str, name: &str) -> String {
    let mut path = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    if !namespace.is_empty() {
        path.push_str("/namespaces/");
        path.push_str(&encode(namespace));
    }
    path.push('/');
    path.push_str(kind.plural);
    if !name.is_empty() {
        path.push('/');
        path.push_str(&encode(name));
    }
    path
}

/// The address as the kubeconfig has it, without a slash at its end.
fn shown(config: &Config) -> String {
    let url = &config.cluster_url;
    let host = url.authority().map_or("", |authority| authority.as_str());
    format!("{}://{host}{}", url.scheme_str().unwrap_or("https"), url.path().trim_end_matches('/'))
}

/// Flags replace what the kubeconfig says, as a whole.
fn impersonate(chosen: &mut ChosenContext, target: &Target) -> Result<Option<Impersonation>, Failure> {
    let user = &mut chosen.user;
    let flags = target.as_user.is_some() || !target.as_groups.is_empty() || target.as_uid.is_some();
    let replaced = [
        ("as-groups", user.impersonate_groups.as_ref().is_some_and(|groups| !groups.is_empty())),
        ("as-uid", user.impersonate_uid.as_ref().is_some_and(|uid| !uid.is_empty())),
        ("as-user-extra", user.impersonate_user_extra.as_ref().is_some_and(|extra| !extra.is_empty())),
    ];
    if flags {
        user.impersonate.clone_from(&target.as_user);
        user.impersonate_uid.clone_from(&target.as_uid);
        user.impersonate_groups = Some(target.as_groups.clone()).filter(|groups| !groups.is_empty());
        user.impersonate_user_extra = None;
    }
    if user.impersonate.is_none() && (user.impersonate_uid.is_some() || user.impersonate_groups.is_some()) {
        return Err(Failure::usage("--as-group and --as-uid need --as, the user to be"));
    }
    Ok(target.as_user.clone().map(|user| Impersonation {
        user,
        groups: target.as_groups.clone(),
        uid: target.as_uid.clone(),
        replaced: replaced.into_iter().filter(|(_, is_there)| *is_there).map(|(field, _)| field).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::path;
    use crate::model::kinds::{NODE, POD, UPSTREAM};

    #[test]
    fn paths_are_those_of_the_api() {
        assert_eq!(path(&UPSTREAM, "gloo-system", "x"), "/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams/x");
        assert_eq!(path(&UPSTREAM, "", ""), "/apis/gloo.solo.io/v1/upstreams");
        assert_eq!(path(&POD, "a", ""), "/api/v1/namespaces/a/pods");
        assert_eq!(path(&NODE, "", "n"), "/api/v1/nodes/n");
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_the_path() {
        assert_eq!(path(&POD, "a", "../b?x=1"), "/api/v1/namespaces/a/pods/..%2Fb%3Fx%3D1");
    }
}
