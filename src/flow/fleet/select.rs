//! Which contexts of the kubeconfig are wanted.

use crate::error::{Exit, Failure, Reason};
use crate::options::WantedContexts;
use crate::text::{is_like, nearest};

/// The most contexts that a message names.
const NAMED: usize = 10;

/// The wanted contexts in the order of the kubeconfig, each once.
///
/// # Errors
/// A name or pattern matches no context.
pub(super) fn select(wanted: &WantedContexts, known: &[&str], files: &str) -> Result<Vec<String>, Failure> {
    let names = match wanted {
        WantedContexts::All => return Ok(known.iter().map(|name| (*name).to_owned()).collect()),
        WantedContexts::Named(names) => names,
    };
    if let Some(unmatched) = names.iter().find(|name| !known.iter().any(|context| is_wanted(name, context))) {
        let failure = Failure::new(
            Exit::SaidNo,
            Reason::NotFound,
            format!("--contexts: kubeconfig {files} has no context {unmatched}; nothing was read"),
        );
        let near = nearest(unmatched, known.iter().copied());
        return Err(match near.is_empty() {
            false => failure.detail(format!("near: {}", near.join(", "))),
            true => failure.detail(format!("contexts: {}", listed(known))),
        });
    }
    let is_wanted = |context: &&&str| names.iter().any(|name| is_wanted(name, context));
    Ok(known.iter().filter(is_wanted).map(|name| (*name).to_owned()).collect())
}

/// A name counts as it is, even if it has a `*` in it.
fn is_wanted(name: &str, context: &str) -> bool {
    name == context || is_like(name, context)
}

fn listed(known: &[&str]) -> String {
    let more = known.len().saturating_sub(NAMED);
    let first = known.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["dev", "prod-eu", "prod-us", "arn:aws:eks:eu-west-1:1:cluster/prod", "stage"];

    fn selected(names: &[&str]) -> Result<Vec<String>, Failure> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        select(&WantedContexts::Named(names), &KNOWN, "config")
    }

    #[test]
    fn contexts_come_in_the_order_of_the_kubeconfig_and_each_once() {
        assert_eq!(selected(&["stage", "prod-*", "prod-eu"]).unwrap(), ["prod-eu", "prod-us", "stage"]);
        assert_eq!(selected(&["*cluster/prod"]).unwrap(), [KNOWN[3]]);
        assert_eq!(selected(&["*"]).unwrap(), KNOWN);
        assert_eq!(select(&WantedContexts::All, &KNOWN, "config").unwrap(), KNOWN);
    }

    #[test]
    fn a_name_that_matches_nothing_selects_nothing_at_all() {
        let failure = selected(&["dev", "prd-eu"]).unwrap_err();
        assert_eq!((failure.exit, failure.reason), (Exit::SaidNo, Reason::NotFound));
        assert_eq!(failure.details, ["near: prod-eu"]);
        assert_eq!(selected(&["zzz-*"]).unwrap_err().details.len(), 1);
    }
}
