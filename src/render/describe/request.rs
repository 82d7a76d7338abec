//! The path of a request, from the listener to the backend, as lines.

use crate::plan::routes::{Candidate, Fit, Heard, Request, Resolution, RouteAction, RouteShare, Standing};

/// The most unreachable routes that are listed. The others are only counted.
const BEHIND: usize = 2;

/// The lines for a resolved request.
pub(crate) fn lines(request: &Request, answer: &Resolution) -> Vec<String> {
    let query = request.query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
    let port = request.port.map_or_else(String::new, |port| format!(", port {port}"));
    let mut lines = vec![format!("request {}{}{query}{port}", request.host, request.path)];
    for heard in &answer.heard {
        lines.extend(listener(heard));
    }
    lines
}

fn listener(heard: &Heard) -> Vec<String> {
    let mut lines = vec![heard.listener.clone(), format!("  host {} ({})", heard.host, heard.why)];
    lines.extend(heard.others.iter().take(BEHIND).map(|other| format!("    rather than {other}")));
    lines.extend(more(heard.others.len(), BEHIND).map(|more| format!("    {more}")));
    lines.extend(heard.trouble.iter().map(|trouble| format!("  but {trouble}")));
    let mut number = 0;
    let mut behind = 0;
    for candidate in &heard.candidates {
        number += 1;
        behind += usize::from(candidate.standing == Standing::Behind);
        if behind <= BEHIND {
            lines.extend(route(number, candidate));
        }
    }
    lines.extend(more(behind, BEHIND).map(|more| format!("  {more} behind them")));
    if !heard.candidates.iter().any(|candidate| candidate.standing == Standing::Wins) {
        let any_other = if heard.candidates.is_empty() { "" } else { "for any other request, " };
        lines.push(format!("  {any_other}no route takes the path: 404"));
    }
    for left_out in &heard.left_out {
        lines.push(format!("  left out by Gloo: {}", left_out.why));
        lines.extend(left_out.trail.iter().map(|step| format!("     {step}")));
    }
    lines
}

fn more(all: usize, shown: usize) -> Option<String> {
    (all > shown).then(|| format!("and {} more", all - shown))
}

fn route(number: usize, candidate: &Candidate) -> Vec<String> {
    let standing = match (&candidate.fit, candidate.standing) {
        (Fit::If(conditions), Standing::Before) => format!("takes it if {}", conditions.join(" and ")),
        (Fit::Unknown(why), Standing::Before) => format!("may take it: {why}"),
        (_, Standing::Behind) => "not reached: the one above takes it".to_owned(),
        _ => "takes it".to_owned(),
    };
    let mut lines = vec![format!("  {number}. {}: {standing}", candidate.matcher)];
    lines.extend(candidate.trail.iter().map(|step| format!("     {step}")));
    lines.extend(action(&candidate.action).into_iter().map(|line| format!("     -> {line}")));
    lines
}

/// The targets of a route, one line each.
pub(super) fn action(action: &RouteAction) -> Vec<String> {
    match action {
        RouteAction::To { shares, group } => {
            let by = group.as_ref().map_or_else(String::new, |group| format!(" by upstreamgroup {group}"));
            let sum: u64 = shares.iter().filter_map(|share| share.weight).sum();
            let share = |RouteShare { target, weight }: &RouteShare| match weight {
                Some(weight) => format!("{target}, {weight} of {sum}{by}"),
                None => target.to_string(),
            };
            shares.iter().map(share).collect()
        }
        RouteAction::Redirect(place) => vec![format!("redirect to {place}")],
        RouteAction::DirectResponse(status) => vec![format!("the gateway answers {status} itself")],
        RouteAction::Elsewhere(what) => vec![format!("{what}: unknown what answers there")],
        RouteAction::Nowhere(why) => vec![format!("nowhere: {why}")],
    }
}
