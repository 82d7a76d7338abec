//! Asks for confirmation before risky changes.

use super::interrupt::UNTOUCHED;
use super::report::Report;
use crate::command::{Hint, flag};
use crate::error::{Exit, Failure, Reason};
use crate::options::{Consent, Global};
use crate::ui::{self, Ui};

/// Asks on the terminal whether to go on with `risks`. Without risks it does not ask.
///
/// # Errors
/// The answer was not yes (usage error, exit 2), or Ctrl-C was pressed. Nothing was changed.
pub(super) async fn ask(
    act: &str,
    risks: &[String],
    place: &str,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    if risks.is_empty() || global.consent == Consent::Given {
        return Ok(());
    }
    let what = format!("{act} {}", risks.join(" and "));
    let not_confirmed = |message: String| Failure::new(Exit::Usage, Reason::NotConfirmed, message);
    if !report.ui.ask(&format!("{what}, in {place}. Continue?")) {
        let failure = not_confirmed(format!("{what}: --yes is required when no prompt is possible"))
            .detail(format!("nothing changed in {place}"));
        // `upgrade-values --apply` takes neither.
        let shows = match report.takes("--dry-run") {
            true => flag("--dry-run").text(" and ").flag("--diff").text(" show what would change"),
            false => Hint::from("without --apply, ").flag("--diff").text(" shows what would change"),
        };
        return Err(failure.hint(shows));
    }
    // Uses a separate thread, because a read from a terminal cannot be cancelled.
    let answer = tokio::task::spawn_blocking(ui::answer);
    match report.interrupts().until_signal(async { Ok(answer.await.unwrap_or(None)) }).await {
        Ok(Some(true)) => Ok(()),
        Ok(answer) => {
            if answer.is_none() {
                Ui::leave_question();
            }
            Err(not_confirmed("not confirmed; nothing changed".to_owned()).hint(flag("--yes").text(" does not ask")))
        }
        Err(interrupted) => {
            Ui::leave_question();
            Err(interrupted.detail(UNTOUCHED))
        }
    }
}
