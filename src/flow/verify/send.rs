//! Sends a request to the gateway's address, or through a port forward to one of its pods.

use crate::command::flag;
use crate::error::{Exit, Failure, Reason};
use crate::flow::address;
use crate::flow::notes::Notes;
use crate::kube::{ApiCause, InPod, Query, Scope, Session};
use crate::load::{named_file, proxy_pods};
use crate::model::{Object, kinds};
use crate::options::{self, Global, TrustWish, VerifyTask};
use crate::plan::address::{AddressReach, AddressWish};
use crate::plan::proxy_pods::ProxyPod;
use crate::plan::verdict::answer::HttpAnswer;
use crate::plan::verdict::route::{self, RouteQuery, Typed, USUAL_PATH};
use crate::probe::{self, Ask, ProbeTarget, Trust};
use crate::text::{Host, Scheme};

/// The destination of a request.
#[derive(Debug, Clone)]
pub(super) enum RequestWay {
    Address(ProbeTarget),
    Pod { pod: ProxyPod, port: u16 },
}

impl RequestWay {
    /// The pod, if the request is sent to one.
    pub(super) fn pod(&self) -> Option<&ProxyPod> {
        match self {
            Self::Address(_) => None,
            Self::Pod { pod, .. } => Some(pod),
        }
    }
}

/// The parts of the request that are the same for every destination.
pub(super) struct Sender<'s> {
    session: &'s Session,
    task: &'s VerifyTask,
    /// The requested host. `None` means the address of the destination.
    host: Option<String>,
    path: String,
    route: Option<RouteQuery>,
    ways: Vec<RequestWay>,
}

impl<'s> Sender<'s> {
    /// Determines the request and its destinations.
    ///
    /// # Errors
    /// They cannot be determined, or the gateway has no address.
    pub(super) async fn prepare(
        session: &'s Session,
        task: &'s VerifyTask,
        global: &Global,
        upstream: Option<&Object>,
        notes: &mut dyn Notes,
    ) -> Result<Self, Failure> {
        let route = match (upstream, &task.url) {
            (Some(upstream), None) => find_route(session, task, upstream, notes).await?,
            _ => None,
        };
        let trust = match &task.trust {
            TrustWish::System => Trust::System,
            TrustWish::Anybody => Trust::Anybody,
            TrustWish::File(path) => Trust::Authorities(named_file::read("--cacert", path)?),
        };
        let host = task.host.clone().or_else(|| route.as_ref().and_then(|route| route.host.clone()));
        let path = match (&task.url, &task.path, &route) {
            (Some(url), ..) => url.path.clone(),
            (_, Some(path), _) => path.clone(),
            (_, None, Some(route)) => route.path.clone(),
            (_, None, None) => USUAL_PATH.to_owned(),
        };
        let ways = match (&task.via, &task.url) {
            (options::Via::Forward { port }, _) => {
                let chosen = proxy_pods::find(session, global, &task.pods).await?;
                notes.advices(chosen.advice);
                chosen.pods.into_iter().map(|pod| RequestWay::Pod { pod, port: *port }).collect()
            }
            (options::Via::Address { .. }, Some(url)) => {
                let server_name = None;
                let place =
                    ProbeTarget { scheme: url.scheme, host: url.host.clone(), port: url.port, server_name, trust };
                vec![RequestWay::Address(place)]
            }
            (options::Via::Address { target, port }, None) => {
                let needs_tls = route.as_ref().is_some_and(|route| route.needs_tls);
                let wish = AddressWish {
                    port: port.clone().or_else(|| needs_tls.then(|| "https".to_owned())),
                    reach: AddressReach::ServiceType,
                    ..AddressWish::default()
                };
                let found = address::find(session, target, &wish, global).await.map_err(around)?;
                notes.advices(found.advice);
                let address = found.addresses.into_iter().next().expect("an address that was found");
                let scheme = address.scheme.unwrap_or(Scheme::Http);
                let server_name = host.as_deref().map(without_port).and_then(Host::parse).filter(|host| !host.is_ip());
                vec![RequestWay::Address(ProbeTarget {
                    scheme,
                    host: address.host,
                    port: address.port,
                    server_name,
                    trust,
                })]
            }
        };
        Ok(Self { session, task, host, path, route, ways })
    }

    /// The destinations, in order.
    pub(super) fn ways(&self) -> &[RequestWay] {
        &self.ways
    }

    /// The request as host and path, without the name of an Upstream.
    pub(super) fn subject(&self) -> String {
        match &self.host {
            Some(host) => format!("{host}{}", self.path),
            None => self.ways.first().map_or_else(|| self.path.clone(), |way| self.url(way)),
        }
    }

    pub(super) fn host(&self) -> Option<String> {
        self.host.clone()
    }

    pub(super) fn url(&self, way: &RequestWay) -> String {
        match way {
            RequestWay::Address(place) => {
                format!("{}://{}:{}{}", place.scheme.name(), place.host, place.port, self.path)
            }
            RequestWay::Pod { .. } => format!("http://{}{}", self.authority(way), self.path),
        }
    }

    /// The status line: `GET http://34.162.22.180:80/headers (Host: *, route httpbin)`.
    pub(super) fn line(&self, way: &RequestWay) -> String {
        let mut told = Vec::new();
        match (&self.host, &self.route) {
            (Some(host), _) => told.push(format!("Host: {host}")),
            (None, Some(_)) => told.push("Host: *".to_owned()),
            (None, None) => {}
        }
        told.extend(self.route.as_ref().map(|route| format!("route {}", route.by.name)));
        let told = if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) };
        match way {
            RequestWay::Address(_) => format!("{} {}{told}", self.task.method, self.url(way)),
            RequestWay::Pod { pod, port } => {
                format!("{} {}{told} to pod {}/{} port {port}", self.task.method, self.path, pod.namespace, pod.name)
            }
        }
    }

    fn authority(&self, way: &RequestWay) -> String {
        match (&self.host, &self.task.url, way) {
            (Some(host), ..) => host.clone(),
            (None, Some(url), _) if [80, 443].contains(&url.port) => url.host.to_string(),
            (None, Some(url), _) => format!("{}:{}", url.host, url.port),
            (None, None, RequestWay::Address(place)) => format!("{}:{}", place.host, place.port),
            (None, None, RequestWay::Pod { .. }) => "localhost".to_owned(),
        }
    }

    /// Sends the request once.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) async fn send(&self, way: &RequestWay) -> Result<HttpAnswer, Failure> {
        match way {
            RequestWay::Address(place) => self.to_address(way, place).await,
            RequestWay::Pod { pod, port } => self.to_pod(way, pod, *port).await,
        }
    }

    async fn to_address(&self, way: &RequestWay, place: &ProbeTarget) -> Result<HttpAnswer, Failure> {
        let ask = Ask {
            method: self.task.method.clone(),
            path: self.path.clone(),
            host: self.authority(way),
            headers: self.headers(),
        };
        let answer = probe::ask(place, &ask, self.session.timeout()).await;
        answer.map_err(|failure| unanswered(&failure, &self.url(way), self.task.is_idempotent()))
    }

    async fn to_pod(&self, way: &RequestWay, pod: &ProxyPod, port: u16) -> Result<HttpAnswer, Failure> {
        let mut headers = vec![("host".to_owned(), self.authority(way))];
        headers.extend(self.headers());
        let ask = InPod { method: self.task.method.clone(), headers, ..InPod::get(self.path.clone()) };
        let asked = self.session.ask_in_pod(&pod.namespace, &pod.name, port, &ask).await;
        let mut came = asked.map_err(|failure| failure.into_failure(self.session))?;
        let mut answer = HttpAnswer { status: came.status, headers: came.headers.clone(), ..HttpAnswer::default() };
        // If the body ends early, the status is still valid.
        while let Ok(Some(chunk)) = came.chunk().await {
            if !answer.take(&chunk, probe::MOST_BODY) {
                break;
            }
        }
        Ok(answer)
    }

    fn headers(&self) -> Vec<(String, String)> {
        let mut headers = self.task.headers.clone();
        let is_there = |name: &str| self.task.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        for (name, value) in [("user-agent", AGENT), ("accept", "*/*")] {
            if !is_there(name) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        headers
    }
}

const AGENT: &str = concat!("gloo-rs/", env!("CARGO_PKG_VERSION"));

fn without_port(host: &str) -> &str {
    host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(host, _)| host)
}

/// Adds the hint that `--via forward` works without an address.
fn around(failure: Failure) -> Failure {
    failure.hint(flag("--via").text(" forward sends it through the API server to a pod, and needs no address"))
}

async fn find_route(
    session: &Session,
    task: &VerifyTask,
    upstream: &Object,
    notes: &mut dyn Notes,
) -> Result<Option<RouteQuery>, Failure> {
    let typed = Typed { host: task.host.as_deref(), path: task.path.as_deref(), method: &task.method };
    let listed = session.list_all(&kinds::VIRTUAL_SERVICE, Scope::All, Query::default()).await;
    let nothing_typed = task.host.is_none() && task.path.is_none();
    let services: Vec<Object> = match listed {
        Ok(all) => all.into_iter().map(|value| Object::new(&kinds::VIRTUAL_SERVICE, value)).collect(),
        Err(error) if nothing_typed => {
            let failure = error.into_failure(session);
            return Err(failure
                .hint(flag("--host").text(" and --path say what to request, and need no permission to list routes")));
        }
        Err(error) => {
            notes.verbose(&format!("routes could not be read: {error}"));
            return Ok(None);
        }
    };
    let found = route::to_upstream(&services, &upstream.reference, typed);
    let all_typed = task.host.is_some() && task.path.is_some();
    if found.is_some() || all_typed {
        return Ok(found);
    }
    let needs = |line: &str| Failure::new(Exit::Failed, Reason::NeedsFlag, format!("{}: {line}", upstream.reference));
    let methods = route::other_methods(&services, &upstream.reference, typed);
    if let Some(method) = methods.first() {
        let line = format!("its plain routes take {}, not {}", methods.join(", "), task.method);
        return Err(needs(&line)
            .hint(format!("-X {method}"))
            .hint(flag("--host").text(" and --path send it whatever routes there are")));
    }
    if !nothing_typed {
        return Ok(None);
    }
    Err(needs("no VirtualService has a plain route to it")
        .detail("a route with it as the single destination, without delegation and conditions on headers")
        .hint(flag("--host").text(" and --path of a request that is routed there")))
}

fn unanswered(failure: &probe::ProbeFailure, url: &str, is_idempotent: bool) -> Failure {
    let forward =
        flag("--via").text(" forward sends it through the API server to a pod, without the network in between");
    let may_be_done = |failure: Failure| match is_idempotent {
        true => failure,
        false => failure.detail("the request may have had an effect"),
    };
    match failure {
        probe::ProbeFailure::NotARequest(why) => Failure::usage(format!("this cannot be sent: {why}")),
        probe::ProbeFailure::Trust(why) => Failure::new(Exit::Failed, Reason::File, format!("--cacert {why}")),
        probe::ProbeFailure::Timeout(after) => {
            let line = format!("no answer from {url} within {}s", after.as_secs_f32());
            may_be_done(Failure::new(Exit::NoAnswer, Reason::Timeout, line))
                .hint(flag("--timeout").text(" waits longer"))
                .hint(forward)
        }
        probe::ProbeFailure::Wire(ApiCause::Tls(fault)) => {
            let line = format!("no TLS with {url}: {}", fault.why());
            Failure::new(Exit::NoAnswer, Reason::Tls, line)
                .hint("-k accepts any certificate, --cacert FILE those of an authority, --host sets the expected name")
        }
        probe::ProbeFailure::Wire(cause) => {
            let (why, sent) = match cause {
                ApiCause::Unreachable { why, sent } => (why.clone(), *sent),
                other => (format!("{other:?}"), true),
            };
            let line = format!("no answer from {url}: {why}");
            let failure = Failure::new(Exit::NoAnswer, Reason::Unreachable, line);
            if sent { may_be_done(failure) } else { failure }.hint(forward)
        }
    }
}
