//! Reads a [`Snapshot`] of the cluster, of files, or of files laid over the cluster.
//!
//! It sends one paged LIST for each kind over all namespaces, so that the number of requests does not grow with the
//! number of namespaces. A few requests run at a time.

use std::io::Read;
use std::path::PathBuf;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::files::{self, LoadedFile};
use super::policies;
use super::unread::why;
use crate::edit::manifest;
use crate::error::Failure;
use crate::kube::{ApiCause, ApiError, Query, Scope, Session};
use crate::model::names::RUNNING;
use crate::model::{Kind, ListAnswer, ListPart, Object, Snapshot, Spot, Unknown, kinds};
use crate::plan::fields;
use crate::plan::mark::LAST_APPLIED;
use crate::plan::path::{endpoints, in_files};

/// Number of simultaneous requests. Each has its own TLS connection.
const AT_ONCE: usize = 6;

/// How much of each object is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The whole object.
    Whole,
    /// Everything except `managedFields` and kubectl's last applied configuration, which are half of many objects.
    Lean,
    /// Only the metadata, without those two.
    Metadata,
    /// For `EndpointSlice`s: which pods are ready, and their ports.
    Endpoints,
}

/// What to read of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    pub kind: &'static Kind,
    /// Only this namespace.
    pub namespace: Option<String>,
    pub labels: &'static str,
    pub fields: &'static str,
    pub detail: Detail,
    /// Whether its objects have no namespace.
    pub of_the_cluster: bool,
}

impl Want {
    /// Every object of a kind, in all namespaces.
    #[must_use]
    pub fn all(kind: &'static Kind) -> Self {
        Self { kind, namespace: None, labels: "", fields: "", detail: Detail::Lean, of_the_cluster: false }
    }

    /// Every object of a kind that has no namespace.
    #[must_use]
    pub fn of_the_cluster(kind: &'static Kind) -> Self {
        Self { of_the_cluster: true, ..Self::all(kind) }
    }

    /// Only objects with these labels.
    #[must_use]
    pub fn labelled(self, labels: &'static str) -> Self {
        Self { labels, ..self }
    }

    /// Only pods that have not ended.
    #[must_use]
    pub fn running(self) -> Self {
        Self { fields: RUNNING, ..self }
    }

    /// Sets how much of each object is kept.
    #[must_use]
    pub fn detail(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }

    /// Only objects of one namespace.
    #[must_use]
    pub fn in_namespace(self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self }
    }

    fn query(&self) -> Query {
        Query {
            labels: self.labels.to_owned(),
            fields: self.fields.to_owned(),
            metadata_only: self.detail == Detail::Metadata,
            ..Query::default()
        }
    }

    /// The part of the kind that this list covers. Pods that have ended do not count as missing.
    fn part(&self, namespace: Option<&str>) -> ListPart {
        match namespace {
            _ if !self.labels.is_empty() => ListPart::Selected,
            Some(namespace) => ListPart::Namespace(namespace.to_owned()),
            None => ListPart::All,
        }
    }
}

/// The namespaces to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Only these. If empty, all.
    pub only: Vec<String>,
    /// Used if a list of all namespaces is not allowed.
    pub otherwise: Vec<String>,
}

/// Reads the cluster.
///
/// # Errors
/// The API server does not answer, or rejects the credentials. What may not be listed is unknown in the snapshot.
pub async fn of_cluster(session: &Session, wants: &[Want], namespaces: &Namespaces) -> Result<Snapshot, Failure> {
    let mut snapshot = Snapshot::new(Unknown::because("it was not requested"));
    let mut answers =
        stream::iter(wants).map(|want| async move { (want, list(session, want, namespaces).await) }).buffered(AT_ONCE);
    while let Some((want, answers)) = answers.next().await {
        for (part, answer) in answers.map_err(|error| error.into_failure(session))? {
            snapshot.put(want.kind, part, answer);
        }
    }
    Ok(snapshot)
}

/// The answers of one request for all namespaces, or of one request for each namespace.
async fn list(
    session: &Session,
    want: &Want,
    namespaces: &Namespaces,
) -> Result<Vec<(ListPart, ListAnswer)>, ApiError> {
    let several = |of: &[String]| {
        let own = want.namespace.as_ref().map_or(of, std::slice::from_ref);
        if want.of_the_cluster { Vec::new() } else { own.to_vec() }
    };
    let named = several(&namespaces.only);
    if !named.is_empty() {
        return each(session, want, &named).await;
    }
    let whole = part(session, want, None).await?;
    let instead = several(&namespaces.otherwise);
    if instead.is_empty() || !matches!(&whole, (_, ListAnswer::Unknown(Unknown { rule: Some(_), .. }))) {
        return Ok(vec![whole]);
    }
    let mut answers = each(session, want, &instead).await?;
    answers.push(whole);
    Ok(answers)
}

async fn each(session: &Session, want: &Want, namespaces: &[String]) -> Result<Vec<(ListPart, ListAnswer)>, ApiError> {
    let mut answers = Vec::new();
    for namespace in namespaces {
        answers.push(part(session, want, Some(namespace)).await?);
    }
    Ok(answers)
}

async fn part(session: &Session, want: &Want, namespace: Option<&str>) -> Result<(ListPart, ListAnswer), ApiError> {
    let answer = match read(session, want, namespace).await {
        Ok(objects) => ListAnswer::Read(objects),
        Err(error) if error.cause == ApiCause::NoCrd => ListAnswer::Absent,
        Err(error) if ends_the_run(&error) => return Err(error),
        Err(error) => ListAnswer::Unknown(unknown(&error)),
    };
    Ok((want.part(namespace), answer))
}

/// Reads the kind in the version that the API server has: Istio before 1.22 has no `v1`.
async fn read(session: &Session, want: &Want, namespace: Option<&str>) -> Result<Vec<Object>, ApiError> {
    match read_as(session, want.kind, want, namespace).await {
        Err(error) if error.cause == ApiCause::NoCrd => match policies::older(want.kind) {
            Some(older) => {
                let older = read_as(session, older, want, namespace).await;
                older.map_err(|older| if older.cause == ApiCause::NoCrd { error } else { older })
            }
            None => Err(error),
        },
        read => read,
    }
}

async fn read_as(
    session: &Session,
    kind: &'static Kind,
    want: &Want,
    namespace: Option<&str>,
) -> Result<Vec<Object>, ApiError> {
    let scope = namespace.map_or(Scope::All, Scope::Namespace);
    let mut pages = session.pages(kind, scope, want.query());
    let mut objects = Vec::new();
    while let Some(page) = pages.next().await? {
        objects.extend(page.items.into_iter().map(|value| Object::new(want.kind, kept(value, want.detail))));
    }
    Ok(objects)
}

/// Whether the error affects all kinds alike: the API server cannot be reached, or rejects the credentials.
pub(super) fn ends_the_run(error: &ApiError) -> bool {
    matches!(
        error.cause,
        ApiCause::Unreachable { .. } | ApiCause::Tls(_) | ApiCause::Credentials(_) | ApiCause::Unauthorized
    )
}

pub(super) fn unknown(error: &ApiError) -> Unknown {
    let rule = match &error.cause {
        ApiCause::Forbidden { rule, .. } => rule.clone(),
        _ => None,
    };
    Unknown { why: why(error), rule }
}

fn kept(mut value: Value, detail: Detail) -> Value {
    if detail == Detail::Whole {
        return value;
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            let is_of_use = |text: &Value| text.as_str().is_some_and(fields::may_be_misspelt);
            if !annotations.get(LAST_APPLIED).is_some_and(is_of_use) {
                annotations.remove(LAST_APPLIED);
            }
        }
    }
    if detail == Detail::Endpoints { endpoints::reduced(value) } else { value }
}

/// A document or a file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadSource {
    pub spot: Spot,
    pub why: String,
    /// Whether it appears to be a manifest, but is not valid.
    pub is_broken: bool,
}

/// The result of reading files.
#[derive(Debug, Default)]
pub struct OfFiles {
    /// In the order of the files. Of several with the same name, the last counts.
    pub objects: Vec<(Object, Spot)>,
    /// Documents that may contain one of the kinds and cannot be read, and why.
    pub unread: Vec<UnreadSource>,
    /// Number of files and documents of other kinds.
    pub passed_over: usize,
    pub files: usize,
}

/// Reads the objects of these kinds. An object without a namespace is in `namespace`.
///
/// # Errors
/// A named file cannot be read.
pub fn of_files(
    paths: &[PathBuf],
    kinds: &[&'static Kind],
    namespace: impl Fn(&Kind) -> String,
    stdin: &mut dyn Read,
) -> Result<OfFiles, Failure> {
    let mut inputs = files::find(&files::sources_of(paths)?)?;
    let mut read = OfFiles::default();
    while let Some(loaded) = inputs.next(stdin) {
        match loaded? {
            LoadedFile::Text(text) => {
                read.files += 1;
                let objects = manifest::objects(&text.text, kinds);
                read.passed_over += objects.others;
                let spot = |line| Spot { file: text.name.clone(), line };
                read.unread.extend(objects.unread.into_iter().map(|it| UnreadSource {
                    spot: spot(it.line),
                    why: it.why,
                    is_broken: it.is_broken,
                }));
                read.objects.extend(objects.found.into_iter().map(|(object, line)| {
                    let place = namespace(object.reference.kind);
                    (placed(object, &place), spot(line))
                }));
            }
            LoadedFile::PassedOver { .. } => read.passed_over += 1,
            LoadedFile::Encrypted { name, by } => {
                let why = by.to_string();
                read.unread.push(UnreadSource { spot: Spot { file: name, line: 1 }, why, is_broken: false });
            }
            LoadedFile::Refused { name, why, .. } => {
                read.unread.push(UnreadSource { spot: Spot { file: name, line: 1 }, why, is_broken: true });
            }
        }
    }
    Ok(read)
}

/// Sets the namespace of a manifest that has none, as the API server would.
fn placed(mut object: Object, namespace: &str) -> Object {
    if object.reference.namespace.is_empty() && !namespace.is_empty() {
        namespace.clone_into(&mut object.reference.namespace);
        if let Some(metadata) = object.value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("namespace".to_owned(), namespace.into());
        }
    }
    object
}

/// A snapshot of only files, with the pods that they will make. What they do not contain is unknown.
#[must_use]
pub(crate) fn of_files_alone(files: Vec<(Object, Spot)>) -> Snapshot {
    let snapshot = over(Snapshot::new(Unknown::of_files()), files);
    let pods = in_files::pods(&snapshot);
    over(snapshot, pods)
}

/// Lays files over a snapshot.
#[must_use]
pub fn over(mut snapshot: Snapshot, files: Vec<(Object, Spot)>) -> Snapshot {
    for (object, spot) in files {
        snapshot.lay(object, spot);
    }
    snapshot
}

/// The objects of a namespace with these labels, without pods that have ended.
///
/// # Errors
/// As for [`of_cluster`].
pub(crate) async fn selected(
    session: &Session,
    kind: &'static Kind,
    namespace: &str,
    labels: String,
) -> Result<ListAnswer, Failure> {
    let fields = if *kind == kinds::POD { RUNNING } else { "" };
    let query = Query { fields: fields.to_owned(), ..Query::labelled(labels) };
    let list = session.list_all(kind, Scope::Namespace(namespace), query).await;
    answer(session, kind, list)
}

/// The object of this name, or none.
///
/// # Errors
/// As for [`of_cluster`].
pub(crate) async fn one(
    session: &Session,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
) -> Result<ListAnswer, Failure> {
    match session.get(kind, namespace, name).await {
        Err(error) if error.cause == ApiCause::NotFound => Ok(ListAnswer::Read(Vec::new())),
        got => answer(session, kind, got.map(|value| vec![value])),
    }
}

fn answer(session: &Session, kind: &'static Kind, items: Result<Vec<Value>, ApiError>) -> Result<ListAnswer, Failure> {
    match items {
        Ok(items) => {
            Ok(ListAnswer::Read(items.into_iter().map(|it| Object::new(kind, kept(it, Detail::Lean))).collect()))
        }
        Err(error) if error.cause == ApiCause::NoCrd => Ok(ListAnswer::Absent),
        Err(error) if ends_the_run(&error) => Err(error.into_failure(session)),
        Err(error) => Ok(ListAnswer::Unknown(unknown(&error))),
    }
}
