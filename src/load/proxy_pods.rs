//! Finds the pods of a gateway proxy by the name of the proxy or its Gateway.

use serde_json::Value;

use super::{absence, of_gateway};
use crate::command::flag;
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::model::{Kind, Object, ObjectRef, kinds};
use crate::options::{Global, PodsOf, ProxyPods};
use crate::plan::advice::Advice;
use crate::plan::labels::workload_selector;
use crate::plan::proxy_pods::{self, ADMIN_PORT, ChosenPods};
use crate::plan::sidecars::BOOTSTRAP_KEY;
use crate::text::nearest;
use crate::text::{ProxyKind, ProxyName};

/// The pods to read from.
///
/// # Errors
/// There is no such proxy, none of its pods runs Envoy, or a request failed.
pub(crate) async fn find(session: &Session, global: &Global, wanted: &ProxyPods) -> Result<ChosenPods, Failure> {
    let look = Look { session, namespace: global.object_namespace() };
    let found = look.proxy(global, &wanted.proxy).await?;
    // If the bootstrap may not be read, the charts' default admin port is used.
    let (pods, bootstrap) = tokio::join!(look.pods(&found), look.bootstrap(&found));
    let unread = bootstrap.as_ref().err().filter(|failure| failure.reason == Reason::Forbidden).map(|failure| {
        let what = format!("the port of Envoy's admin interface is assumed to be {ADMIN_PORT}");
        Advice::unknown(&what, &failure.message.as_str().into())
    });
    let bootstrap = bootstrap.ok();
    let pods = pods?;
    if pods.is_empty() {
        let Object { reference, value } = &found;
        let wanted = value["spec"]["replicas"].as_u64().map(|wanted| format!(" ({wanted} replicas are wanted)"));
        let line = format!("{reference} in {} has no pods{}", reference.namespace, wanted.unwrap_or_default());
        return Err(Failure::new(Exit::SaidNo, Reason::NotFound, line).detail(look.place()));
    }
    let proxy = &found.reference.name;
    let chosen = proxy_pods::choose(&pods, proxy, bootstrap.as_deref(), wanted.amount, wanted.which);
    let chosen = chosen.map(|mut chosen| {
        chosen.advice.extend(unread);
        chosen
    });
    chosen.map_err(|states| {
        let Object { reference, .. } = &found;
        let line = format!("{reference} in {}: no pod runs Envoy", reference.namespace);
        let failure = Failure::new(Exit::NoAnswer, Reason::NotRunning, line);
        states.into_iter().fold(failure, Failure::detail).detail(look.place())
    })
}

/// The role with which the proxy requests its configuration from Gloo, from its bootstrap. No pod needs to run.
///
/// # Errors
/// There is no such proxy, its bootstrap cannot be read, or it contains no role.
pub(crate) async fn role(session: &Session, global: &Global, proxy: &PodsOf) -> Result<String, Failure> {
    const HINT: &str = "--role ROLE needs no bootstrap";
    let look = Look { session, namespace: global.object_namespace() };
    let found = look.proxy(global, proxy).await?;
    let bootstrap = look.bootstrap(&found).await.map_err(|failure| failure.hint(HINT))?;
    proxy_pods::role(&bootstrap).ok_or_else(|| {
        let line = format!("{} in {}: its bootstrap names no role", found.reference, found.reference.namespace);
        Failure::new(Exit::Failed, Reason::NotFound, line).detail("looked for node.metadata.role").hint(HINT)
    })
}

/// The kinds in which a proxy of this name is looked for, in order.
#[must_use]
pub(crate) fn kinds_of(name: &ProxyName) -> Vec<&'static Kind> {
    match name.kind {
        Some(ProxyKind::Deployment) => vec![&kinds::DEPLOYMENT],
        Some(ProxyKind::DaemonSet) => vec![&kinds::DAEMON_SET],
        Some(ProxyKind::Pod) => vec![&kinds::POD],
        Some(ProxyKind::Service) => vec![&kinds::DEPLOYMENT, &kinds::DAEMON_SET],
        None => vec![&kinds::DEPLOYMENT, &kinds::DAEMON_SET, &kinds::POD],
    }
}

struct Look<'l> {
    session: &'l Session,
    namespace: &'l str,
}

impl Look<'_> {
    fn place(&self) -> String {
        self.session.looked()
    }

    async fn proxy(&self, global: &Global, wanted: &PodsOf) -> Result<Object, Failure> {
        match wanted {
            PodsOf::Named(name) => self.named(name).await,
            PodsOf::Gateway(gateway) => match &global.namespace {
                Some(_) => self.one(&kinds::DEPLOYMENT, &gateway.proxy()).await,
                None => of_gateway::find(self.session, &kinds::DEPLOYMENT, gateway).await,
            },
        }
    }

    async fn get(&self, kind: &'static Kind, name: &str) -> Result<Object, ApiError> {
        self.session.get(kind, self.namespace, name).await.map(|value| Object::new(kind, value))
    }

    /// Looks for a Deployment, then a `DaemonSet`, then a pod. In
    /// Gloo, a proxy's workload and its Service have the same name.
    async fn named(&self, name: &ProxyName) -> Result<Object, Failure> {
        let kinds = kinds_of(name);
        if let [only] = &kinds[..] {
            return self.one(only, &name.name).await;
        }
        for kind in &kinds {
            match self.get(kind, &name.name).await {
                Ok(object) => return Ok(object),
                Err(error) if error.cause == ApiCause::NotFound => {}
                Err(error) => return Err(self.refused(error)),
            }
        }
        Err(self.nowhere(&name.name, &kinds).await)
    }

    async fn one(&self, kind: &'static Kind, name: &str) -> Result<Object, Failure> {
        match self.get(kind, name).await {
            Ok(object) => Ok(object),
            Err(error) if error.cause == ApiCause::NotFound => Err(self.nowhere(name, &[kind]).await),
            Err(error) => Err(self.refused(error)),
        }
    }

    fn refused(&self, error: ApiError) -> Failure {
        let forbidden = matches!(error.cause, ApiCause::Forbidden { .. }) && error.kind != Some(&kinds::POD);
        let failure = error.into_failure(self.session);
        if forbidden {
            failure.hint(flag("--name").text(" pod/NAME needs no permission to read workloads"))
        } else {
            failure
        }
    }

    async fn nowhere(&self, name: &str, looked: &[&'static Kind]) -> Failure {
        let (mut near, mut elsewhere, mut no_namespace) = (Vec::new(), None, None);
        for kind in looked {
            let absence = absence::around(self.session, &ObjectRef::new(kind, self.namespace, name)).await;
            near.extend(absence.near);
            elsewhere = elsewhere.or(absence.elsewhere);
            no_namespace = no_namespace.or(absence.no_namespace);
        }
        let near = nearest(name, near.iter().map(String::as_str));
        let words: Vec<_> = looked.iter().map(|kind| kind.kind).collect();
        let line = format!("gateway proxy {name}: no {} of that name in {}", words.join(" or "), self.namespace);
        let mut failure = Failure::new(Exit::SaidNo, Reason::NotFound, line);
        let near = (!near.is_empty()).then(|| format!("near: {}", near.join(", ")));
        failure.details.extend(no_namespace.or(near));
        failure.details.push(self.place());
        failure.hints.extend(elsewhere.as_deref().map(absence::in_namespace));
        failure
    }

    async fn pods(&self, found: &Object) -> Result<Vec<Value>, Failure> {
        if found.reference.kind == &kinds::POD {
            return Ok(vec![found.value.clone()]);
        }
        let query = Query::labelled(workload_selector(&found.value));
        let pods = self.session.list_all(&kinds::POD, Scope::Namespace(&found.reference.namespace), query).await;
        pods.map_err(|error| error.into_failure(self.session))
    }

    /// The bootstrap with which Envoy was started.
    async fn bootstrap(&self, found: &Object) -> Result<String, Failure> {
        let Object { reference, value } = found;
        let pod_spec = if reference.kind == &kinds::POD { &value["spec"] } else { &value["spec"]["template"]["spec"] };
        let without = |what: &str| {
            let line = format!("{reference} in {}: {what}", reference.namespace);
            Failure::new(Exit::Failed, Reason::NotFound, line)
        };
        let name = proxy_pods::bootstrap_of(pod_spec).ok_or_else(|| without("no volume of it is a ConfigMap"))?;
        let map = self.session.get(&kinds::CONFIG_MAP, &reference.namespace, name).await;
        let map = map.map_err(|error| error.into_failure(self.session))?;
        let text = map["data"][BOOTSTRAP_KEY].as_str().map(str::to_owned);
        text.ok_or_else(|| without(&format!("configmap/{name} has no {BOOTSTRAP_KEY}")))
    }
}
