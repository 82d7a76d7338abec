//! Names for shell completion, within a short time limit.

use crate::flow::session;
use std::time::Duration;

use super::interrupt::Interrupts;
use crate::error::{Exit, Failure, Reason};
use crate::kube::{self, Environment, Session};
use crate::load;
use crate::options::{Global, Names};

/// The time limit while the user waits for completion. With the start of the process, the total is below 300 ms.
const PATIENCE: Duration = Duration::from_millis(250);

/// The existing names. Empty after any error, because a shell cannot show one.
pub(crate) fn names(of: Names, global: &Global) -> Vec<String> {
    let mut global = global.clone();
    global.timeout = PATIENCE;
    let target = super::session::target(&global, Environment::of_process().without_terminal());
    if of == Names::Contexts {
        return kube::context_names(&target);
    }
    let work = async {
        let session = Session::open(&target, None).await?;
        load::names::list(&session, of, &global).await.map_err(|error| error.into_failure(&session))
    };
    let in_time = async {
        let late = |_| Failure::new(Exit::NoAnswer, Reason::Timeout, "too late for a shell");
        tokio::time::timeout(PATIENCE, work).await.map_err(late)?
    };
    session::block_on(&Interrupts::none(), in_time).unwrap_or_default()
}
