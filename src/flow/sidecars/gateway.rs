//! `inject --gateway` and `uninject --gateway`: change what Gloo's controller makes the proxy of a Gateway from, in the
//! release that has it, or in the objects themselves.

use serde_json::Value;

use super::SidecarsPlan;
use super::injection::{flags_of, known};
use super::removal::{against, release};
use crate::command::gloo_rs;
use crate::error::Failure;
use crate::flow::execute::{Planned, short, unverified};
use crate::flow::guard::{self, Harms};
use crate::flow::notes::Notes;
use crate::flow::report::Report;
use crate::flow::values;
use crate::kube::Session;
use crate::load::survey::SurveyReader;
use crate::load::{dangling, gateway_parameters, harm, istio};
use crate::model::{Object, ObjectRef, kinds};
use crate::options::{
    DryRunMode, Global, Injection, IstioWish, Rollouts, SettingsSwitches, Sidecars, UpgradeValues, UpstreamsTask,
    ValuesAct,
};
use crate::plan::advice::{Advice, Code};
use crate::plan::change::{Awaited, AwaitedSidecars, Change, Settle};
use crate::plan::gateway_parameters::{GatewayParameters, Keeper, spec_of_istio};
use crate::plan::outcome::{Outcome, Row};
use crate::plan::owner::{self, Owner};
use crate::plan::path::effect::{Effect, Turn};
use crate::plan::policy::Caution;
use crate::plan::rollout;
use crate::plan::values::{ParametersPlan, Switch, ValuesWish};
use crate::render;
use crate::text::GatewayName;
use crate::verify::controller;

/// How the sidecars of a Gateway are changed.
pub(super) enum GatewayPlan {
    /// By a new revision of the Helm release that has the parameters.
    Release { namespace: String, name: String },
    /// By the objects themselves.
    Objects(Planned<SidecarsPlan>),
}

/// Plans the proxy of a Gateway, and those of all Gateways with the same parameters.
///
/// # Errors
/// The Gateway is not one of Gloo's, no istiod can be selected, something would still refer to the sidecars, or could not
/// be read.
pub(super) async fn plan(
    session: &Session,
    gateway: &GatewayName,
    task: &Sidecars,
    global: &Global,
    notes: &mut dyn Notes,
) -> Result<GatewayPlan, Failure> {
    let found = gateway_parameters::read(session, global, gateway).await?;
    match found.keeper() {
        Ok(Keeper::Release { namespace, name }) => {
            let release = format!("Helm release {namespace}/{name}");
            by_hand(task, &release)?;
            notes.status(&format!("{} is of {release}: its values are changed", short(&found.of_class.reference)));
            found.risk().iter().for_each(|risk| notes.status(&format!("this changes {risk}")));
            Ok(GatewayPlan::Release { namespace, name })
        }
        Ok(Keeper::Objects) => {
            let plan = Box::pin(of_objects(session, (gateway, &found), task, global, notes)).await?;
            Ok(GatewayPlan::Objects(Ok(plan)))
        }
        Err(why) => Ok(GatewayPlan::Objects(Err(vec![Row::left(found.gateway.reference, Outcome::Refused, why)]))),
    }
}

/// Refuses flags that a change of a release's values cannot follow.
///
/// # Errors
/// The first such flag.
fn by_hand(task: &Sidecars, release: &str) -> Result<(), Failure> {
    let refused = |flag: &str| Failure::usage(format!("{flag}: not possible, because {release} has the sidecars"));
    if matches!(task.act, Injection::Uninject { upstreams: UpstreamsTask::Included, .. }) {
        let first = gloo_rs("istio disable-mtls --all").after("turn off mTLS of the Upstreams first: ");
        return Err(refused("--include-upstreams").hint(first));
    }
    if task.rollouts == Rollouts::NoWait {
        return Err(refused("--no-wait").hint("leave it out: the rollout is waited for"));
    }
    if task.preview.dry_run == Some(DryRunMode::Server) {
        return Err(refused("--dry-run=server").hint("--dry-run shows the values"));
    }
    Ok(())
}

/// Changes the values of a release, as `upgrade-values --apply` does with the same flags.
///
/// # Errors
/// The values could not be merged, requests would get 503s, or the upgrade failed.
pub(super) async fn by_release(
    session: &Session,
    (namespace, name): (String, &str),
    task: &Sidecars,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let global = Global { namespace: Some(namespace), ..global.clone() };
    let values = of_release(task, name);
    Box::pin(values::upgrade(session, &values, task.preview, &global, report)).await?;
    if !task.preview.is_on() {
        report.line(task.act.success());
    }
    Ok(())
}

/// The task of `upgrade-values --apply` with the same flags. The values have one switch for the sidecars of all gateways,
/// so each of them gets its address.
fn of_release(task: &Sidecars, name: &str) -> UpgradeValues {
    let (act, istio, auto_mtls, caution) = match &task.act {
        Injection::Inject { istio, auto_mtls, .. } => {
            (ValuesAct::Merge, istio.clone(), switch(*auto_mtls), Caution::Careful)
        }
        Injection::Uninject { caution, .. } => (ValuesAct::Remove, IstioWish::default(), Switch::Kept, *caution),
    };
    UpgradeValues {
        act,
        wish: ValuesWish { auto_mtls, ..ValuesWish::default() },
        istio,
        caution,
        diff: task.preview.diff,
        check: task.preview.check,
        ..UpgradeValues::of_release(Some(name.to_owned()), task.chart.clone(), task.secrets)
    }
}

fn switch(auto_mtls: SettingsSwitches) -> Switch {
    match auto_mtls {
        SettingsSwitches::On => Switch::On,
        SettingsSwitches::Alone => Switch::Kept,
    }
}

async fn of_objects(
    session: &Session,
    (name, found): (&GatewayName, &GatewayParameters),
    task: &Sidecars,
    global: &Global,
    notes: &mut dyn Notes,
) -> Result<SidecarsPlan, Failure> {
    let workload = gateway_parameters::workload(session, &found.gateway.reference, name).await?;
    let (plan, first) = match &task.act {
        Injection::Inject { auto_mtls, .. } => (injection(session, found, task, *auto_mtls, notes).await?, Vec::new()),
        Injection::Uninject { upstreams, caution } => {
            removal(session, found, (*upstreams, *caution), global, notes).await?
        }
    };
    plan.istiod.iter().for_each(|line| notes.status(line));
    for line in render::values::changes(&plan.fields, 0, task.secrets) {
        notes.status(&line);
    }
    notes.advices(plan.advice.iter().cloned());
    for change in plan.changes.iter().filter(|change| !change.is_already()) {
        notes.advices(owner::find(&change.before.value).map(|owner| on_owner(&change.before.reference, &owner)));
    }
    let of_objects = settled(plan.changes, &workload, found, task, notes);
    let is_changed = of_objects.iter().any(|change| !change.is_already());
    Ok(SidecarsPlan {
        gateways: if is_changed { workloads(found) } else { Vec::new() },
        changes: first.into_iter().chain(of_objects).collect(),
        risks: found.risk().into_iter().collect(),
        ..SidecarsPlan::default()
    })
}

async fn injection(
    session: &Session,
    found: &GatewayParameters,
    task: &Sidecars,
    auto_mtls: SettingsSwitches,
    notes: &mut dyn Notes,
) -> Result<ParametersPlan, Failure> {
    let (Injection::Inject { istio: wish, .. }, Some(flags)) = (&task.act, flags_of(&task.act)) else {
        return Ok(ParametersPlan::default());
    };
    let home = found.home();
    let istiods = istio::istiods(session, wish.namespace.as_deref()).await;
    let istiods = match home.needs_istiod(&flags)? {
        true => known(istiods, &flags, notes)?,
        false => istiods.unwrap_or_default(),
    };
    let plan = home.merge(switch(auto_mtls), &flags, &istiods)?;
    notes.advices(found.on_own(&istio_after(&plan.changes, found), &flags));
    if plan.turns_on_auto_mtls {
        notes.advices(harm::advice(session).await);
    }
    Ok(plan)
}

/// The plan of a removal, and the changes of Upstreams before it.
async fn removal(
    session: &Session,
    found: &GatewayParameters,
    (upstreams, caution): (UpstreamsTask, Caution),
    global: &Global,
    notes: &mut dyn Notes,
) -> Result<(ParametersPlan, Vec<Change>), Failure> {
    let home = found.home();
    let plan = home.remove()?;
    if plan.changes.iter().all(Change::is_already) {
        return Ok((plan, Vec::new()));
    }
    let pointing = dangling::find(session, found.installation()).await?;
    let (first, left) = release(pointing.upstreams, upstreams);
    let left: Vec<_> = left.into_iter().chain(pointing.others).collect();
    against(&left, &pointing.hidden, upstreams, caution)?;
    let released = first.iter().map(|change| Effect::Tls(change.before.reference.clone(), Turn::Off));
    let mut effects: Vec<_> = released.chain([Effect::Certificates(workloads(found), Turn::Off)]).collect();
    effects.extend(home.has_working_auto_mtls().then_some(Effect::AutoMtls(Turn::Off)));
    let gloo_namespace = Some(found.installation().to_owned());
    let global = &Global { gloo_namespace, namespace: None, ..global.clone() };
    let survey = SurveyReader::new(session, global);
    let harms = Box::pin(Harms::read(session, &survey, &effects, None)).await?;
    match guard::unless_forced(&harms, caution, notes) {
        Some(why) => Err(why.into_failure()),
        None => Ok((plan, first)),
    }
}

/// The Deployments of all Gateways with the same parameters.
fn workloads(found: &GatewayParameters) -> Vec<ObjectRef> {
    let others = found.others.as_ref().map(Vec::as_slice).unwrap_or_default();
    let deployment = |gateway: &ObjectRef| {
        let name = GatewayName::parse(&gateway.name).ok()?;
        Some(ObjectRef::new(&kinds::DEPLOYMENT, gateway.namespace.clone(), name.proxy()))
    };
    others.iter().chain([&found.gateway.reference]).filter_map(deployment).collect()
}

/// The class's `spec.kube.istio` after the plan.
fn istio_after(changes: &[Change], found: &GatewayParameters) -> Value {
    let of_class = changes.iter().find(|change| change.before.reference == found.of_class.reference);
    let after = of_class.and_then(|change| change.after().ok());
    after.map(|after| spec_of_istio(&after).clone()).unwrap_or_default()
}

/// The changes, the last one with what Gloo's controller makes of them.
fn settled(
    mut changes: Vec<Change>,
    workload: &Object,
    found: &GatewayParameters,
    task: &Sidecars,
    notes: &mut dyn Notes,
) -> Vec<Change> {
    let istio = istio_after(&changes, found);
    let own = found.own.as_ref().map(|own| &spec_of_istio(own)["istioProxyContainer"]["image"]);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let container = &istio["istioProxyContainer"];
    let sidecars = match task.act {
        Injection::Uninject { .. } => AwaitedSidecars::Gone,
        Injection::Inject { .. } => AwaitedSidecars::There {
            address: text(&container["istioDiscoveryAddress"]),
            tag: text(&container["image"]["tag"]).filter(|_| own.is_none_or(Value::is_null)),
        },
    };
    let is_there = controller::lacks(&workload.value, &sidecars).is_none() && rollout::is_done(&workload.value);
    let last = changes.iter().rposition(|change| !change.is_already());
    if last.is_none() && is_there {
        return changes;
    }
    if task.rollouts == Rollouts::NoWait {
        notes.advice(unverified(&workload.reference));
        return changes;
    }
    if let Some(change) = last.or(changes.len().checked_sub(1)).and_then(|last| changes.get_mut(last)) {
        change.settle = Settle::Controller(Box::new(Awaited { workload: workload.clone(), sidecars }));
    }
    changes
}

/// The warning about another writer of an object.
fn on_owner(object: &ObjectRef, owner: &Owner) -> Advice {
    let what = format!("{owner} manages {object} and may undo the change");
    Advice::warning(Code::Owner, what).hint("make the same change where it comes from").about(object)
}
