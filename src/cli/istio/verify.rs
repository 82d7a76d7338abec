//! `gloo-rs istio verify`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::names::named;
use crate::cli::help;
use crate::cli::proxy::pods::PodsArgs;
use crate::command::flag;
use crate::error::Failure;
use crate::options::{Command, HTTP_PORT, PodsOf, ProxyTarget, TrustWish, VerifyTask, Via};
use crate::plan::proxy_pods::PodAmount;
use crate::text::Host;
use crate::text::url::{Url, is_path};

/// Send a request through the gateway and show whether it used mutual TLS, or why not
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::VERIFY)]
pub(crate) struct VerifyArgs {
    /// Expect this Upstream to answer: NAME or NAMESPACE/NAME
    #[arg(short, long, value_name = "NAME", required_unless_present_any = ["url", "host"])]
    upstream: Option<String>,
    /// Send the request to this URL, at its own address
    #[arg(long, value_name = "URL", conflicts_with_all = ["host", "path", "port"])]
    url: Option<String>,
    /// Send the request to this host [default: the host of a route to the Upstream]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Send the request to this path, with its query [default: the path of the route, or /get]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Use this method; a method that is not idempotent is sent only once
    #[arg(short = 'X', long = "request", value_name = "METHOD", default_value = "GET")]
    method: String,
    /// Send this header; NAME: VALUE, can be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Use this port of the Service, by name or number; with --via forward of the pod [default: http, or 8080]
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Accept any certificate of the gateway
    #[arg(short = 'k', long, conflicts_with = "cacert")]
    insecure: bool,
    /// Accept only certificates of these CAs (PEM)
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Send the request this way [default: address; forward with --all-pods]
    #[arg(long, value_name = "WAY")]
    via: Option<Word>,
    /// Expect this status
    #[arg(long, value_name = "STATUS", default_value_t = 200, value_parser = clap::value_parser!(u16).range(100..600))]
    expect: u16,
    #[command(flatten)]
    pods: PodsArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Word {
    /// To the address that 'proxy url' prints
    Address,
    /// Through a port-forward stream to a pod
    Forward,
}

/// Whether a request can have them.
///
/// # Errors
/// A usage failure where it cannot.
pub(super) fn check_host_and_path(host: Option<&str>, path: Option<&str>) -> Result<(), Failure> {
    if let Some(host) = host {
        let bare = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(host, _)| host);
        if Host::parse(bare.trim_matches(['[', ']'])).is_none() {
            return Err(Failure::usage(format!("--host {host:?} is not a host")));
        }
    }
    match path.filter(|path| !is_path(path)) {
        Some(path) => Err(Failure::usage(format!("--path {path:?} is not a URL path"))
            .hint("it must start with /, and special characters must be percent-encoded")),
        None => Ok(()),
    }
}

impl VerifyArgs {
    pub(crate) fn options(self) -> Result<Command, Failure> {
        let pods = self.pods.options()?;
        let via = self.via(&pods.proxy, pods.amount)?;
        let url = self
            .url
            .as_deref()
            .map(|text| Url::parse(text).map_err(|why| Failure::usage(format!("--url {text:?}: {why}"))));
        check_host_and_path(self.host.as_deref(), self.path.as_deref())?;
        let is_token =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if !is_token(&self.method) {
            return Err(Failure::usage(format!("-X {:?} is not an HTTP method", self.method)));
        }
        Ok(Command::Verify(Box::new(VerifyTask {
            upstream: self.upstream.as_deref().map(|text| named("--upstream", text)).transpose()?,
            url: url.transpose()?,
            host: self.host,
            path: self.path,
            method: self.method,
            headers: self.headers.iter().map(|text| header(text)).collect::<Result<_, _>>()?,
            via,
            pods,
            trust: match (self.insecure, self.cacert) {
                (true, _) => TrustWish::Anybody,
                (false, Some(file)) => TrustWish::File(file),
                (false, None) => TrustWish::System,
            },
            expect: self.expect,
        })))
    }

    fn via(&self, proxy: &PodsOf, amount: PodAmount) -> Result<Via, Failure> {
        let via = self.via.unwrap_or(if amount == PodAmount::All { Word::Forward } else { Word::Address });
        match (via, amount) {
            (Word::Address, PodAmount::All) => {
                Err(Failure::usage("--all-pods needs --via forward: an address can lead to any pod"))
            }
            (Word::Forward, _) if self.insecure || self.cacert.is_some() => {
                Err(Failure::usage("-k and --cacert need --via address: a stream to a pod is plain HTTP"))
            }
            (Word::Forward, _) => {
                let port = self.port.as_deref().map(|port| {
                    port.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
                        Failure::usage(format!(
                            "--port {port:?}: with --via forward it must be the number of a pod's port"
                        ))
                    })
                });
                Ok(Via::Forward { port: port.transpose()?.unwrap_or(HTTP_PORT) })
            }
            (Word::Address, PodAmount::One) => {
                let target = match proxy {
                    PodsOf::Gateway(gateway) => ProxyTarget::Gateway(gateway.clone()),
                    // The URL has its own address.
                    PodsOf::Named(name) if self.url.is_some() => ProxyTarget::Service(name.name.clone()),
                    PodsOf::Named(name) => ProxyTarget::Service(name.service_name()?.to_owned()),
                };
                Ok(Via::Address { target, port: self.port.clone() })
            }
        }
    }
}

fn header(text: &str) -> Result<(String, String), Failure> {
    let bad = |why: &str| Failure::usage(format!("-H {text:?}: {why}"));
    let (name, value) = text.split_once(':').ok_or_else(|| bad("it is not NAME: VALUE"))?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!#$%&'*+^`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(bad("its name is not an HTTP header name"));
    }
    if name.eq_ignore_ascii_case("host") {
        return Err(bad("the host cannot be set as a header").hint(flag("--host").text(" HOST")));
    }
    let value = value.trim();
    if value.chars().any(char::is_control) {
        return Err(bad("its value has control characters"));
    }
    Ok((name.to_owned(), value.to_owned()))
}
