//! Sends a request that must be answered over mutual TLS before the next step runs.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::command::flag;
use crate::error::{Exit, Failure, Reason};
use crate::flow::report::Report;
use crate::flow::verify;
use crate::kube::Session;
use crate::options::{Global, VerifyTask};
use crate::plan::advice::Advice;

/// Time limit for a change to take effect. Gloo and istiod send a change to the proxies within seconds.
const SETTLES: Duration = Duration::from_secs(30);
/// Time between two requests.
const PAUSE: Duration = Duration::from_millis(500);

/// Sends the request, and repeats it while the proxies may not
/// have the changes of earlier steps. Reports the last result.
///
/// # Errors
/// It could not be sent, or it was not proven to be answered over mutual TLS.
pub(super) async fn prove(
    session: &Session,
    task: &VerifyTask,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let last = Instant::now() + SETTLES.min(global.wait_timeout);
    let interrupts = report.interrupts();
    let sent = interrupts.until_signal(async {
        let mut judged = Box::pin(verify::judged(session, task, global, report)).await;
        while !judged.as_ref().is_ok_and(|judged| judged.fault().is_none()) && Instant::now() < last {
            sleep(PAUSE).await;
            // The advice was already reported for the first request.
            let mut unheard: Vec<Advice> = Vec::new();
            judged = Box::pin(verify::judged(session, task, global, &mut unheard)).await;
        }
        judged
    });
    let judged = Box::pin(sent).await.map_err(unsent)?;
    judged.say(report);
    match judged.fault() {
        None => Ok(()),
        Some(fault) => {
            let reason = if judged.blames_tls() { Reason::Unproven } else { Reason::UnexpectedAnswer };
            Err(Failure::new(Exit::Unconfirmed, reason, fault))
        }
    }
}

/// Why a request cannot be sent, with the flag that skips it.
pub(super) fn unsent(why: Failure) -> Failure {
    let around = flag("--no-verify").text(" skips the requests");
    if why.exit == Exit::Interrupted { why } else { why.hint(around) }
}
