//! Reads which signals were ignored when the process started: with `nohup`, or as a shell's background job.
//!
//! A query with `sigaction` needs unsafe code, and the safe crates can only set a handler. Linux has the information in
//! `/proc`. On other systems no signal counts as ignored.

use std::fs;

const STATUS: &str = "/proc/self/status";

/// The signals that end a run, and whether each was ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ignored {
    pub hangup: bool,
    pub interrupt: bool,
    pub terminate: bool,
}

/// The ignored signals of this process. Must be called before a listener is installed.
pub(crate) fn ignored() -> Ignored {
    fs::read_to_string(STATUS).ok().and_then(|status| parse(&status)).unwrap_or_default()
}

/// Parses `SigIgn`, a hexadecimal bit mask. Signal 1 is its lowest bit.
fn parse(status: &str) -> Option<Ignored> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    let has = |signal: u32| mask & (1 << (signal - 1)) != 0;
    Some(Ignored { hangup: has(1), interrupt: has(2), terminate: has(15) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_names_the_ignored_signals() {
        let status = |mask: &str| format!("Name:\tgloo-rs\nSigBlk:\tffffffffffffffff\nSigIgn:\t{mask}\n");
        assert_eq!(parse(&status("0000000000001000")), Some(Ignored::default()));
        assert_eq!(parse(&status("0000000000001001")), Some(Ignored { hangup: true, ..Ignored::default() }));
        assert_eq!(parse(&status("0000000000001002")), Some(Ignored { interrupt: true, ..Ignored::default() }));
        assert_eq!(parse(&status("0000000000005000")), Some(Ignored { terminate: true, ..Ignored::default() }));
        assert_eq!(parse("Name:\tgloo-rs\n"), None);
        assert_eq!(parse(&status("x")), None);
    }
}
