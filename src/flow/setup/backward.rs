//! The steps of `istio teardown`: removes the mesh configuration that is marked as made by this program.

use super::forward::{enrolment, of_policy, switches, upstreams};
use super::policy;
use super::removal::{Left, Removal};
use super::sidecars::{self, InRelease};
use super::step::{Step, StepAct};
use crate::command::{CommandLine, gloo_rs};
use crate::error::Failure;
use crate::kube::{ApiCause, ApiError, Freshness, Query, Scope as Where, Session};
use crate::load::policies::{self, Root};
use crate::load::survey::SurveyReader;
use crate::model::{Object, ObjectRef, kinds};
use crate::options::{Enrol, Global, Marks, Named, Teardown};
use crate::plan::auto_mtls;
use crate::plan::mark::{is_noted, made_by_us, written_by_us};
use crate::plan::mtls::MtlsWish;
use crate::plan::owner::{self, Owner};
use crate::plan::peer::change::{self, PolicyScope};
use crate::plan::peer::selector;
use crate::plan::pod::{DATAPLANE_MODE, requests_ambient};
use crate::plan::policy::OtherTls;
use crate::plan::revisions::bond;
use crate::plan::settings;
use crate::plan::ssl_config::{Tls, tls_of};

/// Returns the steps, in the reverse order of setup.
///
/// # Errors
/// The current state could not be read.
pub(super) async fn steps(session: &Session, task: &Teardown, global: &Global) -> Result<Removal, Failure> {
    let marks = task.marks;
    let mut found = Removal::default();
    let release = InRelease::read(session, global.object_namespace()).await;
    of_policies(session, marks, &mut found).await?;
    of_upstreams(session, marks, &mut found).await?;
    of_settings(session, marks, global, release.as_ref(), &mut found).await?;
    of_namespaces(session, marks, &mut found).await?;
    sidecars::back(session, task, global, release.as_ref(), &mut found).await?;
    Ok(found)
}

async fn of_policies(session: &Session, marks: Marks, found: &mut Removal) -> Result<(), Failure> {
    let (kind, all) = match policies::list(session, Where::All, Freshness::Now).await {
        Ok(found) => found,
        // A cluster without Istio's CRDs has no such objects.
        Err(error) if error.cause == ApiCause::NoCrd => return Ok(()),
        Err(error) => return Err(error.into_failure(session)),
    };
    let root = policies::root(session, None).await;
    for there in &all {
        let text = |key: &str| there["metadata"][key].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let labels = selector(there);
        let scope = match &root {
            _ if !labels.is_empty() => PolicyScope::Workload { namespace: namespace.clone(), labels },
            Root::Known(root) if *root == namespace => PolicyScope::Mesh,
            _ => PolicyScope::Namespace(namespace.clone()),
        };
        let changed = written_by_us(there, &["f:spec", "f:mtls"]);
        let left = || {
            let note = if changed { "; gloo-rs changed it, its previous content is unknown" } else { "" };
            let command = scope.typed(gloo_rs("istio peer-auth remove")).fixed("--overwrite");
            Left::new(&format!("PeerAuthentication {namespace}/{name}: not made by gloo-rs{note}"), command)
        };
        if !found.sort(marks, made_by_us(there), left) {
            continue;
        }
        let foreign = if marks == Marks::Ignored { OtherTls::Replace } else { OtherTls::Keep };
        let undone_by = policy::made_again(there, kind, &scope);
        found.steps.push(Step {
            word: "policy",
            what: format!("PeerAuthentication {namespace}/{name}"),
            act: of_policy(scope, change::PolicyWish::Remove, foreign),
            undone_by,
            namespace: None,
        });
    }
    Ok(())
}

async fn of_upstreams(session: &Session, marks: Marks, found: &mut Removal) -> Result<(), Failure> {
    let all = list(session, &kinds::UPSTREAM).await?;
    let mut names = Vec::new();
    for upstream in all.iter().filter(|upstream| matches!(tls_of(&upstream.value), Tls::Istio(_))) {
        let place = format!("{}/{}", upstream.reference.namespace, upstream.reference.name);
        let is_ours = written_by_us(&upstream.value, &["f:spec", "f:sslConfig"]);
        if found.sort(marks, is_ours, || {
            let ObjectRef { namespace, name, .. } = &upstream.reference;
            let command = gloo_rs("istio disable-mtls").with("-n", namespace).with("-u", name);
            Left::new(&format!("Upstream {place}: its sslConfig was not written by gloo-rs"), command)
        }) {
            let namespace = Some(upstream.reference.namespace.clone());
            names.push(Named { namespace, name: upstream.reference.name.clone() });
        }
    }
    if !names.is_empty() {
        let shown: Vec<_> =
            names.iter().map(|it| format!("{}/{}", it.namespace.as_deref().unwrap_or_default(), it.name)).collect();
        let shown = shown.join(",");
        found.steps.push(Step {
            word: "upstream",
            what: shown.clone(),
            act: upstreams(MtlsWish::Disable, names),
            undone_by: gloo_rs("istio enable-mtls").with("-u", shown).into(),
            namespace: None,
        });
    }
    Ok(())
}

async fn of_settings(
    session: &Session,
    marks: Marks,
    global: &Global,
    release: Option<&InRelease>,
    found: &mut Removal,
) -> Result<(), Failure> {
    let survey = SurveyReader::new(session, global);
    let namespace = survey.gloo_namespace().await;
    let settings = match session.get(&kinds::SETTINGS, namespace, "default").await {
        Ok(settings) => settings,
        Err(error) if matches!(error.cause, ApiCause::NotFound | ApiCause::NoCrd) => return Ok(()),
        Err(error) => return Err(error.into_failure(session)),
    };
    let on = settings::switches(&settings);
    if !on.auto_mtls {
        return Ok(());
    }
    let is_ours = written_by_us(&settings, &["f:spec", "f:gloo", "f:istioOptions"]);
    // What the values of the release turned on is removed with them.
    let goes_with_release = release.is_some_and(|release| release.goes(marks));
    if !is_ours && goes_with_release && matches!(owner::find(&settings), Some(Owner::Helm { .. })) {
        return Ok(());
    }
    if found.sort(marks, is_ours, || {
        let what = format!("Settings {namespace}/default: auto-mTLS was not turned on by gloo-rs");
        Left::new(&what, gloo_rs("istio auto-mtls disable"))
    }) {
        found.steps.push(switches(auto_mtls::AutoMtlsWish::Disable));
    }
    Ok(())
}

async fn of_namespaces(session: &Session, marks: Marks, found: &mut Removal) -> Result<(), Failure> {
    for namespace in list(session, &kinds::NAMESPACE).await? {
        let name = namespace.reference.name.clone();
        let Some((label, again)) = binding(&namespace) else { continue };
        let is_ours = written_by_us(&namespace.value, &["f:metadata", "f:labels", &format!("f:{label}")]);
        let left = || {
            let who = match is_noted(&namespace.value) {
                true => format!("{label} was not set by gloo-rs"),
                false => format!("who set {label} is not recorded"),
            };
            Left::new(&format!("namespace {name}: {who}"), gloo_rs("istio unenroll").value(&name))
        };
        if found.sort(marks, is_ours, left) {
            found.steps.push(Step {
                word: "unenroll",
                what: format!("namespace {name}"),
                act: StepAct::Enrolment(enrolment(Enrol::Out, &name)),
                undone_by: again.into(),
                namespace: None,
            });
        }
    }
    Ok(())
}

/// The label that puts the namespace into the mesh, and the command that sets it again.
fn binding(namespace: &Object) -> Option<(String, CommandLine)> {
    let name = &namespace.reference.name;
    if let Some((label, revision)) = bond(&namespace.value) {
        let label = label.split('=').next().unwrap_or_default().to_owned();
        return Some((label, gloo_rs("istio enroll").value(name).with("--revision", revision)));
    }
    let again = gloo_rs("istio enroll --ambient").value(name);
    requests_ambient(&namespace.value).then(|| (DATAPLANE_MODE.to_owned(), again))
}

async fn list(session: &Session, kind: &'static crate::model::Kind) -> Result<Vec<Object>, Failure> {
    match session.list_all(kind, Where::All, Query::default()).await {
        Ok(all) => Ok(all.into_iter().map(|value| Object::new(kind, value)).collect()),
        Err(ApiError { cause: ApiCause::NoCrd, .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into_failure(session)),
    }
}
