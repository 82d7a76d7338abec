//! Sets log levels for the duration of a run, and builds the command that resets them if the run cannot.

use futures_util::future::join_all;

use super::ProxyPodsSession;
use crate::apply::log_levels::{self, Back};
use crate::command::{Hint, kubectl, quoted};
use crate::envoy::levels::{LevelWish, Levels};
use crate::error::{Exit, Failure, Reason};
use crate::flow::interrupt::{Signals, interrupted};
use crate::flow::report::Report;
use crate::plan::advice::{Advice, Code};
use crate::plan::proxy_pods::ProxyPod;

/// The pods whose levels may differ from what they were before.
#[derive(Default)]
pub(super) struct Raised(Vec<(ProxyPod, Levels)>);

impl Raised {
    /// Sets the levels of every pod's Envoy. After any result,
    /// [`Self::put_back`] resets all levels that may have changed.
    ///
    /// # Errors
    /// Levels that cannot be read or set.
    pub(super) async fn raise(
        &mut self,
        inside: &ProxyPodsSession,
        wish: &LevelWish,
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        // All levels are read and compared with the wish before the first is set.
        let mut all = Vec::new();
        for pod in &inside.pods {
            let now = log_levels::read(&inside.session, pod).await?;
            now.requests(wish)?;
            all.push((pod, now));
        }
        for (pod, now) in all {
            if now.are(wish) {
                let message = format!("pod {}: its log levels are already set and will not be reset", pod.name);
                report.advice(Advice::note(Code::NoEffect, message).hint("somebody else may be using these levels"));
                continue;
            }
            report.ui.status(format!("pod {}: log levels {wish}, were {}", pod.name, now.shown()));
            self.0.push((pod.clone(), now.clone()));
            log_levels::set(&inside.session, pod, &now, wish).await?;
        }
        Ok(())
    }

    /// Resets the levels of all pods. A further Ctrl-C ends the wait.
    ///
    /// # Errors
    /// Which levels were not reset, with the commands that reset them.
    pub(super) async fn put_back(
        self,
        inside: &ProxyPodsSession,
        signals: &mut Signals,
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        let each = self.0.iter().map(|(pod, before)| log_levels::put_back(&inside.session, pod, before));
        let ends = tokio::select! {
            biased;
            () = signals.next() => {
                vec![Back::Failed(interrupted()); self.0.len()]
            }
            ends = join_all(each) => ends,
        };
        let mut left = Vec::new();
        for ((pod, before), end) in self.0.iter().zip(ends) {
            match end {
                Back::Done => report.ui.status(format!("pod {}: log levels reset to {}", pod.name, before.shown())),
                Back::Gone => {
                    report.ui.status(format!("pod {} no longer exists, so there are no log levels to reset", pod.name));
                }
                Back::Failed(failure) => left.push((pod, before, failure)),
            }
        }
        if left.is_empty() { Ok(()) } else { Err(not_back(&left)) }
    }
}

fn not_back(left: &[(&ProxyPod, &Levels, Failure)]) -> Failure {
    let pods: Vec<_> = left.iter().map(|(pod, ..)| format!("pod {}/{}", pod.namespace, pod.name)).collect();
    let message = format!("log levels were not reset: {}", pods.join(", "));
    let mut failure = Failure::new(Exit::HalfDone, Reason::HalfDone, message);
    for (pod, before, why) in left {
        failure.details.push(format!("{}: {}; they were {}", pod.name, why.message, before.shown()));
        failure.hints.extend(by_hand(pod, before));
    }
    failure
}

/// The two shell commands that reset the levels.
fn by_hand(pod: &ProxyPod, before: &Levels) -> [Hint; 2] {
    let ProxyPod { namespace, name, admin_port, .. } = pod;
    let forward = kubectl("port-forward").with("-n", namespace).value(format!("pod/{name}"));
    let url = format!("http://127.0.0.1:{admin_port}{}", before.back());
    [forward.value(admin_port.to_string()).into(), format!("curl -X POST {}", quoted(&url)).into()]
}
