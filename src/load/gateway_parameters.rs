//! Reads what decides the sidecars of a Gateway's proxy: the Gateway, its class, their `GatewayParameters`, and Settings.

use serde_json::Value;

use super::unread;
use crate::command::{gloo_rs, kubectl};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::model::names::{GATEWAY_CONTROLLER, OWN_PARAMETERS, SETTINGS};
use crate::model::{Kind, Object, ObjectRef, kinds};
use crate::options::Global;
use crate::plan::Unread;
use crate::plan::gateway_parameters::GatewayParameters;
use crate::text::{GatewayName, nearest};

/// The controllers of Istio's own Gateways and waypoints.
const ISTIO: &str = "istio.io/";

/// Reads the objects behind a Gateway's sidecars. Without `-n`, the Gateway may be in any namespace.
///
/// # Errors
/// The Gateway does not exist, several have the name, another controller makes its proxy, or an object that it refers to
/// does not exist or could not be read.
pub(crate) async fn read(session: &Session, global: &Global, name: &GatewayName) -> Result<GatewayParameters, Failure> {
    let (gateway, others) = gateway(session, global.namespace.as_deref(), name).await?;
    let class = class(session, &gateway).await?;
    let of_class = of_class(session, &class).await?;
    let namespace = gateway.reference.namespace.as_str();
    let own = match gateway.value["metadata"]["annotations"][OWN_PARAMETERS].as_str() {
        Some(own) => Some(named(session, &kinds::GATEWAY_PARAMETERS, namespace, own, &gateway.reference).await?),
        None => None,
    };
    let settings = session.get(&kinds::SETTINGS, &of_class.reference.namespace, SETTINGS).await;
    let settings = Object::new(&kinds::SETTINGS, settings.map_err(|error| error.into_failure(session))?);
    let others = match others {
        Ok(all) => alike(session, Some(&gateway.reference), &of_class.reference.namespace, all).await,
        Err(why) => Err(why),
    };
    Ok(GatewayParameters { gateway, of_class, own, settings, others })
}

/// The Gateways of an installation of Gloo, without this one: one switch in its Settings gives all of them their sidecars.
async fn alike(
    session: &Session,
    gateway: Option<&ObjectRef>,
    installation: &str,
    all: Vec<Object>,
) -> Result<Vec<ObjectRef>, Unread> {
    let classes = session.list_all(&kinds::KUBE_GATEWAY_CLASS, Scope::All, Query::default()).await;
    let classes = classes.map_err(|error| unread::unread(session, error))?;
    let is_ours = |class: &&Value| {
        class["spec"]["controllerName"] == GATEWAY_CONTROLLER
            && class["spec"]["parametersRef"]["namespace"] == installation
    };
    let names: Vec<_> = classes.iter().filter(is_ours).filter_map(|class| class["metadata"]["name"].as_str()).collect();
    let is_alike =
        |other: &Object| other.value["spec"]["gatewayClassName"].as_str().is_some_and(|class| names.contains(&class));
    let others = all.into_iter().filter(|other| is_alike(other) && Some(&other.reference) != gateway);
    Ok(others.map(|other| other.reference).collect())
}

/// The namespace of the installation of Gloo that serves a Gateway.
///
/// # Errors
/// As for [`read`].
pub(crate) async fn installation(session: &Session, global: &Global, name: &GatewayName) -> Result<String, Failure> {
    let (gateway, _) = gateway(session, global.namespace.as_deref(), name).await?;
    let class = class(session, &gateway).await?;
    Ok(class.value["spec"]["parametersRef"]["namespace"].as_str().unwrap_or_default().to_owned())
}

/// The same for the first Gateway of an installation of Gloo: one switch in its Settings is for all of them. `None` if it
/// has none.
///
/// # Errors
/// An object could not be read, or does not exist.
pub(crate) async fn of_installation(
    session: &Session,
    namespace: &str,
    global: &Global,
) -> Result<Option<(GatewayName, GatewayParameters)>, Unread> {
    let all = match session.list_all(&kinds::KUBE_GATEWAY, Scope::All, Query::default()).await {
        Ok(all) => all,
        // A cluster without the Gateway API has no such objects.
        Err(error) if error.cause == ApiCause::NoCrd => return Ok(None),
        Err(error) => return Err(unread::unread(session, error)),
    };
    let all: Vec<_> = all.into_iter().map(|value| Object::new(&kinds::KUBE_GATEWAY, value)).collect();
    let alike = alike(session, None, namespace, all).await?;
    let named = |gateway: ObjectRef| GatewayName::parse(&gateway.name).ok().map(|name| (gateway, name));
    let Some((gateway, name)) = alike.into_iter().find_map(named) else { return Ok(None) };
    let global = Global { namespace: Some(gateway.namespace), ..global.clone() };
    let found = read(session, &global, &name).await.map_err(|failure| failure.message)?;
    Ok(Some((name, found)))
}

/// The Deployment that Gloo's controller made for the Gateway.
///
/// # Errors
/// It does not exist, or could not be read.
pub(crate) async fn workload(session: &Session, gateway: &ObjectRef, name: &GatewayName) -> Result<Object, Failure> {
    match session.get(&kinds::DEPLOYMENT, &gateway.namespace, &name.proxy()).await {
        Ok(value) => Ok(Object::new(&kinds::DEPLOYMENT, value)),
        Err(error) if error.cause == ApiCause::NotFound => {
            let line = format!("Gloo's controller has made no deployment/{} for {}", name.proxy(), shown(gateway));
            let hint = gloo_rs("check").then(" shows what it reports");
            Err(Failure::new(Exit::SaidNo, Reason::NotFound, line).hint(hint))
        }
        Err(error) => Err(error.into_failure(session)),
    }
}

/// The Gateway, and all others.
async fn gateway(
    session: &Session,
    namespace: Option<&str>,
    name: &GatewayName,
) -> Result<(Object, Result<Vec<Object>, Unread>), Failure> {
    let listed = session.list_all(&kinds::KUBE_GATEWAY, Scope::All, Query::default()).await;
    let all: Vec<Object> = match (listed, namespace) {
        (Ok(all), _) => all.into_iter().map(|value| Object::new(&kinds::KUBE_GATEWAY, value)).collect(),
        (Err(error), Some(namespace)) if matches!(error.cause, ApiCause::Forbidden { .. }) => {
            let value = session.get(&kinds::KUBE_GATEWAY, namespace, name.as_str()).await;
            let value = value.map_err(|error| error.into_failure(session))?;
            return Ok((Object::new(&kinds::KUBE_GATEWAY, value), Err(unread::unread(session, error))));
        }
        (Err(error), None) if matches!(error.cause, ApiCause::Forbidden { .. }) => {
            return Err(error.into_failure(session).hint("-n NAMESPACE searches only one namespace"));
        }
        (Err(error), _) => return Err(error.into_failure(session)),
    };
    let is_here = |gateway: &&Object| namespace.is_none_or(|namespace| gateway.reference.namespace == namespace);
    let found: Vec<_> = all.iter().filter(is_here).filter(|it| it.reference.name == name.as_str()).cloned().collect();
    match &found[..] {
        [only] => Ok((only.clone(), Ok(all))),
        [] => Err(not_found(name, namespace, all.iter().filter(is_here)).detail(session.looked())),
        several => {
            let namespaces: Vec<_> = several.iter().map(|it| it.reference.namespace.as_str()).collect();
            let line = format!("Gateway {}: {} namespaces have one", name.as_str(), several.len());
            let failure = Failure::new(Exit::Failed, Reason::Ambiguous, line);
            Err(failure.detail(format!("in {}", namespaces.join(", "))).hint("-n NAMESPACE chooses one"))
        }
    }
}

fn not_found<'o>(name: &GatewayName, namespace: Option<&str>, there: impl Iterator<Item = &'o Object>) -> Failure {
    let place = namespace.unwrap_or("any namespace");
    let line = format!("Gateway {}: not found in {place}", name.as_str());
    let failure = Failure::new(Exit::SaidNo, Reason::NotFound, line);
    let there: Vec<_> = there.map(|gateway| gateway.reference.name.as_str()).collect();
    match nearest(name.as_str(), there) {
        near if near.is_empty() => failure,
        near => failure.detail(format!("near: {}", near.join(", "))),
    }
}

/// The Gateway's class, if Gloo's controller is that of the class.
async fn class(session: &Session, gateway: &Object) -> Result<Object, Failure> {
    let name = gateway.value["spec"]["gatewayClassName"].as_str().unwrap_or_default();
    let class = named(session, &kinds::KUBE_GATEWAY_CLASS, "", name, &gateway.reference).await?;
    let controller = class.value["spec"]["controllerName"].as_str().unwrap_or_default();
    if controller == GATEWAY_CONTROLLER {
        return Ok(class);
    }
    let of = if controller.starts_with(ISTIO) { "Istio" } else { "another controller" };
    let line = format!("{} is of class {name}, whose proxies {of} makes; nothing changed", shown(&gateway.reference));
    let failure = Failure::new(Exit::Failed, Reason::Managed, line).detail(format!("its controller is {controller}"));
    Err(match of {
        // A waypoint or an ingress gateway of the mesh has the mesh's certificates already.
        "Istio" => failure.hint("a gateway or waypoint of Istio needs no sidecars"),
        _ => failure.hint("--gateway takes a Gateway of Gloo's class"),
    })
}

/// The parameters of a class.
async fn of_class(session: &Session, class: &Object) -> Result<Object, Failure> {
    let reference = &class.value["spec"]["parametersRef"];
    let text = |key: &str| reference[key].as_str().unwrap_or_default();
    let kind = &kinds::GATEWAY_PARAMETERS;
    if text("name").is_empty() || text("kind") != kind.kind || text("group") != kind.group {
        let line =
            format!("{} names no GatewayParameters in its parametersRef; nothing changed", shown(&class.reference));
        let edit = kubectl("edit gatewayclass").value(&class.reference.name);
        return Err(Failure::new(Exit::Failed, Reason::NotFound, line).hint(edit));
    }
    named(session, kind, text("namespace"), text("name"), &class.reference).await
}

/// An object that another one names.
async fn named(
    session: &Session,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
    by: &ObjectRef,
) -> Result<Object, Failure> {
    let found: Result<Value, ApiError> = session.get(kind, namespace, name).await;
    match found {
        Ok(value) => Ok(Object::new(kind, value)),
        Err(error) if error.cause == ApiCause::NotFound => {
            let place = if namespace.is_empty() { String::new() } else { format!(" in {namespace}") };
            let line =
                format!("{}/{name}: not found{place}, and {} names it; nothing changed", kind.singular, shown(by));
            Err(Failure::new(Exit::Failed, Reason::NotFound, line).hint(match by.namespace.is_empty() {
                true => kubectl("edit").value(kind_of(by)).value(&by.name),
                false => kubectl("edit").value(kind_of(by)).value(&by.name).with("-n", &by.namespace),
            }))
        }
        Err(error) => Err(error.into_failure(session)),
    }
}

/// The resource of a Gateway with its group: two groups have a kind of this name.
fn kind_of(object: &ObjectRef) -> String {
    format!("{}.{}", object.kind.plural, object.kind.group)
}

/// `gateway/http in gloo-system`
fn shown(object: &ObjectRef) -> String {
    let name = format!("{}/{}", object.kind.singular, object.name);
    if object.namespace.is_empty() { name } else { format!("{name} in {}", object.namespace) }
}
