//! The gateway that setup is about: a proxy, or the one that Gloo's controller makes for a Gateway of the Gateway API.

use super::in_use::revision_in_use;
use crate::command::{CommandLine, flag, gloo_rs};
use crate::error::{Exit, Failure, Reason};
use crate::helm::Helm;
use crate::kube::{Environment, Session};
use crate::load::absence::{self, Absence};
use crate::load::{gateway_parameters, gateways, release};
use crate::model::{ObjectRef, kinds};
use crate::options::{
    Bringer, Global, HTTP_PORT, IstioWish, MeshMode, Named, PodsOf, Proxies, Setup, SetupProof, Strictness,
    UpgradeValues,
};
use crate::plan::gateway_parameters::{GatewayParameters, Keeper};
use crate::plan::outcome::{Outcome, Row};
use crate::plan::owner::{self, Owner};
use crate::plan::sidecars::{GatewayProxy, current_address};
use crate::text::{GatewayName, ProxyKind, ProxyName};

/// The gateway, and how its sidecars are added.
#[derive(Debug, Clone)]
pub(super) struct SetupGateway {
    pub pods: PodsOf,
    /// The namespace of the pods.
    pub namespace: String,
    pub bringer: Bringer,
    /// For Helm: the release, if it is another one than that of Gloo in the namespace of the command line.
    pub release: Option<NamedRelease>,
    /// The namespace of Gloo, if it is not that of the command line.
    pub installation: Option<String>,
    /// The port of the pods to which the requests are sent.
    pub port: u16,
    /// The address of the istiod that it uses.
    address: Option<String>,
}

/// A Helm release by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedRelease {
    pub namespace: String,
    pub name: String,
}

impl SetupGateway {
    /// Finds the gateway of the command line.
    ///
    /// # Errors
    /// The gateway does not exist, or a GitOps tool renders it.
    pub(super) async fn find(session: &Session, task: &Setup, global: &Global) -> Result<Self, Failure> {
        match &task.proxy {
            Some(PodsOf::Gateway(gateway)) => of_gateway_api(session, gateway, task, global).await,
            Some(PodsOf::Named(name)) => of_proxy(session, Some(name), task, global).await,
            None => of_proxy(session, None, task, global).await,
        }
    }

    /// The istiod of the command line, or else the revision that is in use.
    pub(super) async fn istio(&self, session: &Session, task: &Setup) -> IstioWish {
        let in_use = match task.revision {
            None => revision_in_use(session, self.address.as_deref(), &task.namespaces).await,
            Some(_) => None,
        };
        IstioWish { revision: task.revision.clone(), in_use, ..IstioWish::default() }
    }

    /// The upgrade that adds the sidecars.
    pub(super) fn upgrade(&self, task: &Setup) -> UpgradeValues {
        let name = self.release.as_ref().map(|release| release.name.clone());
        UpgradeValues::of_release(name, task.chart.clone(), task.secrets)
    }

    /// The task with the namespace of Gloo for each Upstream without one.
    pub(super) fn with_namespaces(&self, task: &Setup) -> Setup {
        let mut task = task.clone();
        for upstream in &mut task.upstreams {
            upstream.namespace = upstream.namespace.take().or_else(|| self.installation.clone());
        }
        task
    }

    /// The Upstreams to which requests are sent. A Gateway may route to Services, so it gets a request without one.
    pub(super) fn asked(&self, task: &Setup) -> Vec<Option<Named>> {
        match (task.proof, &self.pods) {
            (SetupProof::Skipped, _) => Vec::new(),
            (SetupProof::Sent, PodsOf::Gateway(_)) if task.upstreams.is_empty() => vec![None],
            (SetupProof::Sent, _) => task.upstreams.iter().cloned().map(Some).collect(),
        }
    }
}

/// Finds a proxy. The choice of the command line applies; otherwise it is Helm, if Helm renders the proxy and is installed.
async fn of_proxy(
    session: &Session,
    name: Option<&ProxyName>,
    task: &Setup,
    global: &Global,
) -> Result<SetupGateway, Failure> {
    let namespace = global.object_namespace();
    let wanted = name.map_or(Proxies::Usual, |name| Proxies::Named(vec![name.clone()]));
    let proxies = gateways::find(session, namespace, &wanted).await;
    let proxies = match proxies {
        Err(why) if name.is_none() => return Err(absent(session, namespace, why).await),
        proxies => proxies?,
    };
    let proxy: GatewayProxy = proxies.into_iter().next().expect("what was found is no empty list");
    let bringer = match task.mesh {
        // It has no sidecars.
        MeshMode::Ambient => Bringer::Inject,
        MeshMode::Sidecars => bringer(session, &proxy, task, global).await?,
    };
    Ok(SetupGateway {
        pods: PodsOf::Named(name_of(&proxy.workload.reference)),
        namespace: proxy.workload.reference.namespace.clone(),
        bringer,
        release: None,
        installation: None,
        port: HTTP_PORT,
        address: current_address(&proxy),
    })
}

async fn bringer(session: &Session, proxy: &GatewayProxy, task: &Setup, global: &Global) -> Result<Bringer, Failure> {
    let namespace = global.object_namespace();
    let of_proxy = owner::find(&proxy.workload.value);
    Ok(match (of_release(session, namespace, of_proxy).await, task.via) {
        (Some(owner @ (Owner::ArgoCd { .. } | Owner::Flux { .. })), _) => return Err(in_git(&owner, namespace, task)),
        (_, Some(via)) => via,
        (Some(Owner::Helm { .. }), None) => {
            match Helm::find(Environment::of_process().os("PATH"), global.timeout).await {
                Ok(_) => Bringer::Helm,
                Err(_) => Bringer::Inject,
            }
        }
        _ => Bringer::Inject,
    })
}

/// Finds what decides the sidecars of a Gateway's proxy.
async fn of_gateway_api(
    session: &Session,
    name: &GatewayName,
    task: &Setup,
    global: &Global,
) -> Result<SetupGateway, Failure> {
    let found = gateway_parameters::read(session, global, name).await?;
    let (bringer, release) = match task.mesh {
        MeshMode::Ambient => (Bringer::Inject, None),
        MeshMode::Sidecars => keeper(session, &found, task).await?,
    };
    Ok(SetupGateway {
        pods: PodsOf::Gateway(name.clone()),
        namespace: found.gateway.reference.namespace.clone(),
        bringer,
        release,
        installation: Some(found.installation().to_owned()),
        port: http_port(&found, task)?,
        address: found.address(),
    })
}

async fn keeper(
    session: &Session,
    found: &GatewayParameters,
    task: &Setup,
) -> Result<(Bringer, Option<NamedRelease>), Failure> {
    let installation = found.installation();
    let of_class = owner::find(&found.of_class.value);
    if let Some(owner @ (Owner::ArgoCd { .. } | Owner::Flux { .. })) = of_release(session, installation, of_class).await
    {
        return Err(in_git(&owner, installation, task));
    }
    let keeper = found.keeper().map_err(|why| {
        let row = Row::left(found.gateway.reference.clone(), Outcome::Refused, why);
        super::objects::refused(vec![row])
    })?;
    Ok(match keeper {
        Keeper::Release { namespace, name } => (Bringer::Helm, Some(NamedRelease { namespace, name })),
        Keeper::Objects => (Bringer::Inject, None),
    })
}

fn http_port(found: &GatewayParameters, task: &Setup) -> Result<u16, Failure> {
    match (found.http_port(), task.proof) {
        (Some(port), _) => Ok(port),
        (None, SetupProof::Skipped) => Ok(HTTP_PORT),
        (None, SetupProof::Sent) => {
            let name = &found.gateway.reference.name;
            let line =
                format!("Gateway {name} has no listener with plain HTTP, through which a request could verify mTLS");
            let failure = Failure::new(Exit::Failed, Reason::NeedsFlag, line);
            Err(failure.hint(flag("--no-verify").text(" skips the requests")))
        }
    }
}

/// The owner of Gloo: that of the release's objects, or else that of the gateway.
async fn of_release(session: &Session, namespace: &str, of_gateway: Option<Owner>) -> Option<Owner> {
    match release::owner(session, namespace).await {
        Some(owner @ (Owner::ArgoCd { .. } | Owner::Flux { .. })) => Some(owner),
        _ => of_gateway,
    }
}

/// The name of a proxy, with its kind.
pub(super) fn name_of(workload: &ObjectRef) -> ProxyName {
    let kind = if workload.kind == &kinds::DAEMON_SET { ProxyKind::DaemonSet } else { ProxyKind::Deployment };
    ProxyName { kind: Some(kind), name: workload.name.clone() }
}

/// The failure when no gateway was found without `--name`, with the namespaces that have one.
pub(super) async fn absent(session: &Session, namespace: &str, why: Failure) -> Failure {
    let absence = match why.reason {
        Reason::NotFound => {
            absence::around(session, &ObjectRef::new(&kinds::DEPLOYMENT, namespace, gateways::USUAL)).await
        }
        _ => Absence::default(),
    };
    elsewhere(why, &absence)
}

/// The failure with a hint that is valid for this command.
fn elsewhere(why: Failure, absence: &Absence) -> Failure {
    let hint = match why.reason {
        Reason::NotFound => absence.hint().unwrap_or_else(|| "-n NAMESPACE searches another namespace".into()),
        Reason::Ambiguous => flag("--name").text(" NAME chooses one"),
        _ => return why,
    };
    Failure { hints: vec![hint], ..why }
}

fn in_git(owner: &Owner, namespace: &str, task: &Setup) -> Failure {
    let mut failure = Failure::new(
        Exit::Failed,
        Reason::Managed,
        format!("Gloo in {namespace}: {owner} renders it and would undo the change; nothing changed"),
    );
    failure.details.push("the same in Git:".to_owned());
    let on_revision = |command: CommandLine| match &task.revision {
        Some(revision) => command.with("--revision", revision),
        None => command,
    };
    // These commands edit files and need no cluster.
    let mut command = |line: CommandLine| failure.details.push(format!("  {line}"));
    command(on_revision(gloo_rs("upgrade-values")).fixed("--values FILE --write"));
    for namespace in &task.namespaces {
        command(on_revision(gloo_rs("istio enroll").value(namespace)).fixed("-f PATH --write"));
    }
    if !task.upstreams.is_empty() {
        command(gloo_rs("istio enable-mtls").with("-u", task.upstream_names()).fixed("-f PATH --write"));
    }
    if task.strictness == Strictness::Strict {
        for namespace in &task.namespaces {
            command(gloo_rs("istio peer-auth strict").with("-n", namespace).fixed("-f PATH --write"));
        }
    }
    failure.hint("change it there and let it sync")
}

#[cfg(test)]
mod tests {
    use super::*;

    impl SetupGateway {
        /// A proxy without Istio.
        pub(in crate::flow::setup) fn named(name: ProxyName, bringer: Bringer) -> Self {
            let (pods, port) = (PodsOf::Named(name), HTTP_PORT);
            let namespace = "gloo-system".to_owned();
            Self { pods, namespace, bringer, release: None, installation: None, port, address: None }
        }
    }

    #[test]
    fn only_flags_that_are_there_are_named() {
        let absence =
            |elsewhere: Option<&str>| Absence { elsewhere: elsewhere.map(str::to_owned), ..Absence::default() };
        let why = |reason| Failure::new(Exit::Failed, reason, "no").hint(flag("--all").text(" chooses all"));
        let hints = |reason| elsewhere(why(reason), &absence(None)).hints;
        assert_eq!(hints(Reason::Ambiguous), ["--name NAME chooses one"]);
        assert_eq!(hints(Reason::NotFound), ["-n NAMESPACE searches another namespace"]);
        assert_eq!(hints(Reason::Forbidden), ["--all chooses all"]);
        let found = elsewhere(why(Reason::NotFound), &absence(Some("gloo-system"))).hints;
        assert_eq!(found, ["it is in namespace gloo-system: -n gloo-system"]);
    }
}
