//! What a word means for the reader: good, with caution, bad or unknown. `ui` has one colour for each.

use crate::check::results::CheckStatus;
use crate::check::{Section, Severity};
use crate::plan::advice::Weight;
use crate::plan::outcome::Outcome;
use crate::plan::path::Verdict;
use crate::plan::verdict::VerdictKind;

/// The meaning of a word. There is one colour for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Caution,
    Bad,
    Unknown,
}

/// A value whose word has a tone; `None` for a word without colour.
pub(crate) trait Toned {
    fn tone(&self) -> Option<Tone>;
}

impl Toned for Verdict {
    fn tone(&self) -> Option<Tone> {
        Some(match self {
            Self::Mtls | Self::Tls => Tone::Good,
            Self::Mixed | Self::Plaintext => Tone::Caution,
            Self::Broken => Tone::Bad,
            Self::Unknown => Tone::Unknown,
        })
    }
}

impl Toned for VerdictKind {
    fn tone(&self) -> Option<Tone> {
        Some(match self {
            Self::Mtls => Tone::Good,
            Self::Answered | Self::Plaintext | Self::Gateway => Tone::Caution,
            Self::Backend | Self::Elsewhere | Self::Caused(_) | Self::NotProven => Tone::Bad,
        })
    }
}

impl Toned for Severity {
    fn tone(&self) -> Option<Tone> {
        Some(match self {
            Self::Error => Tone::Bad,
            Self::Warning => Tone::Caution,
        })
    }
}

impl Toned for Weight {
    fn tone(&self) -> Option<Tone> {
        Some(match self {
            Self::Warning => Tone::Caution,
            Self::Note => Tone::Unknown,
        })
    }
}

impl Toned for Section {
    fn tone(&self) -> Option<Tone> {
        match self {
            Self::CouldBeBetter => None,
            Self::WillBreak => Some(Tone::Caution),
            Self::BrokenNow => Some(Tone::Bad),
        }
    }
}

impl Toned for CheckStatus {
    fn tone(&self) -> Option<Tone> {
        match self {
            Self::Ok => Some(Tone::Good),
            Self::Found { errors: 0, .. } => Some(Tone::Caution),
            Self::Found { .. } => Some(Tone::Bad),
            Self::Unknown => Some(Tone::Unknown),
            Self::NothingInFiles | Self::Skipped => None,
        }
    }
}

impl Toned for Outcome {
    fn tone(&self) -> Option<Tone> {
        match self {
            Self::Changed | Self::Unchanged => Some(Tone::Good),
            Self::Skipped => None,
            Self::Refused | Self::NotFound | Self::Failed => Some(Tone::Bad),
        }
    }
}

impl Toned for Tone {
    fn tone(&self) -> Option<Tone> {
        Some(*self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_encrypted_and_answered_request_is_good_and_what_breaks_is_bad() {
        let good: Vec<_> = Verdict::ALL.into_iter().filter(|it| it.tone() == Some(Tone::Good)).collect();
        assert_eq!(good, [Verdict::Mtls, Verdict::Tls]);
        assert_eq!(Verdict::Broken.tone(), Some(Tone::Bad));
        assert_eq!(Verdict::Unknown.tone(), Some(Tone::Unknown));
        assert_eq!(VerdictKind::NotProven.tone(), Some(Tone::Bad));
        assert_eq!(Section::BrokenNow.tone(), Severity::Error.tone());
    }

    #[test]
    fn every_outcome_that_is_no_answer_is_bad_or_has_no_colour() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.is_answer(), outcome.tone() == Some(Tone::Good), "{outcome:?}");
        }
    }
}
