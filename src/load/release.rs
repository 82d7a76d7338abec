//! Finds the Helm release that installed Gloo by metadata, then reads one record.

use super::absence;
use super::release_chart::named_chart;
use crate::command::{Hint, flag, gloo_rs};
use crate::error::{Exit, Failure, Reason};
use crate::helm::{self, Record, RecordProblem, RefusedRecord, ReleaseId, Storage};
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::model::{Kind, kinds};
use crate::plan::advice::{Advice, Code};
use crate::plan::owner::{self, Owner};
use crate::text::nearest;

/// The type of Helm's Secrets. It also finds those whose labels were removed.
const SECRET_TYPE: &str = "type=helm.sh/release.v1";
const OWNER: &str = "owner=helm";
/// Maximum number of revisions to read. Helm keeps ten by default.
const HISTORY: usize = 30;

/// One revision, according to its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReleaseRevision {
    pub name: String,
    pub revision: u64,
    /// `None` if the label is missing.
    pub status: Option<String>,
    object: String,
    storage: Storage,
}

/// A release with its revisions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FoundRelease {
    pub record: Record,
    /// The record as it is stored, half a megabyte: the files of the chart are read from it where they are needed.
    pub stored: String,
    /// All its revisions, the newest first, as far as they may be listed.
    pub history: Vec<ReleaseRevision>,
    pub advice: Vec<Advice>,
}

/// A record, and the text that it was read from.
struct ReadRecord {
    record: Record,
    stored: String,
}

/// The release of this name, or the one of Gloo's chart.
///
/// # Errors
/// No release exists, several exist, or it may not or cannot be read.
pub(crate) async fn find(
    session: &Session,
    namespace: &str,
    name: Option<&str>,
    revision: Option<u64>,
) -> Result<FoundRelease, Failure> {
    if let (Some(name), Some(revision)) = (name, revision) {
        let ReadRecord { record, stored } = named(session, namespace, name, revision).await?;
        let history = list(session, namespace).await.unwrap_or_default();
        return Ok(FoundRelease { record, stored, history: of_name(&history, name), advice: Vec::new() });
    }
    let all = list(session, namespace).await.map_err(|error| refused(error, session))?;
    let Some(name) = name else { return of_chart(session, namespace, &all, revision).await };
    let history = of_name(&all, name);
    if history.is_empty() {
        return Err(no_such(session, namespace, name, &all));
    }
    chosen(session, namespace, history, revision).await
}

/// An earlier revision.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Earlier {
    pub record: Option<Record>,
    /// Revisions that were skipped because they cannot be read, the newest first.
    pub unread: Vec<u64>,
}

/// The newest earlier revision whose values match `is_it`.
pub(crate) async fn earlier(
    session: &Session,
    namespace: &str,
    found: &FoundRelease,
    is_it: impl Fn(&serde_json::Value) -> bool,
) -> Earlier {
    let is_before = |entry: &&ReleaseRevision| {
        entry.revision < found.record.revision && entry.status.as_deref().is_none_or(|status| status != "failed")
    };
    let mut unread = Vec::new();
    for entry in found.history.iter().filter(is_before).take(HISTORY) {
        match read(session, namespace, entry).await {
            Ok(ReadRecord { record, .. }) if is_it(&record.values) => return Earlier { record: Some(record), unread },
            Ok(_) => {}
            Err(_) => unread.push(entry.revision),
        }
    }
    Earlier { record: None, unread }
}

/// The first revision of the current state: the oldest in the unbroken series of earlier revisions whose values match
/// `is_it`. It is `found` itself if the previous revision does not match or cannot be read.
pub(crate) async fn began(
    session: &Session,
    namespace: &str,
    found: &FoundRelease,
    is_it: impl Fn(&serde_json::Value) -> bool,
) -> Record {
    let mut oldest = found.record.clone();
    let before = found.history.iter().filter(|entry| entry.revision < found.record.revision);
    for entry in before.filter(|entry| entry.status.as_deref() != Some("failed")).take(HISTORY) {
        match read(session, namespace, entry).await {
            Ok(ReadRecord { record, .. }) if is_it(&record.values) => oldest = record,
            _ => break,
        }
    }
    oldest
}

/// The revisions of a release, the newest first. Empty if they may not be listed.
pub(crate) async fn history(session: &Session, namespace: &str, name: &str) -> Vec<ReleaseRevision> {
    list(session, namespace).await.map(|all| of_name(&all, name)).unwrap_or_default()
}

/// The tool that renders Gloo, according to its Deployment.
pub(crate) async fn owner(session: &Session, namespace: &str) -> Option<Owner> {
    super::istio::gloo(session, namespace).await.as_ref().and_then(owner::find)
}

async fn list(session: &Session, namespace: &str) -> Result<Vec<ReleaseRevision>, ApiError> {
    let secrets = Query { fields: SECRET_TYPE.to_owned(), metadata_only: true, ..Query::default() };
    let mut found = entries(session, &kinds::SECRET, namespace, secrets, Storage::Secret).await?;
    if found.is_empty() {
        let maps = Query { metadata_only: true, ..Query::labelled(OWNER) };
        found = entries(session, &kinds::CONFIG_MAP, namespace, maps, Storage::ConfigMap).await.unwrap_or_default();
    }
    found.sort_by(|a, b| a.name.cmp(&b.name).then(b.revision.cmp(&a.revision)));
    Ok(found)
}

async fn entries(
    session: &Session,
    kind: &'static Kind,
    namespace: &str,
    query: Query,
    storage: Storage,
) -> Result<Vec<ReleaseRevision>, ApiError> {
    let listed = session.list_all(kind, Scope::Namespace(namespace), query).await?;
    let entry = |object: &serde_json::Value| {
        let object_name = object["metadata"]["name"].as_str()?;
        let (name, revision) = helm::name_and_revision(object_name)?;
        Some(ReleaseRevision {
            name: name.to_owned(),
            revision,
            status: object["metadata"]["labels"]["status"].as_str().map(str::to_owned),
            object: object_name.to_owned(),
            storage,
        })
    };
    Ok(listed.iter().filter_map(entry).collect())
}

fn of_name(all: &[ReleaseRevision], name: &str) -> Vec<ReleaseRevision> {
    all.iter().filter(|entry| entry.name == name).cloned().collect()
}

async fn named(session: &Session, namespace: &str, name: &str, revision: u64) -> Result<ReadRecord, Failure> {
    let entry = |storage| ReleaseRevision {
        name: name.to_owned(),
        revision,
        status: None,
        object: helm::object_name(name, revision),
        storage,
    };
    match read(session, namespace, &entry(Storage::Secret)).await {
        Err(failure) if failure.reason == Reason::NotFound => {
            match read(session, namespace, &entry(Storage::ConfigMap)).await {
                Err(of_map) if of_map.reason == Reason::NotFound => {
                    Err(Failure { reason: Reason::NoRelease, ..failure })
                }
                answer => answer,
            }
        }
        answer => answer,
    }
}

async fn read(session: &Session, namespace: &str, entry: &ReleaseRevision) -> Result<ReadRecord, Failure> {
    let kind = match entry.storage {
        Storage::Secret => &kinds::SECRET,
        Storage::ConfigMap => &kinds::CONFIG_MAP,
    };
    let object = session.get(kind, namespace, &entry.object).await.map_err(|error| {
        let forbidden = matches!(error.cause, ApiCause::Forbidden { .. });
        let failure = error.into_failure(session);
        if forbidden {
            failure.hint(gloo_rs("upgrade-values --values FILE").after("or dump the values and pass them: "))
        } else {
            failure
        }
    })?;
    let broken = |why: String| {
        Failure::new(Exit::Failed, Reason::BadRecord, format!("{kind}/{}: not a record of Helm's: {why}", entry.object))
            .hint(Hint::from("another revision may be intact: ").flag("--release-revision").text(" N"))
    };
    let of_another = |why: String| {
        let message = format!("{kind}/{} in {namespace}: {why}", entry.object);
        Failure::new(Exit::Failed, Reason::RecordMismatch, message).hint(
            "it was changed or copied by hand; delete it if it is not Helm's, or name another release: --release NAME",
        )
    };
    let id = ReleaseId::of_object(&object, namespace, &entry.object).map_err(of_another)?;
    let data = object["data"]["release"].as_str().ok_or_else(|| broken("it has no data.release".to_owned()))?;
    let holds = format!("it should hold {id}");
    let record = helm::read(data, entry.storage, id).map_err(|unread| match unread {
        RefusedRecord::Broken(RecordProblem(why)) => broken(why),
        RefusedRecord::OfAnother(inside) => of_another(format!("{holds}, but the record in it is of {inside}")),
    })?;
    Ok(ReadRecord { record, stored: data.to_owned() })
}

/// The named revision, or else the deployed one, or else the newest.
async fn chosen(
    session: &Session,
    namespace: &str,
    history: Vec<ReleaseRevision>,
    revision: Option<u64>,
) -> Result<FoundRelease, Failure> {
    if let Some(revision) = revision {
        let Some(entry) = history.iter().find(|entry| entry.revision == revision) else {
            let there: Vec<_> = history.iter().map(|entry| entry.revision.to_string()).collect();
            let message = format!("release {namespace}/{}: no revision {revision}", history[0].name);
            return Err(
                Failure::new(Exit::SaidNo, Reason::NoRelease, message).detail(format!("there: {}", there.join(", ")))
            );
        };
        let ReadRecord { record, stored } = read(session, namespace, entry).await?;
        return Ok(FoundRelease { record, stored, history, advice: Vec::new() });
    }
    let mut newest = None;
    for entry in &history {
        let known = entry.status.as_deref();
        if known.is_some_and(|status| status != "deployed") && newest.is_some() {
            continue;
        }
        if known.is_some_and(|status| status != "deployed") {
            newest = Some((entry.revision, known.unwrap_or_default().to_owned()));
            continue;
        }
        let ReadRecord { record, stored } = read(session, namespace, entry).await?;
        if record.status == "deployed" || known.is_some() {
            let advice = newest.iter().map(|(revision, status)| not_deployed(&record, *revision, status)).collect();
            return Ok(FoundRelease { record, stored, history, advice });
        }
        newest.get_or_insert((entry.revision, record.status));
    }
    let ReadRecord { record, stored } = read(session, namespace, &history[0]).await?;
    let message = format!(
        "no revision of release {} is deployed; the newest, {}, is {}",
        record.name, record.revision, record.status
    );
    let advice =
        vec![Advice::warning(Code::ReleaseState, message).hint(flag("--release-revision").text(" N chooses another"))];
    Ok(FoundRelease { record, stored, history, advice })
}

fn not_deployed(record: &Record, revision: u64, status: &str) -> Advice {
    let message = format!(
        "revision {revision} is {status}; the values are those of revision {}, the deployed one",
        record.revision
    );
    let advice = Advice::warning(Code::ReleaseState, message);
    match status.starts_with("pending") {
        true => advice
            .details(["Helm refuses an upgrade while another is pending".to_owned()])
            .hint(record.rollback().after("if none is running: ")),
        false => advice.hint(flag("--release-revision").text(format!(" {revision} uses those of that one"))),
    }
}

async fn of_chart(
    session: &Session,
    namespace: &str,
    all: &[ReleaseRevision],
    revision: Option<u64>,
) -> Result<FoundRelease, Failure> {
    let mut names: Vec<&str> = all.iter().map(|entry| entry.name.as_str()).collect();
    names.dedup();
    let mut glooey = Vec::new();
    let mut others = Vec::new();
    for name in names {
        let found = chosen(session, namespace, of_name(all, name), revision).await;
        match found {
            Ok(found) if named_chart(&found.record).is_gloos() => glooey.push(found),
            Ok(found) => others.push(format!("{name} (chart {}-{})", found.record.chart, found.record.chart_version)),
            Err(failure) if failure.reason == Reason::BadRecord => {
                others.push(format!("{name} (its record cannot be read)"));
            }
            Err(failure) if failure.reason == Reason::NoRelease => {}
            Err(failure) => return Err(failure),
        }
    }
    match glooey.len() {
        1 => Ok(glooey.swap_remove(0)),
        0 => Err(none(session, namespace, others).await),
        _ => {
            let failure = Failure::new(
                Exit::Failed,
                Reason::Ambiguous,
                format!("several releases of Gloo's chart in {namespace}"),
            );
            let failure = glooey.iter().fold(failure, |failure, found| {
                let record = &found.record;
                failure.detail(format!(
                    "{} (revision {}, chart {}-{})",
                    record.name, record.revision, record.chart, record.chart_version
                ))
            });
            Err(failure.hint(flag("--release").text(" NAME")))
        }
    }
}

fn no_such(session: &Session, namespace: &str, name: &str, all: &[ReleaseRevision]) -> Failure {
    let near = nearest(name, all.iter().map(|entry| entry.name.as_str()));
    let mut failure = Failure::new(Exit::SaidNo, Reason::NoRelease, format!("release {namespace}/{name}: not found"));
    if !near.is_empty() {
        failure = failure.detail(format!("near: {}", near.join(", ")));
    }
    failure.detail(session.looked())
}

async fn none(session: &Session, namespace: &str, others: Vec<String>) -> Failure {
    let mut failure = match owner(session, namespace).await {
        Some(owner @ (Owner::ArgoCd { .. } | Owner::Flux { .. })) => {
            let message =
                format!("no Helm release in {namespace}; {owner} renders this chart, so its values are in Git");
            Failure::new(Exit::SaidNo, Reason::NoRelease, message)
                .hint(gloo_rs("upgrade-values --values").value(file_of(&owner)).fixed("--write"))
        }
        _ => Failure::new(Exit::SaidNo, Reason::NoRelease, format!("no Helm release of Gloo's chart in {namespace}"))
            .hint(
                Hint::from("-n NAMESPACE searches another namespace")
                    .or_else(", ", flag("--release").text(" NAME chooses one, whatever its chart is called")),
            ),
    };
    if others.is_empty() {
        failure.details.extend(absence::no_namespace(session, namespace).await);
    } else {
        failure = failure.detail(format!("there: {}", others.join(", ")));
    }
    failure.detail(session.looked())
}

/// The likely file name of the owner's manifest.
fn file_of(owner: &Owner) -> String {
    let name = match owner {
        Owner::ArgoCd { application: name } | Owner::Flux { name, .. } => name.as_str(),
        Owner::Helm { .. } | Owner::Discovery => owner::UNNAMED,
    };
    match name.rsplit('/').next() {
        Some(name) if name != owner::UNNAMED => format!("{name}.yaml"),
        _ => "FILE".to_owned(),
    }
}

fn refused(error: ApiError, session: &Session) -> Failure {
    let forbidden = matches!(error.cause, ApiCause::Forbidden { .. });
    let failure = error.into_failure(session);
    if !forbidden {
        return failure;
    }
    failure
        .hint(
            flag("--release")
                .text(" NAME ")
                .flag("--release-revision")
                .text(" N needs permission to get only that one Secret"),
        )
        .hint(gloo_rs("upgrade-values --values FILE").after("or dump the values and pass them: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_without_a_name_leaves_the_file_to_be_named() {
        let argo = |name: &str| file_of(&Owner::ArgoCd { application: name.to_owned() });
        assert_eq!((argo("team/edge").as_str(), argo(owner::UNNAMED).as_str()), ("edge.yaml", "FILE"));
    }
}
