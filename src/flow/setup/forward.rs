//! The steps of `istio setup`.

use std::path::Path;

use super::gateway::SetupGateway;
use super::step::{Step, StepAct};
use super::{observed, policy};
use crate::command::{CommandLine, gloo_rs};
use crate::kube::{Freshness, Scope as Where, Session};
use crate::load::{gateways, policies};
use crate::options::{
    Bringer, Enrol, Enrolment, Injection, IstioWish, MeshMode, Named, PeerAuth, PodsOf, Posture, Preview, Proxies,
    ProxyPods, RequestWish, Restarts, Rollouts, SettingsSwitches, Setup, Sidecars, Strictness, UpgradeValues,
    ValuesAct, VerifyTask, Via,
};
use crate::plan::auto_mtls;
use crate::plan::enrolment::guard::GlooNamespace;
use crate::plan::mtls::{MtlsWish, Policy};
use crate::plan::peer::change::{self, PolicyRequest, PolicyScope};
use crate::plan::peer::{Mode, Policies};
use crate::plan::policy::{Caution, OtherTls};
use crate::plan::values::{self, Switch};
use crate::plan::verdict::route::USUAL_PATH;
use crate::render::diff::Secrets;

/// Returns the steps, in the order of the guide.
pub(super) async fn steps(session: &Session, task: &Setup, gateway: &SetupGateway) -> Vec<Step> {
    let policies = policies(session, task, gateway).await;
    let steps = match task.mesh {
        MeshMode::Ambient => in_order_ambient(task, gateway, policies),
        MeshMode::Sidecars => in_order(task, gateway, &gateway.istio(session, task).await, policies),
    };
    match task.observation {
        Some(observation) => {
            let upstream = task.upstreams.first().filter(|_| task.upstreams.len() == 1);
            observed::after_each(steps, observation, &gateway.namespace, &request(task, gateway, upstream))
        }
        None => steps,
    }
}

/// Returns the steps that make the pods of the namespaces accept only mutual TLS, if that is wanted.
///
/// The clients of the gateway are outside of the mesh: in an ambient mesh its own namespace cannot require mutual TLS.
async fn policies(session: &Session, task: &Setup, gateway: &SetupGateway) -> Vec<Step> {
    let is_closed = |namespace: &String| task.mesh == MeshMode::Ambient && *namespace == gateway.namespace;
    let wanted = task.namespaces.iter().filter(|namespace| !is_closed(namespace));
    let mut policies = Vec::new();
    for namespace in wanted.filter(|_| task.strictness == Strictness::Strict) {
        policies.push(strict(session, namespace).await);
    }
    policies
}

/// Builds the steps in order for an ambient mesh: the gateway's namespace first, since its requests are answered whether
/// the pods are captured or not. Requests prove something only under a policy.
fn in_order_ambient(task: &Setup, gateway: &SetupGateway, policies: Vec<Step>) -> Vec<Step> {
    let others = task.namespaces.iter().filter(|namespace| **namespace != gateway.namespace);
    let mut steps: Vec<_> = std::iter::once(&gateway.namespace).chain(others).map(|it| capture(it)).collect();
    let first = steps.len();
    steps.extend(policies);
    let policies: Vec<_> = (first..steps.len()).collect();
    if !policies.is_empty() {
        steps.extend(verify(task, gateway, &policies, ""));
    }
    steps
}

fn capture(namespace: &str) -> Step {
    Step {
        word: "enroll",
        what: format!("namespace {namespace}, ambient"),
        act: StepAct::Enrolment(enrolment(Enrol::Ambient { istio_namespace: None }, namespace)),
        undone_by: gloo_rs("istio unenroll").value(namespace).into(),
        namespace: None,
    }
}

/// Builds the steps in order. The policies come last, between two rounds of requests.
fn in_order(task: &Setup, gateway: &SetupGateway, istio: &IstioWish, policies: Vec<Step>) -> Vec<Step> {
    let mut steps = vec![match gateway.bringer {
        Bringer::Helm => helm(task, gateway, istio),
        Bringer::Inject => inject(istio, &gateway.pods),
    }];
    steps.extend(task.namespaces.iter().map(|namespace| enroll(namespace, istio)));
    let mut proves = Vec::new();
    match (gateway.bringer, task.auto_mtls) {
        // With Helm, auto-mTLS is one of the values.
        (Bringer::Helm, _) => proves.push(0),
        (Bringer::Inject, SettingsSwitches::On) => {
            proves.push(steps.len());
            let namespace = gateway.installation.clone();
            steps.push(Step { namespace, ..switches(auto_mtls::AutoMtlsWish::Enable) });
        }
        (Bringer::Inject, _) => {}
    }
    if !task.upstreams.is_empty() {
        proves.push(steps.len());
        steps.push(enable(task));
    }
    let is_strict = task.strictness == Strictness::Strict;
    let when = if is_strict { ", before going strict" } else { "" };
    steps.extend(verify(task, gateway, &proves, when));
    if is_strict {
        let first = steps.len();
        steps.extend(policies);
        let policies: Vec<_> = (first..steps.len()).collect();
        steps.extend(verify(task, gateway, &policies, ""));
    }
    steps
}

/// One request to each Upstream. If it is not answered over mutual TLS, those of the steps in `proves` that affect the
/// connection are rolled back.
fn verify(task: &Setup, gateway: &SetupGateway, proves: &[usize], when: &str) -> Vec<Step> {
    let step = |upstream: Option<Named>| Step {
        word: "verify",
        what: format!(
            "{}: expect 200 and mTLS{when}",
            upstream.as_ref().map_or_else(|| url(task), ToString::to_string)
        ),
        act: StepAct::Verify { request: Box::new(request(task, gateway, upstream.as_ref())), proves: proves.to_vec() },
        undone_by: "nothing is changed".into(),
        namespace: None,
    };
    gateway.asked(task).into_iter().map(step).collect()
}

/// The request to an Upstream through a pod of the gateway.
fn request(task: &Setup, gateway: &SetupGateway, upstream: Option<&Named>) -> VerifyTask {
    let usual = VerifyTask::to_upstream(upstream.cloned());
    VerifyTask {
        host: task.request.host.clone(),
        path: task.request.path.clone(),
        via: Via::Forward { port: gateway.port },
        pods: ProxyPods { proxy: gateway.pods.clone(), ..usual.pods },
        ..usual
    }
}

/// The request without an Upstream: `shop.example/cart`.
fn url(task: &Setup) -> String {
    let RequestWish { host, path } = &task.request;
    format!("{}{}", host.as_deref().unwrap_or_default(), path.as_deref().unwrap_or(USUAL_PATH))
}

fn helm(task: &Setup, gateway: &SetupGateway, istio: &IstioWish) -> Step {
    let auto_mtls = if task.auto_mtls == SettingsSwitches::On { Switch::On } else { Switch::NotTyped };
    let values = UpgradeValues {
        act: ValuesAct::Merge,
        wish: values::ValuesWish { auto_mtls, ..values::ValuesWish::default() },
        istio: istio.clone(),
        ..gateway.upgrade(task)
    };
    Step {
        word: "helm",
        what: "the values of Gloo's release".to_owned(),
        act: StepAct::Values(values),
        undone_by: of_chart(gloo_rs("upgrade-values --remove --apply"), task.chart.as_deref()).into(),
        namespace: gateway.release.as_ref().map(|release| release.namespace.clone()),
    }
}

/// Adds the `--chart` from the command line.
pub(super) fn of_chart(command: CommandLine, chart: Option<&Path>) -> CommandLine {
    match chart.and_then(Path::to_str) {
        Some(path) => command.with("--chart", path),
        None => command,
    }
}

fn inject(istio: &IstioWish, proxy: &PodsOf) -> Step {
    let act = Injection::Inject {
        istio: istio.clone(),
        sds_image: None,
        posture: Posture::Usual,
        auto_mtls: SettingsSwitches::Alone,
    };
    Step {
        word: "inject",
        what: match proxy {
            PodsOf::Named(proxy) if proxy.name == gateways::USUAL => "sidecars for the gateway".to_owned(),
            PodsOf::Named(proxy) => format!("sidecars for {}", proxy.name),
            PodsOf::Gateway(gateway) => format!("sidecars for Gateway {}", gateway.as_str()),
        },
        undone_by: unless_usual(gloo_rs("istio uninject"), proxy).into(),
        act: StepAct::Sidecars(sidecars(act, proxy.clone())),
        namespace: None,
    }
}

/// Adds `--gateway`, or `--name`, such as `--name edge-proxy`, unless the proxy is the default one.
pub(super) fn unless_usual(command: CommandLine, proxy: &PodsOf) -> CommandLine {
    match proxy {
        PodsOf::Named(proxy) if proxy.name == gateways::USUAL => command,
        PodsOf::Named(proxy) => command.with("--name", &proxy.name),
        PodsOf::Gateway(gateway) => command.with("--gateway", gateway.as_str()),
    }
}

/// The task of `inject` or `uninject` on one proxy.
pub(super) fn sidecars(act: Injection, proxy: PodsOf) -> Sidecars {
    Sidecars {
        chart: None,
        act,
        proxies: match proxy {
            PodsOf::Named(name) => Proxies::Named(vec![name]),
            PodsOf::Gateway(gateway) => Proxies::Gateway(gateway),
        },
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
    Step {
        word: "auto-mtls",
        what: "Settings".to_owned(),
        act: StepAct::Switches(wish),
        undone_by: undone_by.into(),
        namespace: None,
    }
}

fn enroll(namespace: &str, IstioWish { revision, in_use, .. }: &IstioWish) -> Step {
    let (revision, in_use) = (revision.clone(), in_use.clone());
    let act = Enrol::In { revision, in_use, istio_namespace: None, gloo: GlooNamespace::Refused };
    Step {
        word: "enroll",
        what: format!("namespace {namespace}"),
        act: StepAct::Enrolment(enrolment(act, namespace)),
        undone_by: gloo_rs("istio unenroll").value(namespace).into(),
        namespace: None,
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
        what: task.upstream_names(),
        act: upstreams(MtlsWish::Enable, task.upstreams.clone()),
        undone_by: gloo_rs("istio disable-mtls").with("-u", task.upstream_names()).into(),
        namespace: None,
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
        namespace: None,
    }
}

/// The act that changes the policy of a scope.
pub(super) fn of_policy(scope: PolicyScope, wish: change::PolicyWish, foreign: OtherTls) -> StepAct {
    StepAct::PeerAuth(PeerAuth {
        observation: None,
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
    use crate::options::SetupProof;
    use crate::text::ProxyName;

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
            observation: None,
        };
        let scope = PolicyScope::Namespace("shop".to_owned());
        let policy = Step {
            word: "strict",
            what: "namespace shop".to_owned(),
            act: of_policy(scope, change::PolicyWish::Set(Mode::Strict), OtherTls::Keep),
            undone_by: gloo_rs("istio peer-auth remove").with("-n", "shop").into(),
            namespace: None,
        };
        let policies = if strictness == Strictness::Strict { vec![policy] } else { Vec::new() };
        let proxy = ProxyName { kind: None, name: gateways::USUAL.to_owned() };
        let gateway = SetupGateway::named(proxy, via);
        let steps = match mesh {
            MeshMode::Sidecars => in_order(&task, &gateway, &IstioWish::default(), policies),
            MeshMode::Ambient => in_order_ambient(&task, &gateway, policies),
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
}
