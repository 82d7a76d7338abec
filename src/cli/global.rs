//! The flags of every command.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ValueEnum};

use super::formats::name;
use crate::command::{Called, flag};
use crate::error::Failure;
use crate::options::{Consent, Format, Global, Loudness, WantedContexts, When};
use crate::plan::advice::{Advice, Code};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag as it was typed; options() gives it a meaning")]
pub(super) struct GlobalArgs {
    /// Use this kubeconfig file
    #[arg(long, global = true, value_name = "FILE", env = "GLOO_RS_KUBECONFIG", hide_env = true)]
    kubeconfig: Option<PathBuf>,
    /// Use this context of the kubeconfig
    #[arg(
        long,
        visible_alias = "context",
        global = true,
        value_name = "NAME",
        env = "GLOO_RS_KUBE_CONTEXT",
        hide_env = true
    )]
    kube_context: Option<String>,
    /// Read these contexts, * is any text; for check, report, describe, revisions, url, address, certs and version
    #[arg(
        long,
        global = true,
        value_name = "NAME|PATTERN",
        env = "GLOO_RS_CONTEXTS",
        value_delimiter = ',',
        hide_env = true
    )]
    contexts: Vec<String>,
    /// Read all contexts of the kubeconfig, with the commands of --contexts
    #[arg(long, global = true, env = "GLOO_RS_ALL_CONTEXTS", hide_env = true, value_parser = switch)]
    all_contexts: bool,
    /// Look for the named object in this namespace [default: gloo-system]
    #[arg(short, long, global = true, value_name = "NS", env = "GLOO_RS_NAMESPACE", hide_env = true)]
    namespace: Option<String>,
    /// Look for Gloo in this namespace [default: -n if it holds Gloo's Settings, else gloo-system]
    #[arg(long, global = true, value_name = "NS", env = "GLOO_RS_GLOO_NAMESPACE", hide_env = true)]
    gloo_namespace: Option<String>,
    /// Act as this user
    #[arg(long = "as", global = true, value_name = "USER", env = "GLOO_RS_AS", hide_env = true)]
    as_user: Option<String>,
    /// Act as this group; can be repeated
    #[arg(
        long = "as-group",
        global = true,
        value_name = "GROUP",
        env = "GLOO_RS_AS_GROUP",
        value_delimiter = ',',
        hide_env = true
    )]
    as_groups: Vec<String>,
    /// Act as this UID
    #[arg(long, global = true, value_name = "UID", env = "GLOO_RS_AS_UID", hide_env = true)]
    as_uid: Option<String>,
    /// Print in this format: text, json, yaml, name, table, wide, csv, sarif, junit, html or markdown (each command has some of them)
    #[arg(short, long, global = true, value_name = "FORMAT", env = "GLOO_RS_OUTPUT", hide_env = true)]
    output: Option<String>,
    /// Limit each API request with its retries to this time
    #[arg(long, global = true, value_name = "TIME", default_value = "30s", env = "GLOO_RS_TIMEOUT", hide_env = true)]
    timeout: String,
    /// Limit each wait to this time
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        default_value = "5m",
        env = "GLOO_RS_WAIT_TIMEOUT",
        hide_env = true
    )]
    wait_timeout: String,
    /// Colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", env = "GLOO_RS_COLOR", hide_env = true)]
    color: Color,
    /// Print only errors and warnings on stderr
    #[arg(short, long, global = true, env = "GLOO_RS_QUIET", hide_env = true, value_parser = switch, conflicts_with = "verbose")]
    quiet: bool,
    /// Show every request and the causes of a failure; -vv also shows how long each request took
    #[arg(short, long, global = true, action = ArgAction::Count, env = "GLOO_RS_VERBOSE", hide_env = true)]
    verbose: u8,
    /// Do not ask before a risky change
    #[arg(short, long, global = true, env = "GLOO_RS_YES", hide_env = true, value_parser = switch)]
    yes: bool,

    #[arg(short, long, global = true, hide = true)]
    config: Option<PathBuf>,
    #[arg(short, long, global = true, hide = true)]
    interactive: bool,
    #[arg(long, global = true, hide = true)]
    use_consul: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl GlobalArgs {
    /// glooctl's flags that mean nothing here: accepted with a note, or refused.
    pub(super) fn leftovers(&self) -> Result<Vec<Advice>, Failure> {
        if self.use_consul {
            return Err(Failure::usage("--use-consul: Upstreams in Consul are not supported")
                .hint("leave the flag out to use the Upstreams of the Kubernetes API"));
        }
        let mut typed = Vec::new();
        typed.extend(self.config.is_some().then_some("--config"));
        typed.extend(self.interactive.then_some("--interactive"));
        Ok(if typed.is_empty() {
            Vec::new()
        } else {
            vec![Advice::note(
                Code::NoEffect,
                format!("{} has no effect: there is no config file and no interactive mode", typed.join(", ")),
            )]
        })
    }

    /// What was meant; `formats` are those of the command, its usual one first.
    pub(super) fn options(&self, formats: &[Format]) -> Result<Global, Failure> {
        for (flag, value) in [("--as", &self.as_user), ("--as-uid", &self.as_uid)] {
            if value.as_deref() == Some("") {
                return Err(empty(flag));
            }
        }
        if self.as_groups.iter().any(String::is_empty) {
            return Err(empty("--as-group"));
        }
        if self.as_user.is_none() && (!self.as_groups.is_empty() || self.as_uid.is_some()) {
            return Err(Failure::usage("--as-group and --as-uid need --as").hint(flag("--as").text(" USER")));
        }
        for (flag, value) in [("--namespace", &self.namespace), ("--gloo-namespace", &self.gloo_namespace)] {
            if let Some(namespace) = value {
                super::istio::names::check_namespace(flag, namespace)?;
            }
        }
        Ok(Global {
            kubeconfig: self.kubeconfig.clone(),
            context: self.kube_context.clone(),
            contexts: self.contexts()?,
            namespace: self.namespace.clone(),
            gloo_namespace: self.gloo_namespace.clone(),
            as_user: self.as_user.clone(),
            as_groups: self.as_groups.clone(),
            as_uid: self.as_uid.clone(),
            format: format(self.output.as_deref(), formats)?,
            timeout: time("--timeout", &self.timeout)?,
            wait_timeout: time("--wait-timeout", &self.wait_timeout)?,
            colour: match self.color {
                Color::Auto => When::Auto,
                Color::Always => When::Always,
                Color::Never => When::Never,
            },
            loudness: match (self.quiet, self.verbose) {
                (true, _) => Loudness::Quiet,
                (false, 0) => Loudness::Usual,
                (false, 1) => Loudness::Verbose,
                (false, _) => Loudness::Timed,
            },
            consent: if self.yes { Consent::Given } else { Consent::Ask },
            called: Called::default(),
        })
    }
}

impl GlobalArgs {
    fn contexts(&self) -> Result<Option<WantedContexts>, Failure> {
        let wanted = match (self.contexts.as_slice(), self.all_contexts) {
            ([], false) => return Ok(None),
            ([], true) => WantedContexts::All,
            (_, true) => return Err(Failure::usage("--contexts and --all-contexts exclude each other")),
            (names, false) if names.iter().any(String::is_empty) => {
                return Err(Failure::usage("--contexts has an empty name"));
            }
            (names, false) => WantedContexts::Named(names.to_vec()),
        };
        if self.kube_context.is_some() {
            return Err(Failure::usage(
                "--kube-context selects one cluster, --contexts and --all-contexts select several",
            )
            .detail("the variables GLOO_RS_KUBE_CONTEXT, GLOO_RS_CONTEXTS and GLOO_RS_ALL_CONTEXTS count as flags")
            .hint("use one of them"));
        }
        Ok(Some(wanted))
    }
}

fn empty(flag: &str) -> Failure {
    Failure::usage(format!("{flag} is empty")).hint("leave the flag out to act as yourself")
}

fn format(typed: Option<&str>, formats: &[Format]) -> Result<Format, Failure> {
    match typed {
        None => Ok(formats[0]),
        Some(typed) => formats.iter().find(|format| name(**format) == typed).copied().ok_or_else(|| {
            let known: Vec<_> = formats.iter().copied().map(name).collect();
            Failure::usage(format!("--output {typed:?} is not a format of this command"))
                .hint(format!("its formats are {}", known.join(", ")))
        }),
    }
}

/// A switch as its variable has it. What is neither is no yes, least of all to what is asked before it is done.
fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "t" | "yes" | "y" | "on" => Ok(true),
        "" | "0" | "false" | "f" | "no" | "n" | "off" => Ok(false),
        _ => Err("expected yes or no".to_owned()),
    }
}

/// No wait is longer: a time that is added to the clock must not overflow it.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// `30s`, `5m`, `1h30m`; a bare number is seconds, as kubectl reads `--request-timeout`.
pub(super) fn time(flag: &str, text: &str) -> Result<Duration, Failure> {
    let parsed = match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => text.parse::<jiff::SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok()),
    };
    parsed.filter(|time| !time.is_zero()).map(|time| time.min(LONGEST)).ok_or_else(|| {
        Failure::usage(format!("{flag} {text:?} is not a time")).hint("use a time such as 30s, 5m or 1h30m, not zero")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_yes_or_no() {
        assert!(["1", "true", "Yes", "on"].iter().all(|text| switch(text) == Ok(true)));
        assert!(["", "0", "FALSE", "no", "off"].iter().all(|text| switch(text) == Ok(false)));
        assert!([" ", "maybe", "2"].iter().all(|text| switch(text).is_err()));
    }

    #[test]
    fn times_are_kubectls() {
        assert_eq!(time("--timeout", "30").unwrap(), Duration::from_secs(30));
        assert_eq!(time("--timeout", "18446744073709551615").unwrap(), LONGEST);
        assert_eq!(time("--timeout", "1m30s").unwrap(), Duration::from_secs(90));
        assert_eq!(time("--timeout", "500ms").unwrap(), Duration::from_millis(500));
        for text in ["", "0", "0s", "-5s", "soon"] {
            assert!(time("--timeout", text).is_err(), "{text:?}");
        }
    }
}
