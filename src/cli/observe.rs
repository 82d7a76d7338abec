//! The flags of a change that is watched: `--observe`, `--batch` and what belongs to them.

use std::time::Duration;

use clap::ValueEnum;

use super::global::time;
use crate::command::flag;
use crate::error::Failure;
use crate::options::{BatchSize, FilesTask, Observation, OnSilence, OnWorse, USUAL_WINDOW};
use crate::plan::observe::{Limits, Share};

/// Those of a command that changes a single object, or that makes all changes together.
#[derive(Debug, clap::Args)]
pub(super) struct ObserveArgs {
    /// Watch requests for this time around the change; before it and after it, and roll it back if more of them fail
    #[arg(long, value_name = "TIME")]
    observe: Option<String>,
    /// Allow this share of 5xx answers; with --observe [default: not more than before]
    #[arg(long, value_name = "RATE")]
    max_5xx: Option<String>,
    /// Require this many requests to each object; with --observe
    #[arg(long, value_name = "N", default_value_t = 20)]
    min_requests: u64,
    /// Choose what follows too few requests; with --observe
    #[arg(long, value_name = "WHAT", default_value = "stop")]
    on_silence: Silence,
}

/// Those of a command that changes many objects one by one.
#[derive(Debug, clap::Args)]
pub(super) struct BatchArgs {
    /// Change this many Upstreams at a time; or this percentage, and watch each batch as with --observe 60s
    #[arg(long, value_name = "N|N%")]
    batch: Option<String>,
    #[command(flatten)]
    observe: ObserveArgs,
    /// Roll back only what became worse, and go on; with --observe
    #[arg(long)]
    continue_on_failure: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Silence {
    /// Keep the change and end with exit code 7
    Stop,
    /// Go on
    Continue,
    /// Send a request, as istio verify does
    Verify,
}

impl ObserveArgs {
    fn is_typed(&self) -> bool {
        self.max_5xx.is_some() || self.min_requests != 20 || self.on_silence != Silence::Stop
    }

    /// What was typed; `usual` is the time if only a batch was asked for.
    fn observation(&self, usual: Option<Duration>) -> Result<Option<Observation>, Failure> {
        let window = self.observe.as_deref().map(|text| time("--observe", text)).transpose()?.or(usual);
        let Some(window) = window else {
            return match self.is_typed() {
                true => Err(needs_observe("--max-5xx, --min-requests and --on-silence need")),
                false => Ok(None),
            };
        };
        let share = |text: &str| {
            Share::parse(text).ok_or_else(|| {
                Failure::usage(format!("--max-5xx {text:?} is not a rate")).hint("use a rate such as 1%, 0.5% or 0.01")
            })
        };
        let limits =
            Limits { max_5xx: self.max_5xx.as_deref().map(share).transpose()?, min_requests: self.min_requests };
        let silence = match self.on_silence {
            Silence::Stop => OnSilence::Stop,
            Silence::Continue => OnSilence::Continue,
            Silence::Verify => OnSilence::Verify,
        };
        Ok(Some(Observation { batch: None, window, limits, silence, failure: OnWorse::Stop }))
    }

    /// What was typed for a single change.
    pub(super) fn single(&self, files: Option<&FilesTask>) -> Result<Option<Observation>, Failure> {
        unless_files(self.observation(None)?, files)
    }
}

impl BatchArgs {
    /// What was typed; if nothing was, one object at a time with a request to each.
    pub(super) fn or_by_request(&self, objects: Option<usize>) -> Result<Observation, Failure> {
        let is_typed = self.batch.is_some() || self.observe.observe.is_some() || self.observe.is_typed();
        let by_request = Observation::by_request(self.on_worse());
        if is_typed { Ok(self.options(objects, None)?.unwrap_or(by_request)) } else { Ok(by_request) }
    }

    fn on_worse(&self) -> OnWorse {
        if self.continue_on_failure { OnWorse::Continue } else { OnWorse::Stop }
    }

    /// What was typed for a change of `objects`, if their number is known.
    pub(super) fn options(
        &self,
        objects: Option<usize>,
        files: Option<&FilesTask>,
    ) -> Result<Option<Observation>, Failure> {
        let batch = self.batch.as_deref().map(batch_size).transpose()?;
        if batch.is_some() && objects == Some(1) {
            return Err(Failure::usage("--batch needs several Upstreams")
                .hint(flag("--observe").text(" TIME watches a single change")));
        }
        let observation = self.observe.observation(batch.map(|_| USUAL_WINDOW))?;
        if observation.is_none() && self.continue_on_failure {
            return Err(needs_observe("--continue-on-failure needs"));
        }
        let failure = self.on_worse();
        unless_files(observation.map(|observation| Observation { batch, failure, ..observation }), files)
    }
}

fn needs_observe(what: &str) -> Failure {
    Failure::usage(format!("{what} --observe or --batch")).hint(flag("--observe").text(" TIME watches the change"))
}

fn unless_files(observation: Option<Observation>, files: Option<&FilesTask>) -> Result<Option<Observation>, Failure> {
    match files {
        Some(_) if observation.is_some() => {
            Err(Failure::usage("--observe and --batch need the cluster, and -f does not use it").hint("leave one out"))
        }
        _ => Ok(observation),
    }
}

fn batch_size(text: &str) -> Result<BatchSize, Failure> {
    let size = match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().filter(|percent| (1..=100).contains(percent)).map(BatchSize::Percent),
        None => text.parse().ok().map(BatchSize::Objects),
    };
    size.ok_or_else(|| {
        Failure::usage(format!("--batch {text:?} is not a number of objects"))
            .hint("use a number such as 5, or a percentage from 1% to 100%")
    })
}
