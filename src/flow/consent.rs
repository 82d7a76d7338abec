//! Asking before what is risky.

use super::report::Report;
use crate::error::{Exit, Failure, Reason};
use crate::options::{Consent, Global};

/// Asks on the terminal whether to go on with `risks`; nothing risky is not asked about.
///
/// # Errors
/// Nobody said yes: usage, exit 2, and nothing was changed.
pub fn ask(act: &str, risks: &[String], place: &str, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    if risks.is_empty() || global.consent == Consent::Given {
        return Ok(());
    }
    let what = format!("{act} {}", risks.join(" and "));
    let not_confirmed = |message: String| Failure::new(Exit::Usage, Reason::NotConfirmed, message);
    match report.ui.confirm(&format!("{what}, in {place}. Go on?")) {
        Some(true) => Ok(()),
        Some(false) => Err(not_confirmed("not confirmed; nothing changed".to_owned()).hint("--yes does not ask")),
        None => Err(not_confirmed(format!("{what}: --yes is needed where nobody can be asked"))
            .detail(format!("nothing changed in {place}"))
            .hint("--dry-run and --diff show what would change")),
    }
}
