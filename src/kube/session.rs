//! A session: one cluster, one identity, one client, for the whole run.

use ::kube::Config;
use ::kube::config::ExecInteractiveMode;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::answer::Asked;
use super::clear_text::{Insecure, Withheld, insecure, withhold};
use super::connect::{bad_proxy, client, config, install_ring, server, unusable};
use super::credential::Bearer;
use super::encoding::encode;
use super::failure::{ApiCause, ApiError, Verb};
use super::kubeconfig::{ChosenContext, KnownContexts, choose};
use super::page::{Page, Query, Scope, named};
use super::request::CallFailure;
use super::request::{Call, Payload, ServerContact, Wire};
use super::{ClusterContext, Impersonation, Target, Trace, proxy_env};
use crate::error::Causes;
use crate::error::{Exit, Failure, Reason};
use crate::model::{Kind, Object, ObjectRef};
use crate::rights::Needs;

/// The field manager of writes in `metadata.managedFields`.
const MANAGER: &str = "gloo-rs";
const JSON: &str = "application/json";
const JSON_PATCH: &str = "application/json-patch+json";
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// Whether a write is a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRun {
    No,
    /// The server does everything except store the result.
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
    /// The hash of the kubeconfig's context when it was read.
    fingerprint: u64,
    server: String,
    user: Option<String>,
    impersonation: Option<Impersonation>,
    namespace: String,
    via: Option<String>,
    withheld: Option<Withheld>,
    insecure: Option<Insecure>,
    has_authority: bool,
    may_prompt: bool,
    wire: Wire,
}

impl Session {
    /// Reads the kubeconfig, runs its exec plugin if it has one, and builds the client. Sends no request to the
    /// cluster.
    ///
    /// # Errors
    /// The kubeconfig, the certificates it names, its exec plugin or the proxy cannot be used.
    pub async fn open(target: &Target, trace: Option<Trace>) -> Result<Self, Failure> {
        Box::pin(Self::of(choose(target)?, target, trace)).await
    }

    /// Like [`Self::open`], for the context of `target` in a kubeconfig that was read before.
    ///
    /// # Errors
    /// As those of [`Self::open`].
    pub(crate) async fn open_known(
        known: &KnownContexts,
        target: &Target,
        trace: Option<Trace>,
    ) -> Result<Self, Failure> {
        Box::pin(Self::of(known.choose(target)?, target, trace)).await
    }

    async fn of(mut chosen: ChosenContext, target: &Target, trace: Option<Trace>) -> Result<Self, Failure> {
        install_ring();
        let fingerprint = chosen.fingerprint();
        let impersonation = impersonate(&mut chosen, target)?;
        let server = server(&chosen)?;
        let proxy = proxy_env::decide(&server, chosen.cluster.proxy_url.as_deref(), &target.environment)
            .map_err(|bad| bad_proxy(&chosen.context, &bad))?;
        let insecure = insecure(&chosen.cluster, &server, proxy.as_ref());
        let withheld = withhold(&mut chosen.user, &server, proxy.as_ref());
        let exec = chosen.user.exec.as_ref();
        let may_prompt = target.environment.terminal()
            && exec.is_some_and(|exec| exec.interactive_mode != Some(ExecInteractiveMode::Never));
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
            insecure,
            has_authority: config.root_cert.is_some(),
            via: proxy.as_ref().map(ToString::to_string),
            may_prompt,
            wire: Wire {
                client,
                bearer,
                timeout: target.timeout,
                trace,
                declared: None,
                seen: ServerContact::default(),
                lanes,
                large,
            },
        })
    }

    /// Holds the session to these rights in a build with debug assertions: a request beyond them ends the program.
    #[must_use]
    pub fn held_to(mut self, declared: Option<Needs>) -> Self {
        self.wire.declared = declared;
        self
    }

    /// Whether its exec plugin may use the terminal, for example to ask for a password.
    pub fn may_prompt(&self) -> bool {
        self.may_prompt
    }

    /// The cluster of the session.
    pub fn context(&self) -> &ClusterContext {
        &self.context
    }

    /// The API server's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The cluster in messages: `context NAME (SERVER)`.
    pub fn place(&self) -> String {
        self.context.place(&self.server)
    }

    /// Where an object was not found: `looked in context NAME (SERVER)`.
    pub fn looked(&self) -> String {
        format!("looked in {}", self.place())
    }

    /// The timeout of one request, with its retries.
    pub fn timeout(&self) -> std::time::Duration {
        self.wire.timeout
    }

    /// The impersonated user.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The user that the flags impersonate.
    pub fn impersonation(&self) -> Option<&Impersonation> {
        self.impersonation.as_ref()
    }

    /// Checks that the kubeconfig still says the same about this context as when the session was opened: another
    /// program that reads it now must reach the same cluster as the same user. `target` is the one given to
    /// [`Self::open`].
    ///
    /// # Errors
    /// The kubeconfig says something else, or cannot be read.
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

    /// The proxy to the API server and its source: `http://proxy:3128 (HTTPS_PROXY)`.
    pub fn via(&self) -> Option<&str> {
        self.via.as_deref()
    }

    /// Why the kubeconfig's credentials are not sent; `None` if they are sent, or if there are none.
    pub fn withheld(&self) -> Option<Withheld> {
        self.withheld
    }

    /// Why others may read or change what is exchanged with the API server.
    pub fn insecure(&self) -> Option<Insecure> {
        self.insecure
    }

    /// Whether the kubeconfig has a certificate authority. Otherwise the trust store of this machine is used.
    pub fn has_authority(&self) -> bool {
        self.has_authority
    }

    /// The context's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Reads one object.
    ///
    /// # Errors
    /// Why the object could not be read.
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
            cause: ApiCause::BadAnswer(why),
            causes: Causes::default(),
        })
    }

    /// Reads one page of a list.
    ///
    /// # Errors
    /// Why the page could not be read.
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
            cause: ApiCause::BadAnswer(why),
            causes: Causes::default(),
        })
    }

    /// Sends a JSON patch and returns the patched object. It is never sent again once it may have been applied.
    ///
    /// # Errors
    /// Why the patch was not applied, or that the result is not known: [`ApiError::outcome_unknown`].
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

    /// Creates an object and returns it. The request is never sent again once the object may have been created.
    ///
    /// # Errors
    /// Why the object was not created, [`ApiCause::Conflict`] if one of that name exists; or that the result is not known:
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

    /// Deletes exactly the object that was read, in the version that was read. The request is never sent again once the
    /// object may have been deleted.
    ///
    /// # Errors
    /// Why the object was not deleted, [`ApiCause::Conflict`] if it changed or was replaced; or that the result is not
    /// known: [`ApiError::outcome_unknown`].
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
            // The server ignores the query of a DELETE that has a body.
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

    /// Limits the requests at the same time from now on; each has its own connection. Streams, such as logs and
    /// port-forwards, are not counted.
    pub fn limit_requests(&self, most: usize) {
        self.wire.lanes.forget_permits(self.wire.lanes.available_permits().saturating_sub(most));
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Reads `GET /version`.
    ///
    /// # Errors
    /// Why the version could not be read.
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

/// The path of an object, `/apis/gloo.solo.io/v1/namespaces/NS/upstreams/NAME`; without a name, of the list.
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

/// The address as in the kubeconfig, without a trailing slash.
fn shown(config: &Config) -> String {
    let url = &config.cluster_url;
    let host = url.authority().map_or("", |authority| authority.as_str());
    format!("{}://{host}{}", url.scheme_str().unwrap_or("https"), url.path().trim_end_matches('/'))
}

/// Applies the impersonation flags. They replace the whole impersonation of the kubeconfig.
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
