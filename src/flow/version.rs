//! `version`: prints the versions of the client and the server. A server that does not answer is no failure.

use super::report::Report;
use crate::build::BUILD;
use crate::error::Failure;
use crate::flow::session;
use crate::kube::{Query, Scope, Session};
use crate::model::kinds;
use crate::options::{Format, GLOO_SYSTEM, Global};
use crate::plan::advice::{Advice, Code};
use crate::plan::server;
use crate::render::version::{self, ServerSide, Versions};

/// Prints what this program was built from. Reads nothing.
pub(super) fn client(format: Format, report: &mut Report<'_>) {
    say(&Versions { client: BUILD, server: None }, format, report);
}

/// Prints the versions of client and server.
///
/// # Errors
/// Never fails. What could not be read is reported as advice.
pub(super) async fn all(global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let namespace = global.gloo_namespace.as_deref().or(global.namespace.as_deref()).unwrap_or(GLOO_SYSTEM);
    let side = match session::open(global, report).await {
        Ok(session) => ask(&session, namespace).await,
        Err(failure) => ServerSide { gloo: Err(failure.message.clone()), cluster: Err(failure.message) },
    };
    let mut unknown: Vec<&String> = side.gloo.as_ref().err().into_iter().chain(side.cluster.as_ref().err()).collect();
    unknown.dedup();
    if !unknown.is_empty() {
        let why: Vec<&str> = unknown.into_iter().map(String::as_str).collect();
        report.advice(Advice::note(Code::NoServer, format!("server version unknown: {}", why.join("; "))));
    }
    say(&Versions { client: BUILD, server: Some(side) }, global.format, report);
    Ok(())
}

async fn ask(session: &Session, namespace: &str) -> ServerSide {
    let query = Query::labelled(server::GLOO_LABEL);
    let deployments = session.list_all(&kinds::DEPLOYMENT, Scope::Namespace(namespace), query);
    let (deployments, cluster) = futures_util::future::join(deployments, session.version()).await;
    let gloo = deployments.map_err(|error| error.into_failure(session).message).and_then(|deployments| {
        server::of_deployments(&deployments, namespace).ok_or_else(|| format!("no Gloo in namespace {namespace}"))
    });
    ServerSide { gloo, cluster: cluster.map_err(|error| error.into_failure(session).message) }
}

fn say(versions: &Versions, format: Format, report: &mut Report<'_>) {
    match format {
        Format::Table => version::table(versions).iter().for_each(|line| report.line(line)),
        _ => report.value(&version::value(versions)),
    }
}
