//! `version`: prints the versions of the client and the server. A server that does not answer is no failure.

use serde_json::Value;

use super::report::Report;
use crate::build::BUILD;
use crate::error::{Exit, Failure, Reason};
use crate::flow::session;
use crate::kube::{Query, Scope, Session};
use crate::model::kinds;
use crate::options::{Format, GLOO_SYSTEM, Global};
use crate::plan::advice::{Advice, Code};
use crate::plan::server::{self, InstalledGloo};
use crate::render::answer::{AnswerPart, ClusterAnswer, WholeAnswer};
use crate::render::version::{self, ServerSide, Versions};

/// Prints what this program was built from. Reads nothing.
pub(super) fn client(format: Format, report: &mut Report<'_>) {
    report.tell(answer(&Versions { client: BUILD, server: None }, format));
}

/// Prints the versions of client and server.
///
/// # Errors
/// Never fails. What could not be read is reported as advice.
pub(super) async fn all(global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let side = match session::open(global, report).await {
        Ok(session) => ask(&session, namespace(global)).await.said(),
        Err(failure) => ServerSide { gloo: Err(failure.message.clone()), cluster: Err(failure.message) },
    };
    report.tell(with_server(side, global.format));
    Ok(())
}

/// Reads the versions of one of several clusters.
///
/// # Errors
/// The cluster does not answer.
pub(super) async fn read(session: &Session, global: &Global) -> Result<ClusterAnswer, Failure> {
    let asked = ask(session, namespace(global)).await;
    match asked.cluster {
        Err(failure) if failure.exit == Exit::NoAnswer => Err(failure),
        _ => Ok(with_server(asked.said(), global.format)),
    }
}

fn namespace(global: &Global) -> &str {
    global.gloo_namespace.as_deref().or(global.namespace.as_deref()).unwrap_or(GLOO_SYSTEM)
}

/// What the cluster said about its versions.
struct Asked {
    gloo: Result<InstalledGloo, Failure>,
    cluster: Result<Value, Failure>,
}

impl Asked {
    fn said(self) -> ServerSide {
        let message = |failure: Failure| failure.message;
        ServerSide { gloo: self.gloo.map_err(message), cluster: self.cluster.map_err(message) }
    }
}

async fn ask(session: &Session, namespace: &str) -> Asked {
    let query = Query::labelled(server::GLOO_LABEL);
    let deployments = session.list_all(&kinds::DEPLOYMENT, Scope::Namespace(namespace), query);
    let (deployments, cluster) = futures_util::future::join(deployments, session.version()).await;
    let gloo = deployments.map_err(|error| error.into_failure(session)).and_then(|deployments| {
        let nothing = || Failure::new(Exit::SaidNo, Reason::NotFound, format!("no Gloo in namespace {namespace}"));
        server::of_deployments(&deployments, namespace).ok_or_else(nothing)
    });
    Asked { gloo, cluster: cluster.map_err(|error| error.into_failure(session)) }
}

fn with_server(side: ServerSide, format: Format) -> ClusterAnswer {
    let mut unknown: Vec<&String> = side.gloo.as_ref().err().into_iter().chain(side.cluster.as_ref().err()).collect();
    unknown.dedup();
    let why: Vec<&str> = unknown.into_iter().map(String::as_str).collect();
    let note = (!why.is_empty()).then(|| format!("server version unknown: {}", why.join("; ")));
    let mut answer = answer(&Versions { client: BUILD, server: Some(side) }, format);
    if let Some(note) = note {
        answer.parts.insert(0, AnswerPart::Advice(Advice::note(Code::NoServer, note)));
    }
    answer
}

fn answer(versions: &Versions, format: Format) -> ClusterAnswer {
    let mut answer = ClusterAnswer::default();
    match format {
        Format::Table => version::table(versions).iter().for_each(|line| answer.line(line)),
        _ => answer.whole = Some(WholeAnswer::Version(version::value(versions))),
    }
    answer
}
