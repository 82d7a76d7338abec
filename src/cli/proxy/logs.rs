//! `gloo-rs proxy logs`.

use super::pods::PodsArgs;
use crate::cli::{global, help};
use crate::envoy::levels::LevelWish;
use crate::error::Failure;
use crate::options::{Command, Format, LogExtent, LogsTask, ProxyPods};
use crate::plan::proxy_pods::Which;

/// Print the log of a gateway proxy
///
/// Prints the log of Envoy's container on stdout. With --all-pods each line says which pod it is from.
///
/// --debug and --level change Envoy's log levels. The earlier levels are restored when the command
/// ends, also after Ctrl-C or when its output is closed.
#[derive(Debug, clap::Args)]
#[command(after_help = help::proxy::LOGS)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pods: PodsArgs,
    /// Keep printing new lines until Ctrl-C; reconnect if the connection is lost
    #[arg(short, long)]
    follow: bool,
    /// Follow for this long, then end
    #[arg(long = "for", value_name = "TIME")]
    limit: Option<String>,
    /// Print only lines that are newer than this; such as 10m
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Print only this many last lines
    #[arg(long, value_name = "N")]
    tail: Option<u64>,
    /// Print the log of this container [default: Envoy's]
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// Set Envoy's log level to debug during the command
    #[arg(short, long, conflicts_with = "level")]
    debug: bool,
    /// Set Envoy's log level during the command: LEVEL, or COMPONENT:LEVEL, commas separate several
    #[arg(long, value_name = "LEVELS")]
    level: Option<String>,
}

impl LogsArgs {
    pub(crate) fn options(self, format: Format) -> Result<Command, Failure> {
        let limit = self.limit.as_deref().map(|text| global::time("--for", text)).transpose()?;
        let extent = match (self.follow, limit) {
            (false, None) => LogExtent::SoFar,
            (_, limit) => LogExtent::Followed { limit },
        };
        if extent != LogExtent::SoFar && format != Format::Text {
            return Err(Failure::usage("--follow and --for cannot be combined with -o: a followed log has no end")
                .hint("leave out --follow and --for, or -o"));
        }
        let level = match (self.debug, &self.level) {
            (true, _) => Some(LevelWish::debug()),
            (false, Some(text)) => Some(LevelWish::parse(text)?),
            (false, None) => None,
        };
        // Of an Envoy that does not run, the log is what there is to look at.
        let which = if level.is_some() { Which::Running } else { Which::Any };
        Ok(Command::Logs(LogsTask {
            pods: ProxyPods { which, ..self.pods.options()? },
            container: self.container,
            extent,
            since: self.since.as_deref().map(|text| global::time("--since", text)).transpose()?,
            tail: self.tail,
            level,
        }))
    }
}
