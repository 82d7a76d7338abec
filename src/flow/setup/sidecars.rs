//! The sidecar steps of a teardown. The sidecars are removed with the means that added them.

use super::forward::{of_chart, sidecars, unless_usual};
use super::gateway::{absent, name_of};
use super::removal::{Left, Removal};
use super::step::{Step, StepAct};
use crate::command::{CommandLine, gloo_rs};
use crate::error::{Failure, Reason};
use crate::flow::again;
use crate::flow::execute::short;
use crate::kube::Session;
use crate::load::{gateway_parameters, gateways, istio, release, release_chart};
use crate::options::{Global, Injection, Marks, PodsOf, Proxies, Teardown, UpgradeValues, UpstreamsTask};
use crate::plan::gateway_parameters::{GatewayParameters, Keeper};
use crate::plan::istiod::{Istiod, choose};
use crate::plan::mark::{self, injected_by_us, written_by_us};
use crate::plan::owner::{self, Owner};
use crate::plan::policy::Caution;
use crate::plan::sidecars::state::{Extent, state};
use crate::plan::sidecars::{GatewayProxy, current_address};
use crate::text::GatewayName;

/// Istio's values in the release of Gloo.
pub(super) struct InRelease {
    is_ours: bool,
    has_auto_mtls: bool,
}

impl InRelease {
    /// Reads the values. `None` if no release has them.
    pub(super) async fn read(session: &Session, namespace: &str) -> Option<Self> {
        Self::named(session, namespace, None).await.ok()?
    }

    /// Reads the values of a release. `None` if they are not Istio's.
    ///
    /// # Errors
    /// The release could not be read.
    async fn named(session: &Session, namespace: &str, name: Option<&str>) -> Result<Option<Self>, Failure> {
        let found = release::find(session, namespace, name, None).await?;
        let values = &found.record.values;
        let Some(chart) = release_chart::chart(&found.record).filter(|chart| chart.has_istio(values)) else {
            return Ok(None);
        };
        let has_auto_mtls = chart.has_auto_mtls(values);
        let first = release::began(session, namespace, &found, |it| chart.has_istio(it)).await;
        Ok(Some(Self { is_ours: first.description == mark::RELEASE, has_auto_mtls }))
    }

    /// Whether they are removed.
    pub(super) fn goes(&self, marks: Marks) -> bool {
        self.is_ours || marks == Marks::Ignored
    }
}

/// Finds the steps for every gateway that has a sidecar or a part of one.
///
/// If the release has the values, the Helm step comes first, even for gateways injected before: its values contain
/// auto-mTLS, which needs the sidecars, and Helm would add them again. What an injection added outside of the release
/// is removed afterwards.
///
/// # Errors
/// The namespace from the command line has no gateway.
pub(super) async fn back(
    session: &Session,
    task: &Teardown,
    global: &Global,
    release: Option<&InRelease>,
    found: &mut Removal,
) -> Result<(), Failure> {
    let namespace = global.object_namespace();
    let of_api = gateway_parameters::of_installation(session, namespace, global).await;
    let mut proxies = match gateways::find(session, namespace, &Proxies::All).await {
        Ok(proxies) => proxies,
        // An installation may have only gateways of the Gateway API.
        Err(failure) if failure.reason == Reason::NotFound && matches!(of_api, Ok(Some(_))) => Vec::new(),
        // With `-n`, the gateway must be there.
        Err(failure) if global.namespace.is_some() => return Err(absent(session, namespace, failure).await),
        Err(failure) => {
            found.left.push(format!("the gateway: {}", failure.message).into());
            return Ok(());
        }
    };
    proxies.retain(|proxy| !state(proxy).is_ok_and(|state| state.extent() == Extent::Clean));
    let has_api = matches!(&of_api, Ok(Some((_, found))) if found.home().has_sidecars());
    let istiods = match proxies.is_empty() && !has_api {
        true => Vec::new(),
        false => istio::istiods(session, None).await.unwrap_or_default(),
    };
    let (mut by_helm, mut by_uninject) = (None, Vec::new());
    for proxy in &proxies {
        let workload = &proxy.workload;
        let is_injected = injected_by_us(&workload.value);
        let release = release.filter(|_| matches!(owner::find(&workload.value), Some(Owner::Helm { .. })));
        let (is_ours, command) = match release {
            Some(release) => (release.is_ours, gloo_rs("upgrade-values --remove --apply")),
            None => {
                (is_injected, unless_usual(gloo_rs("istio uninject"), &PodsOf::Named(name_of(&workload.reference))))
            }
        };
        let shown = short(&workload.reference);
        let left = || {
            let what = format!("{shown}: its sidecars were not added by gloo-rs");
            Left::new(&what, again::scoped(command, global))
        };
        if !found.sort(task.marks, is_ours, left) {
            continue;
        }
        let istiod = current_address(proxy).map(|address| istiod(address, &istiods));
        let what = match release {
            Some(_) => format!("what remains of the injection in {shown}"),
            None => shown,
        };
        if release.is_none() || is_injected {
            by_uninject.push(uninject(what, proxy, istiod.as_ref()));
        }
        if let Some(release) = release {
            // One upgrade is for all gateways of the release.
            by_helm.get_or_insert_with(|| helm(task, None, release, istiod.as_ref()));
        }
    }
    match of_api {
        Ok(Some(of_api)) if has_api => match of_api.1.keeper() {
            Ok(Keeper::Objects) => by_uninject.extend(of_gateway(&of_api, &istiods, task, global, found)),
            // The upgrade is for all gateways of the release.
            Ok(Keeper::Release { .. }) if by_helm.is_some() => {}
            Ok(Keeper::Release { namespace, name }) => {
                let istiod = of_api.1.address().map(|address| istiod(address, &istiods));
                by_helm = of_release(session, (namespace, &name), istiod.as_ref(), task, found).await;
            }
            Err(why) => found.left.push(format!("Gateway {}: {}", of_api.0.as_str(), why.message).into()),
        },
        Ok(_) => {}
        Err(why) => found.left.push(format!("the gateways of the Gateway API: {why}").into()),
    }
    found.steps.extend(by_helm.into_iter().chain(by_uninject));
    Ok(())
}

/// The step that removes Istio's values from a release. `None` if it is skipped.
async fn of_release(
    session: &Session,
    (namespace, name): (String, &str),
    istiod: Option<&(&'static str, String)>,
    task: &Teardown,
    found: &mut Removal,
) -> Option<Step> {
    let what = format!("Helm release {namespace}/{name}");
    match InRelease::named(session, &namespace, Some(name)).await {
        Ok(Some(release)) => {
            let left = || {
                let command = gloo_rs("upgrade-values --remove --apply").of_installation(&namespace);
                let command = command.with("--release", name);
                Left::new(&format!("{what}: its values for Istio were not added by gloo-rs"), command)
            };
            if !found.sort(task.marks, release.is_ours, left) {
                return None;
            }
            Some(Step { namespace: Some(namespace), ..helm(task, Some(name.to_owned()), &release, istiod) })
        }
        Ok(None) => {
            found.left.push(format!("{what}: it has no values for Istio, and its gateways have sidecars").into());
            None
        }
        Err(why) => {
            found.left.push(format!("{what}: {}", why.message).into());
            None
        }
    }
}

/// The flag that selects the istiod of a gateway again.
fn istiod(address: String, istiods: &[Istiod]) -> (&'static str, String) {
    let chosen = choose(istiods, None, Some(&address)).ok();
    match chosen.and_then(|choice| choice.tag.or(choice.istiod.map(|istiod| istiod.revision))) {
        Some(revision) => ("--revision", revision),
        None => ("--istio-discovery-address", address),
    }
}

/// The step that removes Istio's values from the release of this name, or from the one of Gloo.
fn helm(task: &Teardown, name: Option<String>, release: &InRelease, istiod: Option<&(&'static str, String)>) -> Step {
    let auto_mtls = if release.has_auto_mtls { "--auto-mtls --apply" } else { "--apply" };
    let undo = with(gloo_rs("upgrade-values"), istiod).fixed(auto_mtls);
    Step {
        word: "helm",
        what: "the values of Gloo's release".to_owned(),
        act: StepAct::Values(UpgradeValues::of_release(name, task.chart.clone(), task.secrets)),
        undone_by: of_chart(undo, task.chart.as_deref()).into(),
        namespace: None,
    }
}

fn with(command: CommandLine, istiod: Option<&(&'static str, String)>) -> CommandLine {
    match istiod {
        Some((flag, value)) => command.with(flag, value),
        None => command,
    }
}

/// The step that removes the sidecars of a Gateway, and of all others of its installation. `None` if it is skipped.
fn of_gateway(
    (name, parameters): &(GatewayName, GatewayParameters),
    istiods: &[Istiod],
    task: &Teardown,
    global: &Global,
    found: &mut Removal,
) -> Option<Step> {
    let act = Injection::Uninject { upstreams: UpstreamsTask::Left, caution: Caution::Careful };
    let istiod = parameters.address().map(|address| istiod(address, istiods));
    let pods = PodsOf::Gateway(name.clone());
    let step = Step {
        word: "uninject",
        what: format!("Gateway {}", name.as_str()),
        undone_by: with(unless_usual(gloo_rs("istio inject"), &pods), istiod.as_ref()).into(),
        act: StepAct::Sidecars(sidecars(act, pods.clone())),
        namespace: Some(parameters.gateway.reference.namespace.clone()),
    };
    let is_ours =
        written_by_us(&parameters.settings.value, &["f:spec", "f:gloo", "f:istioOptions", "f:enableIntegration"]);
    let left = || {
        let what = format!("{}: its sidecars were not added by gloo-rs", step.what);
        Left::new(&what, again::scoped(unless_usual(gloo_rs("istio uninject"), &pods), &step.within(global)))
    };
    found.sort(task.marks, is_ours, left).then_some(step)
}

fn uninject(what: String, proxy: &GatewayProxy, istiod: Option<&(&'static str, String)>) -> Step {
    let act = Injection::Uninject { upstreams: UpstreamsTask::Left, caution: Caution::Careful };
    let name = PodsOf::Named(name_of(&proxy.workload.reference));
    Step {
        word: "uninject",
        what,
        undone_by: with(unless_usual(gloo_rs("istio inject"), &name), istiod).into(),
        act: StepAct::Sidecars(sidecars(act, name)),
        namespace: None,
    }
}
