//! `gloo-rs proxy stats`.

use clap::ValueEnum;

use super::pods::PodsArgs;
use crate::cli::help;
use crate::envoy::admin::{StatsFormat, StatsScope, StatsWish};
use crate::error::Failure;
use crate::options::{Command, StatsTask};

/// Print Envoy's statistics
///
/// Prints them as Envoy does. With -o json or -o yaml they are the field `stats` of the document.
#[derive(Debug, clap::Args)]
#[command(after_help = help::proxy::STATS)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pods: PodsArgs,
    /// Print only statistics with a matching name; a regular expression (RE2)
    #[arg(long, value_name = "REGEX")]
    filter: Option<String>,
    /// Use this format of Envoy
    #[arg(long, value_name = "FORM", default_value = "text")]
    format: Form,
    /// Print only statistics that were updated; since Envoy started
    #[arg(long)]
    used: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
    Prometheus,
}

impl StatsArgs {
    pub(crate) fn options(self) -> Result<Command, Failure> {
        let pods = self.pods.options()?;
        let wish = StatsWish {
            filter: self.filter,
            format: match self.format {
                Form::Text => StatsFormat::Text,
                Form::Json => StatsFormat::Json,
                Form::Prometheus => StatsFormat::Prometheus,
            },
            scope: if self.used { StatsScope::Used } else { StatsScope::All },
        };
        Ok(Command::Stats(StatsTask { pods, wish }))
    }
}
