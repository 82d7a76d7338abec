//! Tests of setup on plans that need no cluster.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::pointing::lets_go;
use super::shown;
use super::spared::Spared;
use super::step::{PlannedStep, Step, StepAct, Work};
use super::stopped::StepEnd;
use super::walk::proven_wrong;
use super::{against, forward};
use crate::command::gloo_rs;
use crate::edit::Edit;
use crate::error::{Exit, Failure, Reason};
use crate::flow::execute::Stands;
use crate::flow::fixture::global;
use crate::model::{FieldPath, Kind, Object, ObjectRef, kinds};
use crate::options::{Named, VerifyTask};
use crate::plan::auto_mtls;
use crate::plan::change::Change;
use crate::plan::mtls::MtlsWish;
use crate::plan::path::effect::{Effect, Turn};
use crate::plan::path::forecast::{Doubt, Forecast, Outage};
use crate::plan::peer::Mode;
use crate::plan::peer::change::{self, PolicyScope};
use crate::plan::policy::OtherTls;
use crate::plan::rollout::restart;
use crate::plan::ssl_config::istio_ssl_config;

fn object(kind: &'static Kind, namespace: &str, name: &str, spec: &Value) -> Object {
    Object::new(kind, json!({"metadata": {"namespace": namespace, "name": name}, "spec": spec}))
}

fn planned(word: &'static str, act: StepAct, changes: Vec<Change>) -> PlannedStep {
    let undone_by = gloo_rs("istio teardown").into();
    let step = Step { word, what: "the thing".to_owned(), act, undone_by, namespace: None };
    PlannedStep { step, work: Work::Objects(changes), spared: None, effects: Vec::new() }
}

fn named(name: &str) -> Named {
    Named { namespace: Some("gloo-system".to_owned()), name: name.to_owned() }
}

fn upstreams(wish: MtlsWish, changes: Vec<Change>) -> PlannedStep {
    planned("upstream", forward::upstreams(wish, vec![named("cart")]), changes)
}

fn policy() -> PlannedStep {
    let scope = PolicyScope::Namespace("shop".to_owned());
    planned("strict", forward::of_policy(scope, change::PolicyWish::Set(Mode::Strict), OtherTls::Keep), Vec::new())
}

fn request(proves: &[usize]) -> PlannedStep {
    let request = VerifyTask::to_upstream(named("cart"));
    let act = StepAct::Verify { request: Box::new(request), proves: proves.to_vec() };
    PlannedStep { work: Work::Request, ..planned("verify", act, Vec::new()) }
}

fn switches() -> PlannedStep {
    planned("auto-mtls", StepAct::Switches(auto_mtls::AutoMtlsWish::Enable), Vec::new())
}

#[test]
fn a_failed_request_proves_only_the_steps_wrong_on_which_it_rests() {
    let with_own_tls = [switches(), upstreams(MtlsWish::Enable, Vec::new()), request(&[0, 1])];
    assert_eq!(proven_wrong(&with_own_tls, 2, &global()), [1], "an Upstream's own TLS decides before auto-mTLS");
    let spared = |name: &str| {
        let upstreams_of = vec![ObjectRef::new(&kinds::UPSTREAM, "gloo-system", name)];
        let by = "auto-mTLS (step 1)".to_owned();
        let spared = Some(Spared { by, upstreams: upstreams_of });
        [switches(), PlannedStep { spared, ..upstreams(MtlsWish::Enable, Vec::new()) }, request(&[0, 1])]
    };
    assert_eq!(proven_wrong(&spared("cart"), 2, &global()), [0]);
    assert_eq!(proven_wrong(&spared("other"), 2, &global()), [1], "another Upstream was spared");
    assert_eq!(proven_wrong(&[policy(), request(&[0])], 1, &global()), [0]);
    assert!(proven_wrong(&[policy(), policy()], 1, &global()).is_empty(), "only a request proves anything");
}

fn outage(begins: usize, ends: Option<usize>) -> Forecast {
    let outage = Outage { shown: "route a".to_owned(), begins: Some(begins), ends, why: "plaintext".to_owned() };
    Forecast { outages: vec![outage], ..Forecast::default() }
}

#[test]
fn a_plan_that_would_break_a_gateway_for_good_is_refused_before_the_first_step() {
    let plan = [upstreams(MtlsWish::Enable, Vec::new()), policy()];
    let refused = |forecast: &Forecast| against(&plan, forecast).err().map(|why| (why.exit, why.reason));
    assert_eq!(refused(&Forecast::default()), None);
    assert_eq!(refused(&outage(2, None)), Some((Exit::Failed, Reason::GatewayPlaintext)));
    assert_eq!(refused(&outage(2, Some(3))), None, "a later step ends it");
    assert_eq!(refused(&outage(1, None)), Some((Exit::Failed, Reason::WouldBreak)));
    let doubt = |step| Doubt { shown: "route a".to_owned(), step, why: "not read".into() };
    let doubts = |step| Forecast { doubts: vec![doubt(step)], ..Forecast::default() };
    assert_eq!(refused(&doubts(2)), Some((Exit::Failed, Reason::Unknown)));
    assert_eq!(refused(&doubts(1)), Some((Exit::Failed, Reason::Unknown)));
}

#[test]
fn what_a_step_lets_go_is_not_in_the_way_of_an_uninject() {
    let upstream =
        object(&kinds::UPSTREAM, "gloo-system", "cart", &json!({"kube": {}, "sslConfig": istio_ssl_config()}));
    let without =
        Change::new(upstream.clone(), vec![Edit::remove(FieldPath::keys(&["spec", "sslConfig"]))], "disabled");
    let other =
        Change::new(upstream.clone(), vec![Edit::set(FieldPath::keys(&["spec", "kube", "a"]), json!(1))], "other");
    let lets = |change| lets_go(&upstreams(MtlsWish::Disable, vec![change]), &upstream.reference);
    assert!(lets(without.clone()));
    assert!(!lets(other), "it still points at the sidecars' cluster");
    let elsewhere = ObjectRef::new(&kinds::UPSTREAM, "gloo-system", "other");
    assert!(!lets_go(&upstreams(MtlsWish::Disable, vec![without]), &elsewhere));
    let settings = ObjectRef::new(&kinds::SETTINGS, "gloo-system", "default");
    let release = |turn| {
        let values = StepAct::Values(crate::options::UpgradeValues::of_release(
            None,
            None::<PathBuf>,
            crate::render::diff::Secrets::Masked,
        ));
        PlannedStep { effects: vec![Effect::AutoMtls(turn)], ..planned("helm", values, Vec::new()) }
    };
    assert!(lets_go(&release(Turn::Off), &settings), "the release's own Settings go with its values");
    assert!(!lets_go(&release(Turn::On), &settings));
}

#[test]
fn the_plan_says_what_each_step_changes_and_what_restarts() {
    let deployment = object(&kinds::DEPLOYMENT, "shop", "cart", &json!({}));
    let alone = Change::new(deployment.clone(), vec![restart("now")], "restarted (no sidecar -> 1-28)");
    let with_more = Change::new(
        deployment.clone(),
        vec![Edit::set(FieldPath::keys(&["spec", "a"]), json!(1)), restart("now")],
        "patched",
    );
    let already = Change::new(deployment, Vec::new(), "unchanged");
    let lines = |change| shown::lines(1, &upstreams(MtlsWish::Enable, vec![change]));
    assert_eq!(lines(alone)[1].trim(), "deployment/cart restarted (no sidecar -> 1-28)");
    assert_eq!(lines(with_more.clone())[1].trim(), "deployment/cart patched, restarted");
    assert_eq!(lines(already.clone()).len(), 1, "what is as asked has no line of its own and nothing to undo");
    let amount = shown::amount(&[upstreams(MtlsWish::Enable, vec![with_more, already])]);
    assert_eq!(amount, "1 object, restarts 1 workload");
}

#[test]
fn where_a_step_fails_the_exit_code_and_the_text_say_what_stands() {
    let changed = || {
        let upstream = object(&kinds::UPSTREAM, "gloo-system", "cart", &json!({"kube": {}}));
        vec![Change::new(upstream, vec![Edit::set(FieldPath::keys(&["spec", "a"]), json!(1))], "enabled")]
    };
    let plan = [upstreams(MtlsWish::Enable, changed()), upstreams(MtlsWish::Enable, changed())];
    let failure = Failure::new(Exit::Failed, Reason::Rollout, "no");
    let stopped = |failed, state: StepEnd| {
        let failure = super::stopped::stopped(gloo_rs("istio teardown"), &plan, failed, failure.clone(), &state);
        let goes_back = failure.hints.iter().any(|hint| hint.to_string().contains("istio teardown"));
        (failure.exit, failure.details.concat(), goes_back)
    };
    let own = |stands| StepEnd::Own(stands);
    assert_eq!(stopped(0, own(Stands::Nothing)), (Exit::Failed, "step 1 changed nothing".to_owned(), false));
    let earlier = "step 2 changed nothing; step 1 remains in place".to_owned();
    assert_eq!(stopped(1, own(Stands::Nothing)), (Exit::Failed, earlier, true));
    assert_eq!(stopped(0, own(Stands::RolledBack)).0, Exit::RolledBack);
    assert_eq!(stopped(0, own(Stands::HalfDone)).0, Exit::HalfDone);
    assert_eq!(stopped(0, own(Stands::Part)), (Exit::Failed, "step 1 is partly applied".to_owned(), true));
    let wrong = |is_all_back| StepEnd::ProvenWrong { back: vec![0], is_all_back };
    let (exit, text, _) = stopped(1, wrong(true));
    assert_eq!(exit, Exit::RolledBack);
    assert!(text.contains("found step 1 not working: it is rolled back") && !text.contains("in place"), "{text}");
    assert_eq!(stopped(1, wrong(false)).0, Exit::HalfDone);
}
