//! `istio verify`: sends a request through the gateway and compares Envoy's counters before and after.

use crate::flow::session;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use jiff::Timestamp;

use self::send::{RequestWay, Sender};
use super::again;
use super::notes::Notes;
use super::report::Report;
use crate::command::{CommandLine, Hint, Program};
use crate::error::{Exit, Failure};
use crate::kube::Session;
use crate::load::survey::SurveyReader;
use crate::load::witness::{self, Backends, Envoys, MOST_PODS, Moment};
use crate::load::{absence, gateway_parameters, gateways, proxy_pods};
use crate::model::{Object, ObjectRef, kinds};
use crate::options::{Global, PodsOf, ProxyPods, VerifyTask};
use crate::plan::Unread;
use crate::plan::advice::Advice;
use crate::plan::gateway::Gateway;
use crate::plan::proxy_pods::{PodAmount, ProxyPod};
use crate::plan::verdict::answer::{CLIENT_CERT, HttpAnswer};
use crate::plan::verdict::counters::{CounterChange, Receivers, Went};
use crate::plan::verdict::evidence::{Evidence, Evident, SentTls, Upstream, cluster_name, in_memory, upstream_of};
use crate::plan::verdict::tunnel::{Tunnel, TunnelEnd};
use crate::plan::verdict::{RequestVerdict, VerdictKind, judge, wants_another_sample};
use crate::render::text::short_name;
use crate::render::verdict::{self as shown, AskedRequest};

mod send;

/// Further samples give no more information.
const MOST_SAMPLES: usize = 3;

/// Sends the request, to one address or to each pod, and reports the results.
///
/// # Errors
/// The request could not be sent or got no answer.
pub(super) async fn run(task: &VerifyTask, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    report.extend_field("verdicts", Vec::new());
    let session = session::open(global, report).await?;
    Box::pin(judged(&session, task, global, report)).await?.say(report);
    Ok(())
}

/// The results of a request, one for each way it was sent.
#[derive(Default)]
pub(super) struct JudgedRequest {
    answers: Vec<(AskedRequest, RequestVerdict)>,
    /// Of several pods, the failures of those that could not be reached.
    unasked: Vec<Failure>,
}

impl JudgedRequest {
    /// The first result that is not as expected, as one line.
    pub(super) fn fault(&self) -> Option<String> {
        let (asked, verdict) = self.answers.iter().find(|(_, verdict)| verdict.exit != Exit::Done)?;
        shown::lines(asked, verdict).first().map(ToString::to_string)
    }

    /// The first request that the backend did not answer as expected, with mutual TLS or without it, as one line.
    pub(super) fn unanswered(&self) -> Option<String> {
        let is_answered = |kind| matches!(kind, VerdictKind::Mtls | VerdictKind::Answered | VerdictKind::Plaintext);
        let (asked, verdict) = self.answers.iter().find(|(_, verdict)| !is_answered(verdict.kind))?;
        shown::lines(asked, verdict).first().map(ToString::to_string)
    }

    /// Whether the TLS settings between gateway and backend may be the cause.
    pub(super) fn blames_tls(&self) -> bool {
        self.answers.iter().any(|(_, verdict)| verdict.blames_tls())
    }

    /// Prints the results.
    pub(super) fn say(&self, report: &mut Report<'_>) {
        for (asked, verdict) in &self.answers {
            for line in shown::lines(asked, verdict) {
                report.line(line);
            }
            report.ends(verdict.exit);
        }
        self.unasked.iter().for_each(|failure| report.failure(failure.clone()));
        let verdicts = self.answers.iter().map(|(asked, verdict)| shown::value(asked, verdict));
        report.extend_field("verdicts", verdicts.collect());
    }
}

/// Checks that the request could be sent, without sending it.
///
/// # Errors
/// The Upstream, a route to it or a pod of the gateway is missing.
pub(super) async fn ready(
    session: &Session,
    task: &VerifyTask,
    global: &Global,
    notes: &mut dyn Notes,
) -> Result<(), Failure> {
    let upstream = named(session, task, global).await?;
    Sender::prepare(session, task, global, upstream.as_ref(), notes).await.map(drop)
}

/// Sends the request and evaluates the answers.
///
/// # Errors
/// The request could not be sent or got no answer.
pub(super) async fn judged(
    session: &Session,
    task: &VerifyTask,
    global: &Global,
    notes: &mut dyn Notes,
) -> Result<JudgedRequest, Failure> {
    let global = &of_gateway(session, task, global).await;
    let survey = SurveyReader::new(session, global);
    let run = Run { session, survey: &survey, task, global, cache: RefCell::default() };
    let upstream = named(session, task, global).await?;
    let sender = Sender::prepare(session, task, global, upstream.as_ref(), notes).await?;
    notes.context(&session::place(session));
    if !task.is_idempotent() {
        notes.status(&format!("{} is sent once only: it is not idempotent", task.method));
    }
    let mut judged = JudgedRequest::default();
    let several = sender.ways().len() > 1;
    for way in sender.ways() {
        notes.status(&sender.line(way));
        let (mut asked, verdict) = match run.one(&sender, way, upstream.as_ref(), notes).await {
            Ok(done) => done,
            // With several pods, each has its own result.
            Err(failure) if several => {
                judged.unasked.push(failure);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        if let Some(pod) = way.pod().filter(|_| several) {
            asked.subject = format!("{} through pod {}", asked.subject, pod.name);
        }
        judged.answers.push((asked, verdict));
    }
    Ok(judged)
}

/// The options with the installation of Gloo that serves the Gateway of the command line. If that may not be read, Gloo is
/// looked for as for any other proxy.
async fn of_gateway(session: &Session, task: &VerifyTask, global: &Global) -> Global {
    let (PodsOf::Gateway(gateway), None) = (&task.pods.proxy, &global.gloo_namespace) else { return global.clone() };
    let found = gateway_parameters::installation(session, global, gateway).await.ok();
    Global { gloo_namespace: found.filter(|namespace| !namespace.is_empty()), ..global.clone() }
}

/// The Upstream from the command line.
async fn named(session: &Session, task: &VerifyTask, global: &Global) -> Result<Option<Object>, Failure> {
    let Some(named) = &task.upstream else { return Ok(None) };
    let namespace = named.namespace.as_deref().unwrap_or(global.object_namespace());
    let error = match session.get(&kinds::UPSTREAM, namespace, &named.name).await {
        Ok(value) => return Ok(Some(Object::new(&kinds::UPSTREAM, value))),
        Err(error) => error,
    };
    let failure = error.into_failure(session);
    if failure.exit != Exit::SaidNo {
        return Err(failure);
    }
    let absence = absence::around(session, &ObjectRef::new(&kinds::UPSTREAM, namespace, &*named.name)).await;
    let failure = absence.detail().into_iter().fold(failure, Failure::detail);
    Err(absence.hint().into_iter().fold(failure, Failure::hint))
}

struct Run<'r> {
    session: &'r Session,
    survey: &'r SurveyReader<'r>,
    task: &'r VerifyTask,
    global: &'r Global,
    /// The context of each Envoy cluster that was read.
    cache: RefCell<HashMap<String, Rc<Around>>>,
}

/// What is known of a request before it is sent.
struct Sending {
    /// The pods that may receive it.
    pods: Evident<Vec<ProxyPod>>,
    /// The sidecars and bootstraps of these pods.
    gateway: Gateway,
    before: Moment,
    /// Envoy's name for the cluster of the named Upstream.
    expected: Option<String>,
    url: String,
    /// Whether it goes through a stream to one pod, so that nothing else can answer it.
    is_to_one_pod: bool,
}

/// Those of the pods that received the requests. If that is unknown, all of them.
fn received_by(pods: &[ProxyPod], receivers: &Receivers) -> Vec<ProxyPod> {
    let is_one = |pod: &&ProxyPod| match receivers {
        Receivers::Some { pods, .. } => pods.contains(&pod.name),
        Receivers::None { .. } | Receivers::Unknown => true,
    };
    pods.iter().filter(is_one).cloned().collect()
}

/// The context of an Envoy cluster: its Upstream and the backends.
struct Around {
    /// `None` also for a Service that a route leads to, which has no Upstream in the cluster.
    object: Option<Object>,
    upstream: Evident<Upstream>,
    behind: Backends,
}

impl Run<'_> {
    async fn one(
        &self,
        sender: &Sender<'_>,
        way: &RequestWay,
        upstream: Option<&Object>,
        notes: &mut dyn Notes,
    ) -> Result<(AskedRequest, RequestVerdict), Failure> {
        let sending = self.sending(sender, way, upstream).await;
        let mut answers: Vec<HttpAnswer> = Vec::new();
        let most = if self.task.is_idempotent() { MOST_SAMPLES } else { 1 };
        let (evidence, around) = loop {
            answers.push(sender.send(way).await?);
            let (evidence, around) = self.evidence(&sending, &answers).await;
            if answers.len() >= most || !wants_another_sample(&evidence) {
                break (evidence, around);
            }
        };
        let verdict = judge(&evidence).expect("there is an answer");
        if verdict.kind != VerdictKind::Mtls {
            notes.advices(missing(&evidence));
        }
        let object = around.as_ref().and_then(|around| around.object.as_ref());
        let usual = self.global.object_namespace();
        let subject = object.map_or_else(|| sender.subject(), |object| short_name(&object.reference, usual));
        let asked = AskedRequest {
            subject,
            upstream: object.map(|object| object.reference.clone()),
            method: self.task.method.clone(),
            url: sending.url,
            host: sender.host(),
            pod: way.pod().map(|pod| pod.name.clone()),
            expect: self.task.expect,
            statuses: evidence.answers.iter().map(|answer| answer.status).collect(),
        };
        let verdict = verdict.each(|command| self.of_gateway(command));
        Ok((asked, verdict.on(&self.global.target())))
    }

    /// The command about the gateway that got the request, if it is about a gateway.
    fn of_gateway(&self, command: CommandLine) -> CommandLine {
        if !command.begins_with(Program::GlooRs, "proxy") {
            return command;
        }
        let command = match &self.task.pods.proxy {
            PodsOf::Named(name) if name.kind.is_none() && name.name == gateways::USUAL => command,
            PodsOf::Named(name) => command.with("--name", name.to_string()),
            PodsOf::Gateway(gateway) => command.with("--gateway", gateway.as_str()),
        };
        again::scoped(command, self.global)
    }

    /// What is known before the request.
    async fn sending(&self, sender: &Sender<'_>, way: &RequestWay, upstream: Option<&Object>) -> Sending {
        let pods = self.pods_of(way).await;
        let gateway = match &pods {
            Ok(pods) => self.survey.gateway_of(pods).await,
            Err(_) => self.survey.gateway().await.clone(),
        };
        Sending {
            before: self.moment(&pods).await,
            pods,
            gateway,
            expected: upstream.map(|object| cluster_name(&object.reference)),
            url: sender.url(way),
            is_to_one_pod: way.pod().is_some(),
        }
    }

    /// The pods that may receive the request: the one it is sent to, or all pods of the proxy.
    async fn pods_of(&self, way: &RequestWay) -> Evident<Vec<ProxyPod>> {
        if let Some(pod) = way.pod() {
            return Ok(vec![pod.clone()]);
        }
        let all = ProxyPods { amount: PodAmount::All, ..self.task.pods.clone() };
        match proxy_pods::find(self.session, self.global, &all).await {
            Ok(chosen) if chosen.pods.len() > MOST_PODS => {
                let count = chosen.pods.len();
                Err(format!("the gateway has {count} pods, and those of at most {MOST_PODS} are read").into())
            }
            Ok(chosen) => Ok(chosen.pods),
            Err(failure) => {
                Err(Unread { why: failure.message, rule: failure.hints.iter().find_map(Hint::rule), failure: None })
            }
        }
    }

    async fn moment(&self, pods: &Evident<Vec<ProxyPod>>) -> Moment {
        match pods {
            Ok(pods) => Envoys { session: self.session, pods }.moment().await,
            Err(why) => Moment::unknown(why),
        }
    }

    async fn evidence(&self, sending: &Sending, answers: &[HttpAnswer]) -> (Evidence, Option<Rc<Around>>) {
        let Sending { pods, before, expected, .. } = sending;
        let expected = expected.as_deref();
        let after = self.moment(pods).await;
        let change = match (&before.counters, after.counters.clone()) {
            (Ok(before), Ok(after)) => Ok(CounterChange { before: before.clone(), after, sent: answers.len() as u64 }),
            (Err(why), _) => Err(why.clone()),
            (_, Err(why)) => Err(why),
        };
        let receivers = match &change {
            Ok(change) if !sending.is_to_one_pod => change.receivers(),
            _ => Receivers::Unknown,
        };
        let cluster = match (expected, change.as_ref().map(|change| change.went(expected))) {
            (Some(expected), _) => Some(expected.to_owned()),
            (None, Ok(Went::To(cluster))) => Some(cluster),
            _ => None,
        };
        let unknown = || Unread::from("which cluster took the request is unknown");
        let around = match &cluster {
            Some(cluster) => Some(self.around(cluster).await),
            None => None,
        };
        let hosts = match &cluster {
            Some(cluster) => before.hosts(cluster).and_then(|before| Ok((before, after.hosts(cluster)?))),
            None => Err(unknown()),
        };
        let end = around.as_ref().map_or(&TunnelEnd::Outside, |around| &around.behind.tunnel_end);
        let tunnel = match pods {
            Ok(pods) => Envoys { session: self.session, pods }.tunnel(end, self.survey).await,
            Err(_) if *end == TunnelEnd::Outside => Tunnel::No,
            Err(why) => Tunnel::Unknown(why.clone()),
        };
        let (has_tls, certs, identity) = match pods {
            Ok(pods) => {
                let pods = received_by(pods, &receivers);
                let envoys = Envoys { session: self.session, pods: &pods };
                let has_tls = match &cluster {
                    Some(cluster) => envoys.has_tls(cluster).await,
                    None => Err(unknown()),
                };
                (has_tls, envoys.certs().await, envoys.identity(self.survey).await)
            }
            Err(why) => (Err(why.clone()), Err(why.clone()), Err(why.clone())),
        };
        let known = |around: &Option<Rc<Around>>| around.clone().ok_or_else(unknown);
        let evidence = Evidence {
            expect: self.task.expect,
            answers: answers.to_vec(),
            brought_client_cert: self.task.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(CLIENT_CERT)),
            expected_cluster: expected.map(str::to_owned),
            change,
            hosts,
            has_tls,
            certs,
            identity,
            upstream: known(&around).and_then(|around| around.upstream.clone()),
            demand: known(&around).and_then(|around| around.behind.demand.clone()),
            tunnel,
            authorization: known(&around).and_then(|around| around.behind.authorization.clone()),
            pods: known(&around).and_then(|around| around.behind.pods.clone()),
            gateway: sending.gateway.clone(),
            receivers,
            url: sending.url.clone(),
            now: Timestamp::now(),
        };
        (evidence, around)
    }

    /// The context of an Envoy cluster, which is read once.
    async fn around(&self, cluster: &str) -> Rc<Around> {
        if let Some(known) = self.cache.borrow().get(cluster) {
            return Rc::clone(known);
        }
        let around = Rc::new(self.read_around(cluster).await);
        self.cache.borrow_mut().insert(cluster.to_owned(), Rc::clone(&around));
        around
    }

    async fn read_around(&self, cluster: &str) -> Around {
        let of_service = in_memory(cluster);
        let object = match (&of_service, upstream_of(cluster)) {
            (Some(of_service), _) => Ok(of_service.clone()),
            (None, Some((namespace, name))) => {
                let read = self.session.get(&kinds::UPSTREAM, namespace, name).await;
                read.map(|value| Object::new(&kinds::UPSTREAM, value)).map_err(|error| self.survey.unread(error))
            }
            (None, None) => Err(format!("cluster {cluster} belongs to no Upstream").into()),
        };
        let object = match object {
            Ok(object) => object,
            Err(why) => {
                let behind = Backends::unknown(why.clone());
                return Around { object: None, upstream: Err(why), behind };
            }
        };
        let behind = witness::behind(self.session, self.survey, &object, Timestamp::now()).await;
        let sent = SentTls::to_upstream(&object, self.survey.switches().await);
        let object = Some(object).filter(|_| of_service.is_none());
        let name = object.as_ref().map(|object| short_name(&object.reference, crate::options::GLOO_SYSTEM));
        let gloo = self.survey.gloo_namespace().await.to_owned();
        let upstream = Upstream { name, gloo, sent, backend_namespace: behind.namespace.clone() };
        Around { object, upstream: Ok(upstream), behind }
    }
}

/// Advice about missing permissions because of which something is unknown, each once.
fn missing(evidence: &Evidence) -> Vec<Advice> {
    let all = [
        ("Envoy's counters are unknown", evidence.change.as_ref().err()),
        ("the Upstream is unknown", evidence.upstream.as_ref().err()),
        ("the peer's mode is unknown", evidence.demand.as_ref().err()),
        ("the pods behind it are unknown", evidence.pods.as_ref().err()),
    ];
    let ruled = all.into_iter().filter_map(|(what, why)| Some((what, why.filter(|why| why.rule.is_some())?)));
    let mut said: Vec<&Unread> = Vec::new();
    let mut advice = Vec::new();
    for (what, why) in ruled {
        if !said.contains(&why) {
            said.push(why);
            advice.push(Advice::unknown(what, why));
        }
    }
    advice
}
