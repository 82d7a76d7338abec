//! Splits a log stream into lines. Each line is returned once, even if the connection was lost in between.

use jiff::Timestamp;

/// The maximum length of a log line in bytes. The container runtime already splits lines at 16 KiB.
const LONGEST: usize = 1 << 20;

/// Joins pieces of a stream into lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Returns the lines that end in this piece, without line ends.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(part);
            if self.rest.ends_with(b"\n") || self.rest.len() > LONGEST {
                let mut line = std::mem::take(&mut self.rest);
                line.pop_if(|byte| *byte == b'\n');
                lines.push(line);
            }
        }
        lines
    }

    /// Returns the rest without a line end, at the end of the log.
    pub(crate) fn last(&mut self) -> Option<Vec<u8>> {
        (!self.rest.is_empty()).then(|| std::mem::take(&mut self.rest))
    }

    /// Drops an incomplete line. The next connection sends it again.
    pub(crate) fn cut(&mut self) {
        self.rest.clear();
    }
}

/// The position in a log, from the timestamps before its lines.
///
/// The API server takes the start time in whole seconds. So after a lost connection it sends the lines of the last
/// second again, and those that were already seen are dropped.
#[derive(Debug, Default)]
pub(crate) struct LogPosition {
    last: Option<(Timestamp, usize)>,
    /// How many lines with the last timestamp will be sent again.
    again: usize,
}

impl LogPosition {
    /// Returns where to continue after a lost connection: an RFC 3339 time for the API server. `None` if nothing was
    /// read yet.
    pub(crate) fn resume(&mut self) -> Option<String> {
        let (last, count) = self.last?;
        self.again = count;
        Some(last.to_string())
    }

    /// Returns the line without its timestamp, or `None` if it was already seen.
    pub(crate) fn line<'l>(&mut self, line: &'l [u8]) -> Option<&'l [u8]> {
        let Some((time, text)) = timed(line) else { return Some(line) };
        match self.last {
            Some((last, _)) if time < last && self.again > 0 => return None,
            Some((last, _)) if time == last && self.again > 0 => {
                self.again -= 1;
                return None;
            }
            Some((last, count)) if time == last => self.last = Some((last, count + 1)),
            _ => {
                self.again = 0;
                self.last = Some((time, 1));
            }
        }
        Some(text)
    }
}

/// Splits `2026-11-23T08:00:00.123456789Z text` into the time and the text.
fn timed(line: &[u8]) -> Option<(Timestamp, &[u8])> {
    let blank = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let time = std::str::from_utf8(&line[..blank]).ok()?.parse().ok()?;
    Some((time, line.get(blank + 1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(seen: &mut LogPosition, lines: &[&str]) -> Vec<String> {
        let text = |line: &&str| seen.line(line.as_bytes()).map(|line| String::from_utf8_lossy(line).into_owned());
        lines.iter().filter_map(text).collect()
    }

    #[test]
    fn what_comes_again_after_a_lost_connection_is_dropped() {
        let mut seen = LogPosition::default();
        assert_eq!(seen.resume(), None);
        let before = ["2026-01-01T00:00:01.1Z a", "2026-01-01T00:00:01.5Z b", "2026-01-01T00:00:01.5Z c"];
        assert_eq!(read(&mut seen, &before), ["a", "b", "c"]);
        assert_eq!(seen.resume().as_deref(), Some("2026-01-01T00:00:01.5Z"));
        let after = [
            "2026-01-01T00:00:01.1Z a",
            "2026-01-01T00:00:01.5Z b",
            "2026-01-01T00:00:01.5Z c",
            "2026-01-01T00:00:01.5Z d",
            "2026-01-01T01:00:02+01:00 e",
        ];
        assert_eq!(read(&mut seen, &after), ["d", "e"]);
    }

    #[test]
    fn a_log_that_lost_its_beginning_goes_on() {
        let mut seen = LogPosition::default();
        assert_eq!(read(&mut seen, &["2026-01-01T00:00:01Z a"]), ["a"]);
        seen.resume();
        assert_eq!(read(&mut seen, &["2026-01-01T00:00:05Z b", "2026-01-01T00:00:04Z c"]), ["b", "c"]);
    }

    #[test]
    fn an_empty_line_is_one_and_a_line_without_a_time_stays() {
        let mut seen = LogPosition::default();
        assert_eq!(
            read(&mut seen, &["2026-01-01T00:00:01Z ", "2026-01-01T00:00:02Z", "unable to retrieve"]),
            ["", "", "unable to retrieve"]
        );
    }

    proptest! {
        #[test]
        fn lines_are_the_same_wherever_the_pieces_are_cut(text in "[ab\n]{0,40}", cuts in prop::collection::vec(0..40usize, 0..6)) {
            let mut lines = Lines::default();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let mut found: Vec<_> = cuts.windows(2).flat_map(|cut| lines.push(&text.as_bytes()[cut[0]..cut[1]])).collect();
            found.extend(lines.last());
            let wanted: Vec<_> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
