//! Waits until the configuration that Gloo serves contains a change, or its status reports a problem.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::gloo::{self, Keep, ServedSection};
use crate::kube::{Query, Scope, Session};
use crate::load::served::{self, ControlPlane, NoSnapshot, Obstacle};
use crate::model::{ObjectRef, kinds};
use crate::plan::Unread;
use crate::plan::effect::{AwaitedChange, EffectVerdict, LastLook, Said, Served, last_verdict, said, verdict};
use crate::plan::waiting::{Counted, Seen, Watcher};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long to wait for a problem in the status if nothing else can be read.
const BLIND: Duration = Duration::from_secs(5);
/// For more objects than this, statuses are read a namespace at a time.
pub(crate) const FEW: usize = 8;

/// The changes to wait for, and their state.
struct Wait<'w> {
    session: &'w Session,
    gloo_namespace: &'w str,
    changes: &'w [AwaitedChange],
    verdicts: Vec<Option<EffectVerdict>>,
    said: HashMap<&'w ObjectRef, Said>,
    served: HashMap<String, Vec<Served>>,
    plane: Option<ControlPlane<'w>>,
    unseen: Option<NoSnapshot>,
    /// The error that Gloo reports with what it serves.
    error: Option<String>,
}

/// Waits for all changes together. Returns a verdict for each, in order.
pub(crate) async fn wait(
    session: &Session,
    gloo_namespace: &str,
    changes: &[AwaitedChange],
    patience: Duration,
    watcher: &dyn Watcher,
) -> Vec<EffectVerdict> {
    let mut wait = Wait {
        session,
        gloo_namespace,
        changes,
        verdicts: vec![None; changes.len()],
        said: HashMap::new(),
        served: HashMap::new(),
        plane: None,
        unseen: None,
        error: None,
    };
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let looked = Instant::now();
        // A read that hangs is limited, so that it does not delay the end.
        drop(timeout(patience.saturating_sub(begun.elapsed()).max(FIRST_PAUSE), wait.look()).await);
        wait.judge();
        watcher.sees(&wait.seen());
        let blind = wait.blind();
        let limit = if blind.is_some() { BLIND.min(patience) } else { patience };
        if wait.is_over() || wait.is_hopeless() || begun.elapsed() >= limit {
            return wait.end(blind.as_ref());
        }
        // A large snapshot takes long to read, so it is read less often.
        pause = pause.max(2 * looked.elapsed());
        sleep(pause.min(limit.saturating_sub(begun.elapsed()))).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

impl<'w> Wait<'w> {
    fn open(&self) -> impl Iterator<Item = (usize, &'w AwaitedChange)> {
        let changes = self.changes.iter().enumerate();
        changes.filter(|(number, _)| self.verdicts[*number].is_none())
    }

    fn seen(&self) -> Seen {
        let done = self.verdicts.iter().flatten().count() as u64;
        let counted = Some(Counted { done, of: self.verdicts.len() as u64, what: "Upstreams" });
        Seen { counted, reason: self.error.clone().unwrap_or_default() }
    }

    fn is_over(&self) -> bool {
        self.verdicts.iter().all(Option::is_some)
    }

    /// Whether Gloo is not running, so that no change can take effect.
    fn is_hopeless(&self) -> bool {
        self.unseen.as_ref().is_some_and(|unseen| unseen.obstacle == Obstacle::NoGloo)
    }

    /// Why the served configuration can never be read.
    fn blind(&self) -> Option<Unread> {
        match &self.unseen.as_ref()?.obstacle {
            Obstacle::Lasting(why) => Some(why.clone()),
            Obstacle::NoGloo | Obstacle::Passing => None,
        }
    }

    /// Reads the served configuration first, then the statuses, so
    /// that a problem that appears with the change is not missed.
    async fn look(&mut self) {
        if self.blind().is_none() {
            self.unseen = self.look_at_served().await.err();
        }
        self.look_at_statuses().await;
    }

    async fn look_at_served(&mut self) -> Result<(), NoSnapshot> {
        let clusters = self.open().map(|(_, change)| cluster(&change.object)).collect();
        let plane = match self.plane.take() {
            Some(plane) => plane,
            None => served::find(self.session, self.gloo_namespace).await?,
        };
        // If the pod does not answer, a pod is searched again next time.
        let (read, kept) = plane.read(Sockets { clusters, found: HashMap::new() }).await?;
        self.plane = Some(plane);
        self.served = kept.found;
        self.error = read.error;
        Ok(())
    }

    async fn look_at_statuses(&mut self) {
        let open: Vec<_> = self.open().map(|(_, change)| &change.object).collect();
        if open.len() <= FEW {
            for object in open {
                // If it cannot be read now, the last state is kept. The wait is limited anyway.
                if let Ok(now) = self.session.get(object.kind, &object.namespace, &object.name).await {
                    self.said.insert(object, said(&now, self.gloo_namespace));
                }
            }
            return;
        }
        let namespaces: HashSet<_> = open.iter().map(|object| object.namespace.as_str()).collect();
        let open: HashMap<_, _> =
            open.into_iter().map(|object| ((&*object.namespace, &*object.name), object)).collect();
        for namespace in namespaces {
            let mut pages = self.session.pages(&kinds::UPSTREAM, Scope::Namespace(namespace), Query::default());
            while let Ok(Some(page)) = pages.next().await {
                for now in page.items {
                    let name = now["metadata"]["name"].as_str().unwrap_or_default();
                    if let Some(object) = open.get(&(namespace, name)) {
                        self.said.insert(object, said(&now, self.gloo_namespace));
                    }
                }
            }
        }
    }

    fn state(&self, change: &AwaitedChange) -> (&Said, &[Served]) {
        let served = self.served.get(&cluster(&change.object)).map_or(&[][..], Vec::as_slice);
        (self.said.get(&change.object).unwrap_or(&Said::Nothing), served)
    }

    fn judge(&mut self) {
        for (number, change) in self.open().collect::<Vec<_>>() {
            let (said, served) = self.state(change);
            self.verdicts[number] = verdict(change, said, served);
        }
    }

    fn end(self, blind: Option<&Unread>) -> Vec<EffectVerdict> {
        let unseen = self.unseen.as_ref().map(|unseen| &unseen.failure);
        let look = LastLook { unseen, error: self.error.as_deref() };
        let last = |change: &AwaitedChange| {
            let (said, served) = self.state(change);
            match (said, blind) {
                (Said::Nothing | Said::Accepted, Some(why)) => EffectVerdict::Unseen { why: why.clone() },
                _ => last_verdict(change, said, served, look),
            }
        };
        let verdicts = self.changes.iter().zip(&self.verdicts);
        verdicts.map(|(change, verdict)| verdict.clone().unwrap_or_else(|| last(change))).collect()
    }
}

fn cluster(upstream: &ObjectRef) -> String {
    gloo::cluster_name(&upstream.namespace, &upstream.name)
}

/// Collects how some clusters are served to each role.
struct Sockets {
    clusters: HashSet<String>,
    found: HashMap<String, Vec<Served>>,
}

impl Keep for Sockets {
    fn role(&mut self, _: &str) -> bool {
        true
    }

    fn wants(&mut self, _: &str, section: ServedSection, name: &str) -> bool {
        section == ServedSection::Clusters && self.clusters.contains(name)
    }

    fn item(&mut self, role: &str, _: ServedSection, name: String, cluster: Value) {
        let served = Served { role: role.to_owned(), socket: gloo::socket_of(&cluster) };
        self.found.entry(name).or_default().push(served);
    }
}
