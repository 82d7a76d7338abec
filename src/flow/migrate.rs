//! `istio auto-mtls migrate`: reads which installations of Gloo there are, then changes Upstreams one by one.

use super::live;
use super::report::Report;
use super::session::{block_on, open};
use crate::command::gloo_rs;
use crate::error::Failure;
use crate::kube::{Query, Scope, Session};
use crate::load::survey::SurveyReader;
use crate::load::unread::unread;
use crate::model::{Object, kinds};
use crate::options::{Global, ObjectsTask};
use crate::plan::Unread;
use crate::plan::advice::{Advice, Code};
use crate::plan::gateway::AutoMtls;
use crate::plan::migrate::{Migration, OtherGloo};
use crate::plan::policy::Caution;

/// Migrates the selected Upstreams.
///
/// # Errors
/// The run failed before its first object. The results of single objects are in the report.
pub(super) fn run(
    caution: Caution,
    task: &ObjectsTask,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    block_on(&report.interrupts(), async {
        let session = open(global, report).await?;
        let survey = SurveyReader::new(&session, global);
        let (gloo, others) = report
            .interrupts()
            .until_signal(async {
                let gloo = survey.gloo_namespace().await.to_owned();
                let others = others(&session, &gloo).await;
                Ok((gloo, others))
            })
            .await?;
        let plan = Migration { caution, gloo, others };
        live::edit(&session, &plan, task, global, report).await?;
        if survey.auto_mtls().await == Ok(AutoMtls::Off) {
            let enable = gloo_rs("istio auto-mtls enable").of_installation(&plan.gloo);
            let what = "auto-mTLS is off in Settings, so every sslConfig stays and only opt-outs are made";
            let hint =
                enable.after("next: ").text(", then the same command again; --dry-run shows what it does to others");
            report.advice(Advice::note(Code::NoEffect, what).hint(hint));
        }
        Ok(())
    })
}

/// The other installations of Gloo.
///
/// # Errors
/// Why they are unknown.
async fn others(session: &Session, gloo: &str) -> Result<Vec<OtherGloo>, Unread> {
    match session.list_all(&kinds::SETTINGS, Scope::All, Query::default()).await {
        Ok(all) => {
            let settings = all.into_iter().map(|settings| Object::new(&kinds::SETTINGS, settings));
            Ok(OtherGloo::read(settings.collect(), gloo))
        }
        Err(error) => Err(unread(session, error)),
    }
}
