//! The steps of `istio setup`.

use std::path::Path;

use super::in_use::revision_in_use;
use super::policy;
use super::step::{Step, StepAct};
use crate::command::{CommandLine, flag, gloo_rs};
use crate::error::{Exit, Failure, Reason};
use crate::helm::Helm;
use crate::kube::{Environment, Freshness, Scope as Where, Session};
use crate::load::absence::{self, Absence};
use crate::load::{gateways, policies, release};
use crate::model::{ObjectRef, kinds};
use crate::options::{
    Bringer, Enrol, Enrolment, Global, HTTP_PORT, Injection, IstioWish, MeshMode, Named, PeerAuth, PodsOf, Posture,
    Preview, Proxies, ProxyPods, Restarts, Rollouts, SettingsSwitches, Setup, SetupProof, Sidecars, Strictness,
    TrustWish, UpgradeValues, ValuesAct, VerifyTask, Via,
};
use crate::plan::auto_mtls;
use crate::plan::enrolment::guard::GlooNamespace;
use crate::plan::mtls::{MtlsWish, Policy};
use crate::plan::owner::{self, Owner};
use crate::plan::peer::change::{self, PolicyRequest, PolicyScope};
use crate::plan::peer::{Mode, Policies};
use crate::plan::policy::{Caution, OtherTls};
use crate::plan::proxy_pods::{PodAmount, Which};
use crate::plan::sidecars::GatewayProxy;
use crate::plan::values::{self, Switch};
use crate::render::diff::Secrets;
use crate::text::{ProxyKind, ProxyName};

/// Returns the steps, in the order of the guide.
///
/// # Errors
/// There is no proxy, or a GitOps tool renders it.
pub(super) async fn steps(session: &Session, task: &Setup, global: &Global) -> Result<Vec<Step>, Failure> {
    if task.mesh == MeshMode::Ambient {
        let proxy = chosen_proxy(session, task, global).await?.workload.reference;
        let policies = policies(session, task).await;
        return Ok(in_order_ambient(task, &proxy, policies));
    }
    let (via, proxy) = via(session, task, global).await?;
    let name = name_of(&proxy.workload.reference);
    let in_use = match task.revision {
        None => revision_in_use(session, &proxy, &task.namespaces).await,
        Some(_) => None,
    };
    let policies = policies(session, task).await;
    let revision = IstioWish { revision: task.revision.clone(), in_use, ..IstioWish::default() };
    Ok(in_order(task, via, &name, &revision, policies))
}

/// Returns the steps that make the pods of the namespaces accept only mutual TLS, if that is wanted.
async fn policies(session: &Session, task: &Setup) -> Vec<Step> {
    let mut policies = Vec::new();
    for namespace in task.namespaces.iter().filter(|_| task.strictness == Strictness::Strict) {
        policies.push(strict(session, namespace).await);
    }
    policies
}

/// Builds the steps in order for an ambient mesh: the gateway's namespace first, since its requests are answered whether
/// the pods are captured or not. Requests prove something only under a policy.
fn in_order_ambient(task: &Setup, proxy: &ObjectRef, policies: Vec<Step>) -> Vec<Step> {
    let others = task.namespaces.iter().filter(|namespace| **namespace != proxy.namespace);
    let mut steps: Vec<_> = std::iter::once(&proxy.namespace).chain(others).map(|it| capture(it)).collect();
    let first = steps.len();
    steps.extend(policies);
    let policies: Vec<_> = (first..steps.len()).collect();
    if !policies.is_empty() {
        steps.extend(verify(task, &name_of(proxy), &policies, ""));
    }
    steps
}

fn capture(namespace: &str) -> Step {
    Step {
        word: "enroll",
        what: format!("namespace {namespace}, ambient"),
        act: StepAct::Enrolment(enrolment(Enrol::Ambient { istio_namespace: None }, namespace)),
        undone_by: gloo_rs("istio unenroll").value(namespace).into(),
    }
}

/// Builds the steps in order. The policies come last, between two rounds of requests.
fn in_order(task: &Setup, via: Bringer, proxy: &ProxyName, istio: &IstioWish, policies: Vec<Step>) -> Vec<Step> {
    let mut steps = vec![match via {
        Bringer::Helm => helm(task, istio),
        Bringer::Inject => inject(istio, proxy),
    }];
    steps.extend(task.namespaces.iter().map(|namespace| enroll(namespace, istio)));
    let mut proves = Vec::new();
    match (via, task.auto_mtls) {
        // With Helm, auto-mTLS is one of the values.
        (Bringer::Helm, _) => proves.push(0),
        (Bringer::Inject, SettingsSwitches::On) => {
            proves.push(steps.len());
            steps.push(switches(auto_mtls::AutoMtlsWish::Enable));
        }
        (Bringer::Inject, _) => {}
    }
    if !task.upstreams.is_empty() {
        proves.push(steps.len());
        steps.push(enable(task));
    }
    let is_strict = task.strictness == Strictness::Strict;
    let when = if is_strict { ", before going strict" } else { "" };
    steps.extend(verify(task, proxy, &proves, when));
    if is_strict {
        let first = steps.len();
        steps.extend(policies);
        let policies: Vec<_> = (first..steps.len()).collect();
        steps.extend(verify(task, proxy, &policies, ""));
    }
    steps
}

/// One request to each Upstream. If it is not answered over mutual TLS, those of the steps in `proves` that affect the
/// connection are rolled back.
fn verify(task: &Setup, proxy: &ProxyName, proves: &[usize], when: &str) -> Vec<Step> {
    let upstreams = if task.proof == SetupProof::Sent { task.upstreams.as_slice() } else { &[] };
    let request = |upstream: &Named| VerifyTask {
        upstream: Some(upstream.clone()),
        url: None,
        host: task.request.host.clone(),
        path: task.request.path.clone(),
        method: "GET".to_owned(),
        headers: Vec::new(),
        via: Via::Forward { port: HTTP_PORT },
        pods: ProxyPods { proxy: PodsOf::Named(proxy.clone()), amount: PodAmount::One, which: Which::Running },
        trust: TrustWish::System,
        expect: 200,
    };
    let step = |upstream: &Named| Step {
        word: "verify",
        what: format!("{}: expect 200 and mTLS{when}", shown(upstream)),
        act: StepAct::Verify { request: Box::new(request(upstream)), proves: proves.to_vec() },
        undone_by: "nothing is changed".into(),
    };
    upstreams.iter().map(step).collect()
}

/// Returns how the sidecars are added, and the proxy. The choice on the command line applies; otherwise it is Helm, if
/// Helm renders the proxy and is installed.
async fn via(session: &Session, task: &Setup, global: &Global) -> Result<(Bringer, GatewayProxy), Failure> {
    let namespace = global.object_namespace();
    let proxy = chosen_proxy(session, task, global).await?;
    let of_proxy = owner::find(&proxy.workload.value);
    let owner = match release::owner(session, namespace).await {
        Some(owner @ (Owner::ArgoCd { .. } | Owner::Flux { .. })) => Some(owner),
        _ => of_proxy,
    };
    let via = match (owner, task.via) {
        (Some(owner @ (Owner::ArgoCd { .. } | Owner::Flux { .. })), _) => return Err(in_git(&owner, namespace, task)),
        (_, Some(via)) => via,
        (Some(Owner::Helm { .. }), None) => {
            match Helm::find(Environment::of_process().os("PATH"), global.timeout).await {
                Ok(_) => Bringer::Helm,
                Err(_) => Bringer::Inject,
            }
        }
        _ => Bringer::Inject,
    };
    Ok((via, proxy))
}

/// Returns the proxy of the command line, or the usual one.
async fn chosen_proxy(session: &Session, task: &Setup, global: &Global) -> Result<GatewayProxy, Failure> {
    let namespace = global.object_namespace();
    let wanted = task.proxy.clone().map_or(Proxies::Usual, |name| Proxies::Named(vec![name]));
    let proxies = match gateways::find(session, namespace, &wanted).await {
        Err(why) if task.proxy.is_none() => return Err(absent(session, namespace, why).await),
        proxies => proxies?,
    };
    Ok(proxies.into_iter().next().expect("what was found is no empty list"))
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
        command(gloo_rs("istio enable-mtls").with("-u", names(task)).fixed("-f PATH --write"));
    }
    if task.strictness == Strictness::Strict {
        for namespace in &task.namespaces {
            command(gloo_rs("istio peer-auth strict").with("-n", namespace).fixed("-f PATH --write"));
        }
    }
    failure.hint("change it there and let it sync")
}

fn names(task: &Setup) -> String {
    task.upstreams.iter().map(shown).collect::<Vec<_>>().join(",")
}

/// The Upstream in the form that `--upstream` accepts.
pub(super) fn shown(upstream: &Named) -> String {
    match &upstream.namespace {
        Some(namespace) => format!("{namespace}/{}", upstream.name),
        None => upstream.name.clone(),
    }
}

fn helm(task: &Setup, istio: &IstioWish) -> Step {
    let auto_mtls = if task.auto_mtls == SettingsSwitches::On { Switch::On } else { Switch::NotTyped };
    let values = UpgradeValues {
        act: ValuesAct::Merge,
        wish: values::ValuesWish { auto_mtls, ..values::ValuesWish::default() },
        istio: istio.clone(),
        ..UpgradeValues::of_release(task.chart.clone(), task.secrets)
    };
    Step {
        word: "helm",
        what: "the values of Gloo's release".to_owned(),
        act: StepAct::Values(values),
        undone_by: of_chart(gloo_rs("upgrade-values --remove --apply"), task.chart.as_deref()).into(),
    }
}

/// Adds the `--chart` from the command line.
pub(super) fn of_chart(command: CommandLine, chart: Option<&Path>) -> CommandLine {
    match chart.and_then(Path::to_str) {
        Some(path) => command.with("--chart", path),
        None => command,
    }
}

fn inject(istio: &IstioWish, proxy: &ProxyName) -> Step {
    let act = Injection::Inject {
        istio: istio.clone(),
        sds_image: None,
        posture: Posture::Usual,
        auto_mtls: SettingsSwitches::Alone,
    };
    Step {
        word: "inject",
        what: match proxy.name.as_str() {
            gateways::USUAL => "sidecars for the gateway".to_owned(),
            name => format!("sidecars for {name}"),
        },
        act: StepAct::Sidecars(sidecars(act, proxy)),
        undone_by: unless_usual(gloo_rs("istio uninject"), &proxy.name).into(),
    }
}

/// Adds `--name`, such as `--name edge-proxy`, unless the proxy is the default one.
pub(super) fn unless_usual(command: CommandLine, proxy: &str) -> CommandLine {
    if proxy == gateways::USUAL { command } else { command.with("--name", proxy) }
}

/// The task of `inject` or `uninject` on one proxy.
pub(super) fn sidecars(act: Injection, proxy: &ProxyName) -> Sidecars {
    Sidecars {
        chart: None,
        act,
        proxies: Proxies::Named(vec![proxy.clone()]),
        rollouts: Rollouts::Wait,
        preview: Preview::default(),
        files: None,
        secrets: Secrets::Masked,
    }
}

/// The step that changes auto-mTLS in Settings.
pub(super) fn switches(wish: auto_mtls::AutoMtlsWish) -> Step {
    let undone_by = match wish {
        auto_mtls::AutoMtlsWish::Enable => gloo_rs("istio auto-mtls disable"),
        auto_mtls::AutoMtlsWish::Disable => gloo_rs("istio auto-mtls enable"),
    };
    Step { word: "auto-mtls", what: "Settings".to_owned(), act: StepAct::Switches(wish), undone_by: undone_by.into() }
}

fn enroll(namespace: &str, IstioWish { revision, in_use, .. }: &IstioWish) -> Step {
    let (revision, in_use) = (revision.clone(), in_use.clone());
    let act = Enrol::In { revision, in_use, istio_namespace: None, gloo: GlooNamespace::Refused };
    Step {
        word: "enroll",
        what: format!("namespace {namespace}"),
        act: StepAct::Enrolment(enrolment(act, namespace)),
        undone_by: gloo_rs("istio unenroll").value(namespace).into(),
    }
}

/// The task of `enroll` or `unenroll` on one namespace.
pub(super) fn enrolment(act: Enrol, namespace: &str) -> Enrolment {
    Enrolment {
        act,
        namespaces: vec![namespace.to_owned()],
        restarts: Restarts::Rolling { parallel: 1, only: Vec::new() },
        // Setup checks the whole plan.
        caution: Caution::Forced,
        preview: Preview::default(),
        files: None,
        secrets: Secrets::Masked,
    }
}

fn enable(task: &Setup) -> Step {
    Step {
        word: "upstream",
        what: names(task),
        act: upstreams(MtlsWish::Enable, task.upstreams.clone()),
        undone_by: gloo_rs("istio disable-mtls").with("-u", names(task)).into(),
    }
}

/// The act of `enable-mtls` or `disable-mtls` on these Upstreams.
pub(super) fn upstreams(wish: MtlsWish, names: Vec<Named>) -> StepAct {
    let policy = Policy { wish, other_tls: OtherTls::Keep, caution: Caution::Careful };
    StepAct::Upstreams(policy, names)
}

async fn strict(session: &Session, namespace: &str) -> Step {
    let scope = PolicyScope::Namespace(namespace.to_owned());
    let there = policies::list(session, Where::Namespace(namespace), Freshness::Now).await;
    let there = there.map(|(_, all)| all).unwrap_or_default();
    let policies = Policies { all: &there, root_namespace: policies::ISTIO_SYSTEM };
    Step {
        word: "strict",
        what: format!("namespace {namespace}"),
        // The undo command keeps a policy that existed before.
        undone_by: policy::as_before(policies.without_selector(namespace).into_iter().next(), namespace).into(),
        act: of_policy(scope, change::PolicyWish::Set(Mode::Strict), OtherTls::Keep),
    }
}

/// The act that changes the policy of a scope.
pub(super) fn of_policy(scope: PolicyScope, wish: change::PolicyWish, foreign: OtherTls) -> StepAct {
    StepAct::PeerAuth(PeerAuth {
        request: PolicyRequest { scope, wish, foreign, caution: Caution::Careful },
        root_namespace: None,
        preview: Preview::default(),
        files: None,
        secrets: Secrets::Masked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::RequestWish;

    fn setup(
        via: Bringer,
        upstreams: &[&str],
        strictness: Strictness,
        auto_mtls: SettingsSwitches,
        proof: SetupProof,
    ) -> Vec<String> {
        words(MeshMode::Sidecars, via, upstreams, strictness, auto_mtls, proof)
    }

    fn words(
        mesh: MeshMode,
        via: Bringer,
        upstreams: &[&str],
        strictness: Strictness,
        auto_mtls: SettingsSwitches,
        proof: SetupProof,
    ) -> Vec<String> {
        let named = |name: &&str| Named { namespace: None, name: (*name).to_owned() };
        let task = Setup {
            namespaces: vec!["shop".to_owned()],
            upstreams: upstreams.iter().map(named).collect(),
            mesh,
            via: None,
            revision: None,
            chart: None,
            auto_mtls,
            strictness,
            proof,
            proxy: None,
            request: RequestWish::default(),
            caution: Caution::Careful,
            preview: Preview::default(),
            secrets: Secrets::Masked,
        };
        let scope = PolicyScope::Namespace("shop".to_owned());
        let policy = Step {
            word: "strict",
            what: "namespace shop".to_owned(),
            act: of_policy(scope, change::PolicyWish::Set(Mode::Strict), OtherTls::Keep),
            undone_by: gloo_rs("istio peer-auth remove").with("-n", "shop").into(),
        };
        let policies = if strictness == Strictness::Strict { vec![policy] } else { Vec::new() };
        let proxy = ObjectRef::new(&kinds::DEPLOYMENT, "gloo-system", gateways::USUAL);
        let steps = match mesh {
            MeshMode::Sidecars => in_order(&task, via, &name_of(&proxy), &IstioWish::default(), policies),
            MeshMode::Ambient => in_order_ambient(&task, &proxy, policies),
        };
        let proves = |step: &Step| match &step.act {
            StepAct::Verify { proves, .. } => format!(" {proves:?}"),
            _ => String::new(),
        };
        steps.iter().map(|step| format!("{}{}", step.word, proves(step))).collect()
    }

    #[test]
    fn requests_come_before_and_after_the_policies_and_prove_the_steps_between() {
        let (strict, as_it_is) = (Strictness::Strict, Strictness::AsItIs);
        let (alone, on) = (SettingsSwitches::Alone, SettingsSwitches::On);
        let words = setup(Bringer::Inject, &["a", "b"], strict, alone, SetupProof::Sent);
        assert_eq!(
            words,
            ["inject", "enroll", "upstream", "verify [2]", "verify [2]", "strict", "verify [5]", "verify [5]"]
        );
        let by_auto_mtls = setup(Bringer::Inject, &["a"], as_it_is, on, SetupProof::Sent);
        assert_eq!(by_auto_mtls, ["inject", "enroll", "auto-mtls", "upstream", "verify [2, 3]"]);
        let by_helm = setup(Bringer::Helm, &["a"], as_it_is, on, SetupProof::Sent);
        assert_eq!(by_helm, ["helm", "enroll", "upstream", "verify [0, 2]"], "auto-mTLS is one of the values");
        assert_eq!(
            setup(Bringer::Inject, &["a"], strict, alone, SetupProof::Skipped),
            ["inject", "enroll", "upstream", "strict"]
        );
        assert_eq!(setup(Bringer::Inject, &[], as_it_is, alone, SetupProof::Sent), ["inject", "enroll"]);
    }

    #[test]
    fn in_an_ambient_mesh_the_gateway_is_enrolled_too_and_requests_come_after_the_policies() {
        let of = |upstreams: &[&str], strictness, proof| {
            words(MeshMode::Ambient, Bringer::Inject, upstreams, strictness, SettingsSwitches::Alone, proof)
        };
        let strict = of(&["a"], Strictness::Strict, SetupProof::Sent);
        assert_eq!(strict, ["enroll", "enroll", "strict", "verify [2]"]);
        assert_eq!(of(&["a"], Strictness::Strict, SetupProof::Skipped), ["enroll", "enroll", "strict"]);
        assert_eq!(of(&["a"], Strictness::AsItIs, SetupProof::Sent), ["enroll", "enroll"]);
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
