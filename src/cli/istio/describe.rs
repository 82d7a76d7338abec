//! `gloo-rs istio describe`.

use clap::Subcommand;
use clap::builder::PossibleValuesParser;

use crate::cli::baseline::BaselineArgs;
use crate::cli::help;
use crate::command::{flag, quoted};
use crate::error::Failure;
use crate::model::Selector;
use crate::options::{BaselineTask, Command, Describe, DescribeSubject, SweepScope};
use crate::plan::path::Verdict;
use crate::plan::routes::Request;

/// Show how the gateway connects to the pods that answer a request, and whether that works
///
/// Follows host and path through Gateways, `VirtualServices`, `RouteTables` and `HTTPRoutes`. The verdict is mtls, tls,
/// mixed, plaintext, broken or unknown. Writes nothing and sends no request through a gateway. If a port-forward is
/// allowed, reads the certificate of the gateway's Envoy.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true, after_help = help::istio::DESCRIBE)]
pub(crate) struct DescribeArgs {
    #[command(subcommand)]
    word: Option<Word>,
    /// Describe a request with this Host header; add the port if the client sends it
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Use this path; with the query if routes match on it
    #[arg(long, value_name = "PATH", default_value = "/", requires = "host")]
    path: String,
    /// Use this port, of the gateway or of its Service [default: any]
    #[arg(long, value_name = "PORT", requires = "host", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    #[command(flatten)]
    threshold: Threshold,
}

#[derive(Debug, Subcommand)]
enum Word {
    Upstream(UpstreamArgs),
    Upstreams(UpstreamsArgs),
}

/// Show how the gateway connects to one Upstream, and the source of each fact
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::DESCRIBE_UPSTREAM)]
struct UpstreamArgs {
    /// The Upstream, as NAME or NAMESPACE/NAME
    name: String,
    #[command(flatten)]
    threshold: Threshold,
}

/// List the verdict of every Upstream, and of every Service that a route uses without one
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::DESCRIBE_UPSTREAMS)]
struct UpstreamsArgs {
    /// List only Upstreams with these labels; also Services with these labels that routes use directly
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// List all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Show only these verdicts; commas separate several
    #[arg(long, value_name = "VERDICT", value_delimiter = ',', value_parser = verdicts())]
    only: Vec<String>,
    #[command(flatten)]
    threshold: Threshold,
    #[command(flatten)]
    baseline: BaselineArgs,
}

#[derive(Debug, clap::Args)]
struct Threshold {
    /// Exit with code 3 if a verdict is one of these; commas separate several
    #[arg(long, value_name = "VERDICT", value_delimiter = ',', value_parser = verdicts())]
    fail_on: Vec<String>,
}

fn verdicts() -> PossibleValuesParser {
    PossibleValuesParser::new(Verdict::ALL.map(Verdict::name))
}

fn read(names: &[String]) -> Vec<Verdict> {
    names.iter().filter_map(|name| Verdict::named(name)).collect()
}

impl DescribeArgs {
    pub(crate) fn options(self) -> Result<Command, Failure> {
        let mut baseline = BaselineTask::default();
        let (subject, threshold) = match self.word {
            Some(Word::Upstream(args)) => {
                (DescribeSubject::Upstream(super::names::named("NAME", &args.name)?), args.threshold)
            }
            Some(Word::Upstreams(args)) => {
                let labels = args.selector.as_deref().map(Selector::parse).transpose();
                let labels = labels.map_err(|why| Failure::usage(format!("--selector {why}")))?;
                baseline = args.baseline.options()?;
                if baseline.compare.is_some() && !args.threshold.fail_on.is_empty() {
                    return Err(Failure::usage("--fail-on cannot be used with --baseline")
                        .hint("without it the exit code is 3 only if something got worse"));
                }
                let scope = if args.all_namespaces { SweepScope::Everywhere } else { SweepScope::Namespace };
                (DescribeSubject::All { labels, scope, only: read(&args.only) }, args.threshold)
            }
            None => {
                let host = self.host.ok_or_else(|| {
                    Failure::usage("nothing to describe")
                        .hint(flag("--host").text(" HOST, or upstream NAME, or upstreams"))
                })?;
                (DescribeSubject::Request(request(&host, &self.path, self.port)?), self.threshold)
            }
        };
        Ok(Command::Describe(Describe { subject, fail_on: read(&threshold.fail_on), baseline }))
    }
}

/// A request as a client would send it; an address out of a browser is taken apart.
fn request(host: &str, path: &str, port: Option<u16>) -> Result<Request, Failure> {
    if host.contains("://") || host.contains('/') {
        let bare = host.split("://").last().unwrap_or_default().split('/').next().unwrap_or_default();
        return Err(Failure::usage(format!("--host {host:?} is not a host"))
            .hint(flag("--host").text(format!(" {} --path /PATH", quoted(bare)))));
    }
    if host.is_empty() || host.len() > 255 || host.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Failure::usage(format!("--host {host:?} is not a host")));
    }
    if !path.starts_with('/') {
        return Err(Failure::usage(format!("--path {path:?} does not start with /"))
            .hint(flag("--path").text(format!(" {}", quoted(&format!("/{path}"))))));
    }
    let path = path.split('#').next().unwrap_or_default();
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query.to_owned())));
    Ok(Request { host: host.to_owned(), path: path.to_owned(), query, port })
}
