//! Judges a change by the requests that pass through the gateways: Envoy's counters in a window before the change, and in
//! one after it.
//!
//! What is compared are rates, so the windows need not have the same traffic. An error rate is higher than before if
//! the rise is more than chance explains: three standard deviations of the difference of two counts. Where the window
//! before had no error, every error counts.

pub(crate) mod mark;
pub(crate) mod window;

use std::fmt;

use super::effect::Wanted;
use super::verdict::counters::Stat;
use window::Tally;

/// A share, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u32);

const WHOLE: u32 = 1_000_000;

impl Share {
    /// Reads `1%`, `0.5%` or `0.01`. At most four digits after the point of a percentage count.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (number, digits) = match text.strip_suffix('%') {
            Some(number) => (number, 4),
            None => (text, 6),
        };
        let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(rest) || whole.is_empty() || rest.len() > digits {
            return None;
        }
        let millionths = format!("{whole}{rest:0<digits$}").parse().ok()?;
        (millionths <= WHOLE).then_some(Self(millionths))
    }

    /// Whether `part` of `all` is a larger share.
    fn is_exceeded(self, part: u64, all: u64) -> bool {
        u128::from(part) * u128::from(WHOLE) > u128::from(self.0) * u128::from(all)
    }
}

/// Writes `0.5%`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:04}", self.0 / 10_000, self.0 % 10_000);
        write!(f, "{}%", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// What a change must not exceed, and how many requests prove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The highest share of 5xx answers. `None`: not more than before.
    pub max_5xx: Option<Share>,
    /// The requests that an object must get before its window counts.
    pub min_requests: u64,
}

/// How requests to one cluster ended: in the window before the change, since the write, and since the change was served.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tallies {
    pub before: Tally,
    pub now: Tally,
    pub since_served: Tally,
}

/// When a window is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The window goes on: only what is certain now counts.
    Within,
    End,
}

/// The result of a window for one changed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WindowVerdict {
    Passed,
    /// The clusters, by their position, to which requests became worse.
    Worse(Vec<Worse>),
    /// Too few requests.
    Quiet,
}

/// What became worse for requests to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Worse {
    pub cluster: usize,
    pub lines: Vec<String>,
}

/// Returns the verdict on an object with these clusters. `None` if the window goes on and nothing became worse.
pub(crate) fn judge(
    clusters: &[Tallies],
    wanted: Option<Wanted>,
    limits: Limits,
    moment: Moment,
) -> Option<WindowVerdict> {
    let worse = clusters.iter().enumerate().filter_map(|(cluster, tallies)| {
        let mut lines = worse(&tallies.before, &tallies.now, limits, moment);
        if lines.is_empty() && moment == Moment::End {
            lines.extend(without_tls(&tallies.now, wanted));
        }
        (!lines.is_empty()).then_some(Worse { cluster, lines })
    });
    let worse: Vec<_> = worse.collect();
    let requests = clusters.iter().fold(0_u64, |sum, it| sum.saturating_add(it.since_served.requests()));
    match moment {
        _ if !worse.is_empty() => Some(WindowVerdict::Worse(worse)),
        Moment::Within => None,
        Moment::End if requests < limits.min_requests => Some(WindowVerdict::Quiet),
        Moment::End => Some(WindowVerdict::Passed),
    }
}

/// What became worse for requests to a cluster.
fn worse(before: &Tally, now: &Tally, limits: Limits, moment: Moment) -> Vec<String> {
    let rates = |stat| [(before.of(stat), before.requests()), (now.of(stat), now.requests())];
    let mut worse = Vec::new();
    let [was, is] = rates(Stat::ServerErrors);
    // Within the window, the rest of its requests may still be answered. So as many count as in the window before.
    let all = if moment == Moment::End { is.1 } else { is.1.max(was.1) };
    match limits.max_5xx {
        None if is_higher(was, is) => worse.push(format!("5xx: {}, before: {}", share(is), share(was))),
        Some(most) if most.is_exceeded(is.0, all) => worse.push(format!("5xx: {}, allowed: {most}", share(is))),
        _ => {}
    }
    let [was, is] = rates(Stat::Denied);
    if is_higher(was, is) {
        worse.push(format!("403: {}, before: {}", share(is), share(was)));
    }
    if !worse.is_empty() {
        worse.extend(signs(before, now));
    }
    worse
}

/// Requests that were answered although no TLS handshake succeeded, where TLS was switched on or is to stay.
fn without_tls(now: &Tally, wanted: Option<Wanted>) -> Option<String> {
    let answered = now.of(Stat::Answered);
    let what = match wanted? {
        Wanted::Istio => "the change has no effect",
        Wanted::AutoMtls => "auto-mTLS does not encrypt them",
        Wanted::NotIstio | Wanted::Plain => return None,
    };
    let is_plain = answered > 0 && now.of(Stat::Handshake) == 0;
    is_plain.then(|| format!("{answered} requests without a TLS handshake: {what}"))
}

/// The counters that show why requests fail.
fn signs(before: &Tally, now: &Tally) -> Vec<String> {
    let signs = [
        (Stat::ConnectFail, "failed connections"),
        (Stat::TlsError, "failed TLS handshakes"),
        (Stat::FailVerify, "certificates that failed verification"),
        (Stat::Resets, "requests reset by the backend"),
    ];
    let rose = signs
        .iter()
        .filter(|(stat, _)| is_higher((before.of(*stat), before.requests()), (now.of(*stat), now.requests())));
    rose.map(|(stat, what)| format!("{what}: {}, before: {}", now.of(*stat), before.of(*stat))).collect()
}

/// Whether the second share is higher than the first by more than chance explains. Each is a part of a number of
/// requests.
fn is_higher(was: (u64, u64), is: (u64, u64)) -> bool {
    let [(was, of_before), (is, of_now)] = [was, is].map(|(part, all)| (f64_of(part), f64_of(all)));
    if of_before == 0.0 {
        return is > 0.0;
    }
    let expected = was * of_now / of_before;
    let variance = expected * (1.0 + of_now / of_before);
    is > expected && (is - expected).powi(2) > 9.0 * variance
}

#[allow(clippy::cast_precision_loss, reason = "a statistical test needs no more than 53 bits")]
fn f64_of(count: u64) -> f64 {
    count as f64
}

/// Writes `17 of 120`.
fn share((part, all): (u64, u64)) -> String {
    format!("{part} of {all}")
}

#[cfg(test)]
mod tests {
    use super::window::{PodCounters, Window};
    use super::*;

    const USUAL: Limits = Limits { max_5xx: None, min_requests: 20 };

    fn tally(requests: u64, errors: u64, handshakes: u64) -> Tally {
        let counters = |requests: u64, errors: u64, handshakes: u64| {
            let text = format!(
                "cluster.a.upstream_rq_completed: {requests}\ncluster.a.upstream_rq_5xx: {errors}\n\
                 cluster.a.upstream_rq_2xx: {}\ncluster.a.ssl.handshake: {handshakes}\n",
                requests - errors
            );
            vec![PodCounters::parse("1", &text)]
        };
        let mut window = Window::from(counters(0, 0, 0));
        window.add(counters(requests, errors, handshakes));
        window.tally("a")
    }

    fn at(moment: Moment, before: Tally, now: Tally, wanted: Wanted, limits: Limits) -> Option<WindowVerdict> {
        judge(&[Tallies { before, since_served: now.clone(), now }], Some(wanted), limits, moment)
    }

    fn verdict(before: (u64, u64), now: (u64, u64), limits: Limits) -> WindowVerdict {
        let (before, now) = (tally(before.0, before.1, 0), tally(now.0, now.1, 1));
        at(Moment::End, before, now, Wanted::Istio, limits).unwrap()
    }

    fn lines(verdict: WindowVerdict) -> Vec<String> {
        match verdict {
            WindowVerdict::Worse(worse) => worse.into_iter().flat_map(|worse| worse.lines).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_share_is_a_percentage_or_a_fraction() {
        for (text, shown) in
            [("1%", "1%"), ("0.5%", "0.5%"), ("0.01", "1%"), ("0", "0%"), ("1", "100%"), ("0.0001%", "0.0001%")]
        {
            assert_eq!(Share::parse(text).map(|share| share.to_string()).as_deref(), Some(shown), "{text}");
        }
        for text in ["", "%", "101%", "1.1", "-1%", "1e3", "x", "0.00001%", ".5", "99999999999999999999%", "1 %"] {
            assert_eq!(Share::parse(text), None, "{text}");
        }
    }

    #[test]
    fn errors_that_were_not_there_before_are_worse_from_the_first_one() {
        assert_eq!(verdict((1000, 0), (1000, 0), USUAL), WindowVerdict::Passed);
        assert_eq!(lines(verdict((1000, 0), (1000, 1), USUAL)), ["5xx: 1 of 1000, before: 0 of 1000"]);
        // Nothing is known of the time before.
        assert!(matches!(verdict((0, 0), (30, 1), USUAL), WindowVerdict::Worse(_)));
    }

    #[test]
    fn a_backend_that_failed_before_may_fail_as_often_and_no_more() {
        assert_eq!(verdict((1000, 1000), (1000, 1000), USUAL), WindowVerdict::Passed, "it failed before");
        assert_eq!(verdict((1000, 1000), (50, 50), USUAL), WindowVerdict::Passed, "with less traffic too");
        assert_eq!(verdict((1000, 100), (1000, 120), USUAL), WindowVerdict::Passed, "chance explains it");
        assert!(matches!(verdict((1000, 100), (1000, 150), USUAL), WindowVerdict::Worse(_)));
        assert!(matches!(verdict((1000, 1), (100, 100), USUAL), WindowVerdict::Worse(_)));
        assert_eq!(verdict((1000, 100), (1000, 0), USUAL), WindowVerdict::Passed);
    }

    #[test]
    fn a_typed_rate_is_of_all_requests_of_the_window() {
        let limits = Limits { max_5xx: Share::parse("1%"), ..USUAL };
        assert_eq!(verdict((1000, 0), (1000, 10), limits), WindowVerdict::Passed);
        assert!(matches!(verdict((1000, 0), (1000, 11), limits), WindowVerdict::Worse(_)));
        assert!(
            matches!(verdict((1000, 0), (500, 9), limits), WindowVerdict::Worse(_)),
            "at the end 9 of 500 are too many"
        );
        let within =
            |requests, errors| at(Moment::Within, tally(1000, 0, 0), tally(requests, errors, 1), Wanted::Istio, limits);
        assert_eq!(within(500, 9), None, "before the end they may not be");
        assert!(within(20, 11).is_some(), "11 are too many already");
        assert!(matches!(verdict((1000, 900), (1000, 900), limits), WindowVerdict::Worse(_)));
    }

    #[test]
    fn too_few_requests_prove_nothing_but_their_errors_count() {
        assert_eq!(verdict((1000, 0), (19, 0), USUAL), WindowVerdict::Quiet);
        assert_eq!(verdict((0, 0), (0, 0), USUAL), WindowVerdict::Quiet);
        assert!(matches!(verdict((0, 0), (3, 1), USUAL), WindowVerdict::Worse(_)));
        let few = Tallies { before: tally(100, 0, 0), now: tally(100, 0, 1), since_served: tally(10, 0, 1) };
        let judged = |clusters: &[Tallies]| judge(clusters, None, USUAL, Moment::End);
        assert_eq!(
            judged(std::slice::from_ref(&few)),
            Some(WindowVerdict::Quiet),
            "those before the change was served"
        );
        assert_eq!(judged(&[few.clone(), few]), Some(WindowVerdict::Passed), "all clusters of the object count");
    }

    #[test]
    fn answers_without_a_handshake_show_that_tls_is_not_used() {
        let end =
            |errors, wanted| at(Moment::End, tally(100, errors, 0), tally(100, errors, 0), wanted, USUAL).unwrap();
        let said = lines(end(0, Wanted::Istio));
        assert_eq!(said, ["100 requests without a TLS handshake: the change has no effect"]);
        let said = lines(end(0, Wanted::AutoMtls));
        assert_eq!(said, ["100 requests without a TLS handshake: auto-mTLS does not encrypt them"]);
        // A backend that fails every request, before and now, shows nothing about TLS.
        assert_eq!(end(100, Wanted::Istio), WindowVerdict::Passed);
        assert_eq!(end(0, Wanted::NotIstio), WindowVerdict::Passed);
    }

    #[test]
    fn denials_and_their_signs_are_worse_too() {
        let read = |text: &str| {
            let mut window = Window::from(vec![PodCounters::parse("1", "cluster.a.upstream_rq_completed: 0\n")]);
            window.add(vec![PodCounters::parse("1", text)]);
            window.tally("a")
        };
        let before = read("cluster.a.upstream_rq_completed: 100\n");
        let denied = read("cluster.a.upstream_rq_completed: 100\ncluster.a.upstream_rq_403: 100\n");
        assert_eq!(worse(&before, &denied, USUAL, Moment::Within), ["403: 100 of 100, before: 0 of 100"]);
        let failed = read(
            "cluster.a.upstream_rq_completed: 50\ncluster.a.upstream_rq_5xx: 50\ncluster.a.upstream_cx_connect_fail: 50\n\
             cluster.a.ssl.connection_error: 50\n",
        );
        assert_eq!(
            worse(&before, &failed, USUAL, Moment::Within),
            [
                "5xx: 50 of 50, before: 0 of 100",
                "failed connections: 50, before: 0",
                "failed TLS handshakes: 50, before: 0"
            ]
        );
    }
}
