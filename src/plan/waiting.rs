//! What a wait has seen so far, and who is told of it.

/// How many of how many things are so: `1 of 3 pods new and ready`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub done: u64,
    pub of: u64,
    pub what: &'static str,
}

/// What a wait has seen so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub counted: Option<Counted>,
    /// The last reason why it is not over; empty if none is known.
    pub reason: String,
}

impl Seen {
    /// The line of a progress display: what is waited for, and how many are done; and the reason, with its colon. Both
    /// are cut so that they fit `width` columns together.
    #[must_use]
    pub(crate) fn line(&self, what: &str, width: usize) -> (String, String) {
        let counted = self.counted.map(|Counted { done, of, what }| format!(": {done} of {of} {what}"));
        let first = cut(&format!("{what}{}", counted.unwrap_or_default()), width);
        let left = width - first.chars().count();
        let reason = self.reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let reason = if reason.is_empty() { String::new() } else { cut(&format!(": {reason}"), left) };
        (first, reason)
    }
}

/// The text in at most this many characters. `...` stands for the rest.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(3)).collect();
    (kept + "...").chars().take(most).collect()
}

/// Who is told how a wait goes.
pub(crate) trait Watcher {
    /// Whether anybody sees it. A reason that costs a request is read only then.
    fn is_watching(&self) -> bool;

    /// Tells what was seen.
    fn sees(&self, seen: &Seen);
}

/// Nobody watches.
pub(crate) struct Unwatched;

impl Watcher for Unwatched {
    fn is_watching(&self) -> bool {
        false
    }

    fn sees(&self, _: &Seen) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_how_many_and_why_and_fits() {
        let counted = Some(Counted { done: 1, of: 3, what: "pods new and ready" });
        let seen = Seen { counted, reason: "pod web-1:\n  ImagePullBackOff".into() };
        let (first, reason) = seen.line("deployment/web", 80);
        assert_eq!(first, "deployment/web: 1 of 3 pods new and ready");
        assert_eq!(reason, ": pod web-1: ImagePullBackOff");
        for width in [0, 2, 10, 45, 50] {
            let (first, reason) = seen.line("deployment/web", width);
            assert!(first.chars().count() + reason.chars().count() <= width, "{width}: {first}{reason}");
        }
        assert_eq!(seen.line("deployment/web", 50).1, ": pod ...");
        assert_eq!(Seen::default().line("asking https://a", 40), ("asking https://a".to_owned(), String::new()));
    }
}
