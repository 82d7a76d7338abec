//! Durations for people: `40s`, `6m12s`, `3h07m`, `3d`.

use jiff::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A duration in its two largest units. The second one is padded, so that durations in a column line up.
#[must_use]
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m{:02}s", seconds / MINUTE, seconds % MINUTE),
        HOUR..DAY => format!("{}h{:02}m", seconds / HOUR, seconds % HOUR / MINUTE),
        _ => format!("{}d", seconds / DAY),
    }
}

/// A lifetime that is left, in seconds: `23h`, `58m`, `400d`, in full units; `expired` where nothing is.
#[must_use]
pub(crate) fn left(seconds: i64) -> String {
    match u64::try_from(seconds) {
        Err(_) | Ok(0) => "expired".to_owned(),
        Ok(seconds @ 0..MINUTE) => format!("{seconds}s"),
        Ok(seconds @ MINUTE..HOUR) => format!("{}m", seconds / MINUTE),
        // The certificates of istiod are valid for a day.
        Ok(seconds) if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        Ok(seconds) => format!("{}d", seconds / DAY),
    }
}

/// The time from `then` to `now`. The clocks of two machines may differ: a `then` after `now` is `0s`.
#[must_use]
pub(crate) fn since(then: Timestamp, now: Timestamp) -> String {
    age(u64::try_from(now.duration_since(then).as_secs()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_at_most_two_units() {
        for (seconds, text) in [
            (0, "0s"),
            (40, "40s"),
            (59, "59s"),
            (60, "1m00s"),
            (64, "1m04s"),
            (372, "6m12s"),
            (3_599, "59m59s"),
            (3_600, "1h00m"),
            (11_270, "3h07m"),
            (86_399, "23h59m"),
            (86_400, "1d"),
            (300_000, "3d"),
            (34_560_000, "400d"),
        ] {
            assert_eq!(age(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn a_lifetime_is_in_hours_for_two_days() {
        for (seconds, text) in [
            (-5, "expired"),
            (0, "expired"),
            (59, "59s"),
            (3_599, "59m"),
            (86_399, "23h"),
            (86_400, "24h"),
            (172_799, "47h"),
            (172_800, "2d"),
        ] {
            assert_eq!(left(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn what_lies_ahead_is_no_time_ago() {
        let then: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let now: Timestamp = "2026-01-01T00:06:12Z".parse().unwrap();
        assert_eq!(since(then, now), "6m12s");
        assert_eq!(since(now, then), "0s");
    }
}
