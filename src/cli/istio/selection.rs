//! Which Upstreams, and what to do with them: the flags of `enable-mtls` and `disable-mtls`.

use crate::cli::preview;
use crate::error::Failure;
use crate::model::Selector;
use crate::options::{Absent, Command, Global, Mtls, Scope, Selection};
use crate::plan::mtls::{Caution, Foreign, Policy, Wish};

#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag as it was typed; options() gives it a meaning")]
pub struct SelectionArgs {
    /// An Upstream, as NAME or NAMESPACE/NAME; can be repeated, commas separate several
    #[arg(short, long = "upstream", value_name = "NAME", value_delimiter = ',')]
    upstreams: Vec<String>,
    /// All Upstreams with these labels
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// All Upstreams
    #[arg(long)]
    all: bool,
    /// In all namespaces; alone it means --all there
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Replace TLS settings that are not Istio's
    #[arg(long)]
    overwrite: bool,
    /// Take also what a sweep would skip
    #[arg(long)]
    force: bool,
    /// A name or a selection without Upstreams is no failure
    #[arg(long)]
    ignore_not_found: bool,
    /// Requests under way at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    #[command(flatten)]
    preview: preview::PreviewArgs,
    /// Accepted for glooctl's sake: it has no effect there either
    #[arg(long, hide = true)]
    name: Option<String>,
}

impl SelectionArgs {
    pub fn options(self, wish: Wish, global: &Global) -> Result<Command, Failure> {
        let selection = self.selection(wish)?;
        let secrets = self.preview.secrets();
        Ok(Command::Mtls(Mtls {
            policy: Policy {
                wish,
                foreign: if self.overwrite { Foreign::Replace } else { Foreign::Keep },
                caution: if self.force { Caution::Forced } else { Caution::Careful },
            },
            selection,
            absent: if self.ignore_not_found { Absent::IsFine } else { Absent::Fails },
            concurrency: usize::from(self.concurrency),
            preview: self.preview.preview(),
            files: self.preview.files(global.format)?,
            secrets,
        }))
    }

    fn selection(&self, wish: Wish) -> Result<Selection, Failure> {
        let sweeps = self.all || self.all_namespaces || self.selector.is_some();
        match (self.upstreams.is_empty(), sweeps) {
            (true, false) => Err(Failure::usage(format!("which Upstreams should {}-mtls take?", wish.verb()))
                .hint("--upstream NAME, --selector LABELS or --all")),
            (false, true) => Err(Failure::usage("--upstream names some, --all, -A and --selector sweep: not both")
                .hint("NAMESPACE/NAME names one in another namespace")),
            (false, false) => {
                let mut named = Vec::new();
                for text in &self.upstreams {
                    let one = super::names::named("--upstream", text)?;
                    if !named.contains(&one) {
                        named.push(one);
                    }
                }
                Ok(Selection::Named(named))
            }
            (true, true) => {
                let labels = self
                    .selector
                    .as_deref()
                    .map(|text| {
                        Selector::parse(text).map_err(|why| Failure::usage(format!("--selector {text:?}: {why}")))
                    })
                    .transpose()?;
                let scope = if self.all_namespaces { Scope::Everywhere } else { Scope::Namespace };
                Ok(Selection::Sweep { labels, scope })
            }
        }
    }
}
