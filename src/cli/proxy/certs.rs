//! `gloo-rs proxy certs`.

use std::time::Duration;

use super::pods::PodsArgs;
use crate::cli::help;
use crate::error::Failure;
use crate::options::{CertsTask, Command};

/// List the certificates that Envoy uses, their secrets, and when they expire
#[derive(Debug, clap::Args)]
#[command(after_help = help::proxy::CERTS)]
pub(crate) struct CertsArgs {
    #[command(flatten)]
    pods: PodsArgs,
    /// Exit with code 3 if one expires sooner than this: 12h, 7d; a bare number is days
    #[arg(long, value_name = "TIME")]
    fail_under: Option<String>,
}

impl CertsArgs {
    pub(crate) fn options(self) -> Result<Command, Failure> {
        let fail_under = self.fail_under.as_deref().map(lifetime).transpose()?;
        Ok(Command::Certs(CertsTask { pods: self.pods.options()?, fail_under }))
    }
}

/// `12h`, `1h30m`, `7d`; a bare number is days. No time is left of an expired certificate, so `0` is a threshold too.
fn lifetime(text: &str) -> Result<Duration, Failure> {
    const DAY: u64 = 24 * 60 * 60;
    let days =
        |number: &str| number.parse::<u64>().ok().and_then(|days| days.checked_mul(DAY)).map(Duration::from_secs);
    let time = || text.parse::<jiff::SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    days(text.strip_suffix('d').unwrap_or(text)).or_else(time).ok_or_else(|| {
        Failure::usage(format!("--fail-under {text:?} is not a time"))
            .hint("use a time such as 12h, 1h30m or 7d; a bare number is days")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_a_time_and_a_bare_number_is_days() {
        for (text, hours) in [("12h", 12), ("1", 24), ("7d", 168), ("0", 0), ("36h", 36)] {
            assert_eq!(lifetime(text).unwrap(), Duration::from_secs(hours * 3600), "{text}");
        }
        assert_eq!(lifetime("1h30m").unwrap(), Duration::from_mins(90));
        for text in ["", "d", "-1h", "-7", "soon", "18446744073709551615", "1.5"] {
            assert!(lifetime(text).is_err(), "{text:?}");
        }
    }
}
