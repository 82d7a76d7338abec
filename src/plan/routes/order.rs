//! The order in which merged routes are tried.

use std::cmp::{Ordering, Reverse};

use super::Route;
use super::matcher::{Matcher, Path};

/// Sorts the routes of several tables with the same weight. Each route counts by the first of its matchers in this
/// order: more methods, then exact before regex before prefix, then the greater path text (Gloo, `SortRoutesByPath`).
pub(crate) fn sort_by_path(routes: &mut [Route]) {
    routes.sort_by(|a, b| compare(first(a), first(b)));
}

fn first(route: &Route) -> &Matcher {
    let by_order = |a: &&Matcher, b: &&Matcher| compare(a, b);
    route.matchers.iter().min_by(by_order).expect("a route has a matcher: any() where none is written")
}

fn compare(a: &Matcher, b: &Matcher) -> Ordering {
    let key = |matcher: &Matcher| (Reverse(matcher.methods.len()), kind(matcher));
    key(a).cmp(&key(b)).then_with(|| b.path_text().cmp(a.path_text()))
}

fn kind(matcher: &Matcher) -> u8 {
    match matcher.path {
        None | Some(Path::Connect) => 0,
        Some(Path::Exact(_)) => 1,
        Some(Path::Regex(_)) => 2,
        Some(Path::Prefix(_) | Path::Elements(_)) => 3,
    }
}

/// Returns the precedence of a matcher of an `HTTPRoute`, the least value first: an exact path, then the longest
/// prefix, a method, the most headers, the most query parameters (Gateway API, `HTTPRouteRule.matches`). The place of
/// regular expressions is left to the implementation. Gloo puts them between exact and prefix.
pub(crate) fn specificity(matcher: &Matcher) -> impl Ord + use<> {
    let length = matcher.path_text().trim_end_matches('/').len();
    (
        kind(matcher),
        Reverse(length),
        Reverse(matcher.methods.len()),
        Reverse(matcher.headers.len()),
        Reverse(matcher.query.len()),
    )
}
