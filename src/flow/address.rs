//! `proxy url`, `proxy address`: reads the Service first, then only what the answer needs.

use crate::flow::session;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::report::Report;
use crate::error::{Exit, Failure};
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::load::{absence, of_gateway};
use crate::model::{Object, ObjectRef, kinds};
use crate::options::{AddressForm, Global, Patience, ProxyTarget, ProxyTask};
use crate::plan::address::{
    self, Address, AddressAnswer, AddressNeed, AddressSources, AddressWish, FoundAddresses, Pending,
};
use crate::render;
use crate::render::answer::{AnswerPart, ClusterAnswer};
use crate::render::pending::{self, AddressWait, Events};

/// Number of nodes read at the same time. Each request is a separate TLS handshake.
const NODES_AT_ONCE: usize = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Finds the addresses and prints them.
///
/// # Errors
/// There is no address, or there is none yet.
pub(super) async fn print(task: &ProxyTask, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    report.field("addresses", Value::Array(Vec::new()));
    let session = session::open(global, report).await?;
    let look = Look { session: &session, wish: &task.wish };
    let state = match (look.begin(&task.target, global).await?, task.patience) {
        (State::Pending(pending), Patience::Wait) => {
            report.ui.status(pending::waiting(&pending, global.wait_timeout));
            report.ui.waiting(&pending::awaited(&pending));
            let waited = look.wait(pending, global.wait_timeout).await;
            report.ui.end_wait();
            waited?
        }
        (state, _) => state,
    };
    let mut answer = ClusterAnswer::default();
    look.say(state, task, global, &mut answer).await?;
    report.tell(answer);
    Ok(())
}

/// Finds the addresses in one of several clusters.
///
/// # Errors
/// There is no address, or there is none yet.
pub(super) async fn read(
    session: &Session,
    task: &ProxyTask,
    global: &Global,
    answer: &mut ClusterAnswer,
) -> Result<(), Failure> {
    let look = Look { session, wish: &task.wish };
    let state = match (look.begin(&task.target, global).await?, task.patience) {
        (State::Pending(pending), Patience::Wait) => look.wait(pending, global.wait_timeout).await?,
        (state, _) => state,
    };
    look.say(state, task, global, answer).await
}

/// Finds the current address, for a command that does not wait for one.
///
/// # Errors
/// There is no address, or there is none yet.
pub(super) async fn find(
    session: &Session,
    target: &ProxyTarget,
    wish: &AddressWish,
    global: &Global,
) -> Result<FoundAddresses, Failure> {
    let look = Look { session, wish };
    match look.begin(target, global).await? {
        State::Found(found) => Ok(found),
        State::Pending(pending) => Err(look.explain(&pending, AddressWait::Never).await),
    }
}

enum State {
    Found(FoundAddresses),
    Pending(Pending),
}

struct Look<'l> {
    session: &'l Session,
    wish: &'l AddressWish,
}

impl Look<'_> {
    /// The state before any wait.
    async fn begin(&self, target: &ProxyTarget, global: &Global) -> Result<State, Failure> {
        self.decide(&self.service(target, global).await?).await
    }

    /// Adds the addresses to the answer.
    async fn say(
        &self,
        state: State,
        task: &ProxyTask,
        global: &Global,
        answer: &mut ClusterAnswer,
    ) -> Result<(), Failure> {
        let found = match (state, task.patience) {
            (State::Found(found), _) => found,
            (State::Pending(pending), Patience::Wait) => {
                return Err(self.explain(&pending, AddressWait::Waited(global.wait_timeout)).await);
            }
            (State::Pending(pending), Patience::Now) => {
                return Err(self.explain(&pending, AddressWait::NotYet).await);
            }
        };
        let line = match task.form {
            AddressForm::Url => Address::url,
            AddressForm::Address => Address::address,
        };
        answer.field("addresses", found.addresses.iter().map(render::address::value).collect());
        found.advice.into_iter().for_each(|advice| answer.advice(advice));
        answer.parts.extend(found.addresses.iter().map(|address| AnswerPart::Value(line(address))));
        Ok(())
    }

    async fn service(&self, target: &ProxyTarget, global: &Global) -> Result<Object, Failure> {
        match (target, &global.namespace) {
            (ProxyTarget::Gateway(gateway), None) => of_gateway::find(self.session, &kinds::SERVICE, gateway).await,
            (ProxyTarget::Gateway(gateway), Some(namespace)) => {
                self.named(&ObjectRef::new(&kinds::SERVICE, namespace.as_str(), gateway.proxy())).await
            }
            (ProxyTarget::Service(name), _) => {
                self.named(&ObjectRef::new(&kinds::SERVICE, global.object_namespace(), name.as_str())).await
            }
        }
    }

    async fn named(&self, service: &ObjectRef) -> Result<Object, Failure> {
        let error = match self.session.get(service.kind, &service.namespace, &service.name).await {
            Ok(value) => return Ok(Object::new(service.kind, value)),
            Err(error) => error,
        };
        let absent = error.cause == ApiCause::NotFound;
        let mut failure = error.into_failure(self.session);
        if absent {
            let absence = absence::around(self.session, service).await;
            failure.details.splice(0..0, absence.detail());
            failure.hints.extend(absence.hint());
        }
        Err(failure)
    }

    /// Reads objects until they are enough to decide on the address.
    async fn decide(&self, service: &Object) -> Result<State, Failure> {
        let (mut pods, mut nodes): (Option<Vec<Value>>, Option<Vec<Value>>) = (None, None);
        loop {
            let seen = AddressSources { pods: pods.as_deref(), nodes: nodes.as_deref() };
            match address::answer(service, seen, self.wish) {
                AddressAnswer::Found(found) => return Ok(State::Found(found)),
                AddressAnswer::Pending(pending) => return Ok(State::Pending(pending)),
                AddressAnswer::Refused(failure) => return Err(failure),
                AddressAnswer::Needs(AddressNeed::Pods { namespace, selector }) => {
                    let list = self.session.list_all(
                        &kinds::POD,
                        Scope::Namespace(&namespace),
                        Query::labelled(selector.as_str()),
                    );
                    pods = Some(list.await.map_err(|error| error.into_failure(self.session))?);
                }
                AddressAnswer::Needs(AddressNeed::Nodes(names)) => nodes = Some(self.nodes(&names).await?),
            }
        }
    }

    /// Reads the nodes that exist. A node may be deleted while its pods are still listed.
    async fn nodes(&self, names: &[String]) -> Result<Vec<Value>, Failure> {
        stream::iter(names)
            .map(|name| self.session.get(&kinds::NODE, "", name))
            .buffered(NODES_AT_ONCE)
            .filter_map(async |node| match node {
                Err(ApiError { cause: ApiCause::NotFound, .. }) => None,
                other => Some(other),
            })
            .try_collect()
            .await
            .map_err(|error| error.into_failure(self.session))
    }

    async fn wait(&self, mut pending: Pending, limit: Duration) -> Result<State, Failure> {
        let end = Instant::now() + limit;
        let mut pause = FIRST_PAUSE;
        while Instant::now() < end {
            tokio::time::sleep_until(end.min(Instant::now() + pause)).await;
            let again = async { self.decide(&self.named(&pending.service).await?).await };
            match tokio::time::timeout_at(end, again).await {
                Ok(Ok(State::Pending(still))) => pending = still,
                // An API server that restarts does not end a wait of several minutes.
                Ok(Err(Failure { exit: Exit::NoAnswer, .. })) => {}
                Ok(done) => return done,
                Err(_) => break,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(State::Pending(pending))
    }

    async fn explain(&self, pending: &Pending, wait: AddressWait) -> Failure {
        let about = match pending.cause {
            address::PendingCause::NoIngress(_) => Some(&pending.service),
            address::PendingCause::NoReadyPod(_) => None,
        };
        let listed = match about {
            Some(service) => self.events(service).await,
            None => Ok(Vec::new()),
        };
        let events = match &listed {
            Ok(events) => Events::Read(events),
            Err(why) => Events::Unknown(why),
        };
        pending::failure(pending, &events, Timestamp::now(), wait)
    }

    async fn events(&self, service: &ObjectRef) -> Result<Vec<Value>, String> {
        let query = Query { fields: address::event_selector(service), limit: 500, ..Query::default() };
        let page = self.session.list_page(&kinds::EVENT, Scope::Namespace(&service.namespace), &query).await;
        page.map(|page| page.items).map_err(|error| match error.cause {
            ApiCause::Forbidden { .. } => "not allowed to list events".to_owned(),
            _ => error.to_string(),
        })
    }
}
