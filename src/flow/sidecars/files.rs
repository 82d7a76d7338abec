//! `istio inject`, `istio uninject` on manifests, such as a rendered chart.
//!
//! Bootstrap and workload may be in different files, so every
//! text that contains one of them is kept until all is planned.

use super::injection::flags_of;
use super::removal::{against, release};
use crate::edit::bootstrap;
use crate::edit::encrypted::Encryption;
use crate::edit::manifest::{self, Job, ManifestObject, ManifestPlace, Splice};
use crate::error::{Exit, Failure, Reason};
use crate::flow::emit::{Edited, Emit};
use crate::flow::files::by_hand;
use crate::flow::report::Report;
use crate::load::files::{self, LoadedFile, SourceText};
use crate::load::gateways;
use crate::model::{Kind, Object, ObjectRef, kinds};
use crate::options::{Global, Injection, Proxies, Sidecars};
use crate::plan::advice::{Advice, Code};
use crate::plan::change::Change;
use crate::plan::dangling;
use crate::plan::istiod::{self, ControlPlaneObjects};
use crate::plan::outcome::{Objection, Outcome, Row};
use crate::plan::sidecars::parts::{ISTIO_PROXY, SDS};
use crate::plan::sidecars::{self, Around, GatewayProxy, Pods, TransactionPlan};
use crate::plan::ssl_config::SDS_CLUSTER;
use crate::text::{ProxyKind, ProxyName};

/// The kinds in a rendered chart that the plan reads.
const KINDS: [&Kind; 9] = [
    &kinds::DEPLOYMENT,
    &kinds::DAEMON_SET,
    &kinds::CONFIG_MAP,
    &kinds::SERVICE,
    &kinds::MUTATING_WEBHOOK,
    &kinds::UPSTREAM,
    &kinds::VIRTUAL_SERVICE,
    &kinds::GATEWAY,
    &kinds::SETTINGS,
];

/// An object and its position.
struct Member {
    text: usize,
    object: Object,
    place: ManifestPlace,
}

/// Everything that was read.
#[derive(Default)]
struct Read {
    texts: Vec<SourceText>,
    members: Vec<Member>,
    refused: Vec<Row>,
    /// Named files that are encrypted as a whole.
    encrypted: Vec<(String, Encryption)>,
    /// The same in a directory.
    skipped: Vec<(String, Encryption)>,
    /// The files with documents whose kind is unknown: encrypted, templates, or no YAML.
    unread: Vec<String>,
}

/// Adds the sidecars to manifests, or removes them.
///
/// # Errors
/// The run could not be planned or written.
pub(crate) fn run(task: &Sidecars, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let Some(files) = &task.files else { return Ok(()) };
    let mut inputs = files::find(&files::sources_of(&files.paths)?)?;
    let mut emit = Emit::choose(task.preview, files.destination, inputs.is_single());
    report.form_for_files(task.preview, files.destination);
    let mut read = Read::default();
    let mut stdin = report.interrupts().stdin();
    while let Some(loaded) = inputs.next(&mut stdin) {
        report.interrupts().check()?;
        read.take(loaded?);
    }
    if !read.encrypted.is_empty() {
        read.encrypted.into_iter().for_each(|(name, by)| report.row(encrypted(name, by, &task.act)));
        report.ui.status("nothing was written: a run writes all of its objects or none");
        return Ok(());
    }
    let proxies = read.proxies(global, &task.proxies).map_err(|failure| read.unread_beside(failure))?;
    for (name, by) in &read.skipped {
        report.advice(Advice::note(Code::Unknown, format!("not read: {name} ({by})")));
    }
    let mut changes = read.released(&task.act)?;
    let mut rows = std::mem::take(&mut read.refused);
    for proxy in proxies {
        match read.plan(task, &proxy) {
            Ok(plan) => {
                for line in crate::render::provenance::lines(&plan.provenance) {
                    report.ui.status(&line);
                }
                for advice in plan.advice {
                    report.advice(advice);
                }
                changes.extend(plan.changes);
            }
            Err(Unplanned::Failed(failure)) => return Err(failure),
            Err(Unplanned::Refused(why)) => {
                let member = read.member(&proxy.workload.reference);
                let row = Row::left(proxy.workload.reference.clone(), Outcome::Refused, why);
                rows.push(
                    member.map_or(row.clone(), |member| row.at(&read.texts[member.text].name, member.place.line())),
                );
            }
        }
    }
    let mut edited = read.edited(&changes, &mut rows);
    if task.preview.diff {
        for (row, diff) in rows.iter_mut().filter(|row| row.outcome == Outcome::Changed).zip(diffs(&edited, task)) {
            row.diff = Some(diff);
        }
    }
    let stopped = rows.iter().any(|row| row.outcome == Outcome::Refused);
    let mut lost = Vec::new();
    if stopped {
        rows.retain(|row| row.outcome == Outcome::Refused);
    } else {
        lost.extend(edited.iter().filter_map(Edited::lost_comments));
        edited.iter().try_for_each(|edited| emit.keep(edited))?;
        edited.clear();
        emit.commit(report)?;
    }
    for row in rows {
        report.row(row);
    }
    for lost in lost {
        report.advice(lost);
    }
    if stopped {
        report.ui.status("nothing was written: a run writes all of its objects or none");
    } else if !task.preview.is_on() {
        report.ui.status(task.act.success());
    }
    if task.preview.check && report.count(Outcome::Changed) > 0 {
        report.ends(Exit::WouldChange);
    }
    Ok(())
}

/// The refusal of a file that is encrypted as a whole: its proxies are unknown.
fn encrypted(name: String, by: Encryption, act: &Injection) -> Row {
    let mut why = Objection::new(Reason::Unsafe, by.to_string()).hint(by.advice());
    let containers = format!("the containers {SDS} and {ISTIO_PROXY} with their volumes");
    let cluster = format!("the cluster {SDS_CLUSTER}");
    why.details = by_hand(match act {
        Injection::Uninject { .. } => vec![
            format!("remove from each gateway proxy: {containers}"),
            format!("remove from its bootstrap: {cluster}"),
        ],
        Injection::Inject { .. } => {
            [format!("add to each gateway proxy: {containers}")].into_iter().chain(bootstrap::by_hand("")).collect()
        }
    });
    let nobody = ObjectRef::new(&kinds::DEPLOYMENT, "", "");
    Row { file: Some(name), ..Row::left(nobody, Outcome::Refused, why) }
}

/// The diff of each text that changes.
fn diffs<'e>(edited: &'e [Edited<'_>], task: &'e Sidecars) -> impl Iterator<Item = String> + 'e {
    edited.iter().filter(|edited| !edited.splices.is_empty()).map(|edited| edited.diff(task.secrets))
}

/// Adapts a failure to manifests, which have no namespaces to search.
fn offline(failure: Failure) -> Failure {
    match failure.reason {
        Reason::NoIstiod => Failure { message: "no istiod in the manifests".to_owned(), ..failure }
            .hint("-f FILE with istiod's own manifests provides its address and image"),
        _ => failure,
    }
}

enum Unplanned {
    Failed(Failure),
    Refused(Objection),
}

impl Read {
    fn take(&mut self, loaded: LoadedFile) {
        let text = match loaded {
            LoadedFile::Text(text) => text,
            LoadedFile::Encrypted { name, by } => {
                self.encrypted.push((name, by));
                return;
            }
            LoadedFile::PassedOver { name, by, .. } => {
                self.skipped.extend(by.map(|by| (name, by)));
                return;
            }
            LoadedFile::Refused { .. } => return,
        };
        let index = self.texts.len();
        let mut is_unread = manifest::encryption(&text.text).is_some();
        for kind in KINDS {
            let members = manifest::members(&text.text, kind);
            is_unread |= members.unreadable > 0;
            for found in members.found {
                match found {
                    ManifestObject::Member { object, place } => {
                        self.members.push(Member { text: index, object, place });
                    }
                    ManifestObject::Refused { line, why, hint, reference: Some(reference) } => {
                        let why = Objection::new(Reason::Unsafe, why).hint(hint);
                        self.refused.push(Row::left(reference, Outcome::Refused, why).at(&text.name, line));
                    }
                    ManifestObject::Refused { .. } => {}
                }
            }
        }
        self.unread.extend(is_unread.then(|| text.name.clone()));
        self.texts.push(text);
    }

    /// Names the files where the missing object may be.
    fn unread_beside(&self, failure: Failure) -> Failure {
        let skipped = self.skipped.iter().map(|(name, _)| name);
        let names: Vec<&str> = self.unread.iter().chain(skipped).map(String::as_str).collect();
        match names[..] {
            [] => failure,
            _ => failure.detail(format!("not read, encrypted or a template: {}", names.join(", "))),
        }
    }

    fn of_kind(&self, kind: &'static Kind) -> impl Iterator<Item = &Object> {
        self.members.iter().map(|member| &member.object).filter(move |object| object.reference.kind == kind)
    }

    fn member(&self, reference: &ObjectRef) -> Option<&Member> {
        self.members.iter().find(|member| member.object.reference == *reference)
    }

    /// The requested proxies. An object that cannot be edited and is not one of them is ignored.
    fn proxies(&mut self, global: &Global, wanted: &Proxies) -> Result<Vec<GatewayProxy>, Failure> {
        let in_namespace = |object: &&Object| {
            let namespace = &object.reference.namespace;
            namespace.is_empty() || global.namespace.as_ref().is_none_or(|typed| typed == namespace)
        };
        let workloads: Vec<_> = self
            .of_kind(&kinds::DEPLOYMENT)
            .chain(self.of_kind(&kinds::DAEMON_SET))
            .filter(in_namespace)
            .cloned()
            .collect();
        let place = "the manifests";
        let is_proxy = |workload: &Object| workload.label("gloo") == Some("gateway-proxy");
        let chosen =
            match wanted {
                Proxies::Gateway(gateway) => {
                    let deployment = ProxyName { kind: Some(ProxyKind::Deployment), name: gateway.proxy() };
                    return self.proxies(global, &Proxies::Named(vec![deployment]));
                }
                Proxies::Named(names) => {
                    let mut chosen = Vec::new();
                    for name in names {
                        let fits = |workload: &&Object| {
                            workload.reference.name == name.name
                                && match name.kind {
                                    Some(ProxyKind::Deployment) => workload.reference.kind == &kinds::DEPLOYMENT,
                                    Some(ProxyKind::DaemonSet) => workload.reference.kind == &kinds::DAEMON_SET,
                                    _ => true,
                                }
                        };
                        let found = workloads.iter().find(fits).cloned();
                        chosen.push(found.ok_or_else(|| {
                            gateways::not_found(name, place, workloads.iter().filter(|it| is_proxy(it)))
                        })?);
                    }
                    chosen
                }
                Proxies::All => workloads.into_iter().filter(is_proxy).collect(),
                Proxies::Usual => vec![gateways::usual(workloads.into_iter().filter(is_proxy).collect(), place)?],
            };
        if chosen.is_empty() {
            return Err(gateways::nothing(place));
        }
        let proxies: Vec<_> = chosen.into_iter().map(|workload| self.whole(workload)).collect();
        let parts: Vec<_> = proxies
            .iter()
            .flat_map(|proxy| [Some(&proxy.workload), proxy.bootstrap.as_ref()])
            .flatten()
            .map(|object| object.reference.name.clone())
            .collect();
        self.refused.retain(|row| parts.contains(&row.object.name));
        Ok(proxies)
    }

    fn whole(&self, workload: Object) -> GatewayProxy {
        let name = sidecars::bootstrap_name(&workload.reference.name);
        let beside = |map: &&Object| {
            let (own, its) = (&map.reference.namespace, &workload.reference.namespace);
            map.reference.name == name && (own == its || own.is_empty() || its.is_empty())
        };
        let bootstrap = self.of_kind(&kinds::CONFIG_MAP).find(beside).cloned();
        GatewayProxy { workload, bootstrap, pods: Pods::Unseen }
    }

    fn plan(&self, task: &Sidecars, proxy: &GatewayProxy) -> Result<TransactionPlan, Unplanned> {
        let Some(flags) = flags_of(&task.act) else {
            return sidecars::uninject(proxy, &Around::default()).map_err(Unplanned::Refused);
        };
        let values = |kind: &'static Kind| self.of_kind(kind).map(|object| object.value.clone()).collect::<Vec<_>>();
        let deployments = values(&kinds::DEPLOYMENT);
        let control_planes: Vec<_> =
            deployments.iter().filter(|it| it["metadata"]["labels"]["app"] == "istiod").cloned().collect();
        let (services, config_maps, webhooks) =
            (values(&kinds::SERVICE), values(&kinds::CONFIG_MAP), values(&kinds::MUTATING_WEBHOOK));
        let istiods = istiod::all(&ControlPlaneObjects {
            deployments: &control_planes,
            services: &services,
            config_maps: &config_maps,
            webhooks: &webhooks,
        });
        let choice =
            sidecars::choose(&istiods, &flags, proxy).map_err(|failure| Unplanned::Failed(offline(failure)))?;
        let gloo = deployments.iter().find(|it| it["metadata"]["labels"]["gloo"] == "gloo");
        let around = Around { istiods: &istiods, choice: choice.as_ref(), gloo, now: None };
        sidecars::inject(proxy, &flags, &around).map_err(Unplanned::Refused)
    }

    /// The edits that first remove Upstreams' references to the sidecars' cluster, if requested.
    ///
    /// # Errors
    /// Something in the manifests would still refer to the cluster.
    fn released(&self, act: &Injection) -> Result<Vec<Change>, Failure> {
        let Injection::Uninject { upstreams, caution } = act else { return Ok(Vec::new()) };
        let pointing =
            self.of_kind(&kinds::UPSTREAM).filter(|upstream| dangling::find(upstream).is_some()).cloned().collect();
        let (released, mut left) = release(pointing, *upstreams);
        left.extend(
            self.of_kind(&kinds::VIRTUAL_SERVICE).chain(self.of_kind(&kinds::GATEWAY)).filter_map(dangling::find),
        );
        left.extend(self.of_kind(&kinds::SETTINGS).filter_map(dangling::of_settings));
        against(&left, &[], *upstreams, *caution)?;
        Ok(released)
    }

    /// Makes the edits in their texts, and adds a row for each object.
    fn edited(&self, changes: &[Change], rows: &mut Vec<Row>) -> Vec<Edited<'_>> {
        let mut edited = Vec::new();
        for (index, text) in self.texts.iter().enumerate() {
            let of_text = |change| {
                let Change { before, .. }: &Change = change;
                Some((self.member(&before.reference).filter(|member| member.text == index)?, change))
            };
            let mut planned: Vec<_> = changes.iter().filter_map(of_text).collect();
            planned.sort_by_key(|(member, _)| member.place.line());
            let mut splices: Vec<Splice> = Vec::new();
            for (member, Change { edits, message, .. }) in planned {
                let reference = member.object.reference.clone();
                let line = member.place.line();
                if edits.is_empty() {
                    rows.push(Row::answer(reference, Outcome::Unchanged, message.as_str()).at(&text.name, line));
                    continue;
                }
                let job = Job { place: &member.place, edits, object: Some(&member.object.value) };
                match manifest::edit_all(&text.text, &[job]).pop() {
                    Some(Ok(splice)) => {
                        splices.push(splice);
                        rows.push(Row::answer(reference, Outcome::Changed, message.as_str()).at(&text.name, line));
                    }
                    Some(Err(cannot)) => {
                        let mut why = Objection::new(Reason::Unsafe, format!("{}; nothing changed", cannot.why));
                        why.details = by_hand(cannot.manual);
                        rows.push(Row::left(reference, Outcome::Refused, why).at(&text.name, cannot.line));
                    }
                    None => {}
                }
            }
            edited.push(Edited { text, splices });
        }
        edited
    }
}
