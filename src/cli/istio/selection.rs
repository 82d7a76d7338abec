//! Which Upstreams: the flags of every command that edits them one by one.

use crate::cli::preview::PreviewArgs;
use crate::command::flag;
use crate::error::Failure;
use crate::model::Selector;
use crate::options::{Absent, Global, ObjectsTask, Patience, Preview, Selection, SweepScope};
use crate::plan::policy::Caution;
use crate::render::diff::Secrets;

#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag as it was typed; options() gives it a meaning")]
pub(super) struct SelectionArgs {
    /// Change this Upstream: NAME or NAMESPACE/NAME; can be repeated, commas separate several
    #[arg(short, long = "upstream", value_name = "NAME", value_delimiter = ',')]
    upstreams: Vec<String>,
    /// Change all Upstreams with these labels
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Change all Upstreams
    #[arg(long)]
    all: bool,
    /// Change Upstreams in all namespaces; without -l it means all of them
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Proceed even if requests may get 503s
    #[arg(long)]
    force: bool,
    /// Succeed even if no Upstream matches; a name or a selection
    #[arg(long)]
    ignore_not_found: bool,
    /// Send at most this many requests at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
}

impl SelectionArgs {
    /// Whether no Upstream is asked for at all.
    pub(super) fn is_empty(&self) -> bool {
        self.upstreams.is_empty() && !self.sweeps()
    }

    fn sweeps(&self) -> bool {
        self.all || self.all_namespaces || self.selector.is_some()
    }

    pub(super) fn caution(&self) -> Caution {
        if self.force { Caution::Forced } else { Caution::Careful }
    }

    /// The objects of the command that is called so.
    pub(super) fn objects(&self, command: &str, preview: PreviewArgs, global: &Global) -> Result<ObjectsTask, Failure> {
        let of_cluster = self.of_cluster(command, (preview.preview(), preview.secrets()))?;
        Ok(ObjectsTask { files: preview.files(global.format)?, ..of_cluster })
    }

    /// The objects of a command that is about the cluster alone.
    pub(super) fn of_cluster(
        &self,
        command: &str,
        (preview, secrets): (Preview, Secrets),
    ) -> Result<ObjectsTask, Failure> {
        Ok(ObjectsTask {
            selection: self.selection(command)?,
            absent: if self.ignore_not_found { Absent::IsFine } else { Absent::Fails },
            concurrency: usize::from(self.concurrency),
            preview,
            patience: Patience::Now,
            observation: None,
            secrets,
            files: None,
        })
    }

    fn selection(&self, command: &str) -> Result<Selection, Failure> {
        match (self.upstreams.is_empty(), self.sweeps()) {
            (true, false) => Err(Failure::usage(format!("{command} needs Upstreams to change"))
                .hint(flag("--upstream").text(" NAME, --selector LABELS or --all"))),
            (false, true) => Err(Failure::usage("--upstream cannot be combined with --all, -A or --selector")
                .hint("NAMESPACE/NAME names an Upstream in another namespace")),
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
                let scope = if self.all_namespaces { SweepScope::Everywhere } else { SweepScope::Namespace };
                Ok(Selection::Sweep { labels, scope })
            }
        }
    }
}
