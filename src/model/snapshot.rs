//! The objects that were read, by kind and name: from the cluster, from files, or from files merged over the cluster.
//!
//! Objects that could not be read are represented by a value with the reason: a missing permission is never an empty
//! list.

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;

use super::{Kind, Object, ObjectRef};
use crate::rights::Rule;

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    /// The reason in a few words: `not allowed to list pods`.
    pub why: String,
    /// The rule that would allow it, if a permission is missing.
    pub rule: Option<Box<Rule>>,
}

impl Unknown {
    /// The unknown for objects of the cluster when only files were read.
    #[must_use]
    pub fn of_files() -> Self {
        Self::because("only files were looked at")
    }

    /// Whether this is the unknown of [`Self::of_files`].
    #[must_use]
    pub fn is_of_files(&self) -> bool {
        *self == Self::of_files()
    }

    /// An unknown that no rule resolves.
    #[must_use]
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), rule: None }
    }
}

/// The result of a list request.
#[derive(Debug, Clone, PartialEq)]
pub enum ListAnswer {
    Read(Vec<Object>),
    /// The API server does not have the kind: its CRD is not installed.
    Absent,
    Unknown(Unknown),
}

/// The part of a kind that a list covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListPart {
    /// All objects of the kind.
    All,
    /// All objects in this namespace.
    Namespace(String),
    /// The objects that a selector matched. There may be others.
    Selected,
}

impl ListPart {
    fn covers(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Namespace(own) => own == namespace,
            Self::Selected => false,
        }
    }
}

/// The result of looking up an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found<'s> {
    There(&'s Object),
    NotThere,
    /// The object was not read, and neither was everything where it could be.
    Unknown(&'s Unknown),
}

impl<'s> Found<'s> {
    /// The object, if it was read.
    #[must_use]
    pub fn object(self) -> Option<&'s Object> {
        match self {
            Self::There(object) => Some(object),
            Self::NotThere | Self::Unknown(_) => None,
        }
    }
}

/// The place of an object in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    pub file: String,
    /// The line on which its document begins, from 1.
    pub line: usize,
}

/// Writes `upstreams.yaml:12`.
impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The objects read of one kind.
#[derive(Debug, Default)]
struct Shelf {
    objects: Vec<Object>,
    /// The positions by namespace and name.
    index: HashMap<String, HashMap<String, usize>>,
    /// The parts that were read completely.
    read: Vec<ListPart>,
    gaps: Vec<(ListPart, Unknown)>,
    is_absent: bool,
}

impl Shelf {
    /// Adds the object, or replaces the one of the same name.
    fn put(&mut self, object: Object) {
        let ObjectRef { namespace, name, .. } = &object.reference;
        let names = self.index.entry(namespace.clone()).or_default();
        if let Some(at) = names.get(name) {
            self.objects[*at] = object;
            return;
        }
        names.insert(name.clone(), self.objects.len());
        self.objects.push(object);
    }

    fn get(&self, namespace: &str, name: &str) -> Option<&Object> {
        let at = self.index.get(namespace)?.get(name)?;
        self.objects.get(*at)
    }
}

/// Everything that was read, once for a run.
#[derive(Debug)]
pub struct Snapshot {
    shelves: HashMap<&'static Kind, Shelf>,
    spots: HashMap<ObjectRef, Spot>,
    /// What the Envoy of a pod answered: whether it has the cluster of the sidecars.
    envoys: HashMap<ObjectRef, Result<bool, Unknown>>,
    /// The `DaemonSet`s of ztunnel. `None` if they were not asked for.
    ztunnels: Option<Result<Vec<Object>, Unknown>>,
    /// The unknown for every kind that was not requested.
    rest: Unknown,
}

impl Snapshot {
    /// An empty snapshot. `rest` is the reason why kinds that were not requested are unknown.
    #[must_use]
    pub fn new(rest: Unknown) -> Self {
        Self { shelves: HashMap::new(), spots: HashMap::new(), envoys: HashMap::new(), ztunnels: None, rest }
    }

    /// Whether only files were read. What is not in them may be in the cluster.
    #[must_use]
    pub fn is_of_files(&self) -> bool {
        self.rest.is_of_files()
    }

    /// Adds whether the Envoy of a pod has the cluster of the sidecars, or why that is unknown.
    pub fn put_envoy(&mut self, pod: ObjectRef, has_cluster: Result<bool, Unknown>) {
        self.envoys.insert(pod, has_cluster);
    }

    /// Whether the Envoy of a pod has the cluster of the sidecars. `None` if it was not asked.
    #[must_use]
    pub fn envoy(&self, pod: &ObjectRef) -> Option<&Result<bool, Unknown>> {
        self.envoys.get(pod)
    }

    /// Adds the `DaemonSet`s of ztunnel, or why they are unknown. They are not among those of [`Self::all`].
    pub fn put_ztunnels(&mut self, ztunnels: Result<Vec<Object>, Unknown>) {
        self.ztunnels = Some(ztunnels);
    }

    /// The `DaemonSet`s of ztunnel. `None` if they were not asked for.
    #[must_use]
    pub fn ztunnels(&self) -> Option<&Result<Vec<Object>, Unknown>> {
        self.ztunnels.as_ref()
    }

    /// Adds the result of a list. Existing objects of the same name are replaced.
    pub fn put(&mut self, kind: &'static Kind, part: ListPart, answer: ListAnswer) {
        let known = self.shelves.entry(kind).or_default();
        match answer {
            ListAnswer::Read(objects) => {
                for object in objects {
                    known.put(object);
                }
                known.read.push(part);
            }
            ListAnswer::Absent => known.is_absent = true,
            ListAnswer::Unknown(unknown) => known.gaps.push((part, unknown)),
        }
    }

    /// Merges an object of a file over what was read. If the object exists, its creation time is kept.
    pub fn lay(&mut self, mut object: Object, spot: Spot) {
        let ObjectRef { kind, namespace, name } = &object.reference;
        self.spots.insert(object.reference.clone(), spot);
        let known = self.shelves.entry(kind).or_default();
        let there = known.get(namespace, name).map(|there| there.value["metadata"]["creationTimestamp"].clone());
        let created = there.filter(Value::is_string);
        if let (Some(created), Some(metadata)) =
            (created, object.value.get_mut("metadata").and_then(Value::as_object_mut))
        {
            metadata.insert("creationTimestamp".to_owned(), created);
        }
        known.put(object);
    }

    /// Replaces the object of the same name, as a change of it would.
    pub fn replace(&mut self, object: Object) {
        self.shelves.entry(object.reference.kind).or_default().put(object);
    }

    /// Replaces all objects of a kind with those known from another source.
    pub fn replace_all(&mut self, kind: &'static Kind, objects: Vec<Object>) {
        self.shelves.remove(kind);
        self.put(kind, ListPart::All, ListAnswer::Read(objects));
    }

    /// Removes an object, as its deletion would.
    pub fn remove(&mut self, reference: &ObjectRef) {
        let Some(known) = self.shelves.get_mut(reference.kind) else { return };
        let objects = std::mem::take(&mut known.objects);
        known.index.clear();
        objects.into_iter().filter(|object| object.reference != *reference).for_each(|object| known.put(object));
    }

    /// Changes the objects of a kind in place. Their names must stay the same.
    pub fn edit(&mut self, kind: &'static Kind, change: impl FnMut(&mut Object)) {
        self.shelves.get_mut(kind).into_iter().flat_map(|known| &mut known.objects).for_each(change);
    }

    /// All objects that were read of a kind. [`Self::unknown`] tells whether there may be more.
    #[must_use]
    pub fn all(&self, kind: &'static Kind) -> &[Object] {
        self.shelves.get(kind).map_or(&[], |known| known.objects.as_slice())
    }

    /// The objects that were read of a kind in a namespace.
    pub fn in_namespace<'s>(&'s self, kind: &'static Kind, namespace: &str) -> impl Iterator<Item = &'s Object> {
        let positions = self.shelves.get(kind).and_then(|known| Some((known, known.index.get(namespace)?)));
        let mut positions: Vec<_> =
            positions.into_iter().flat_map(|(known, names)| names.values().map(move |at| (known, *at))).collect();
        positions.sort_unstable_by_key(|(_, at)| *at);
        positions.into_iter().map(|(known, at)| &known.objects[at])
    }

    /// Looks up one object.
    #[must_use]
    pub fn find(&self, kind: &'static Kind, namespace: &str, name: &str) -> Found<'_> {
        match self.shelves.get(kind).and_then(|known| known.get(namespace, name)) {
            Some(object) => Found::There(object),
            None => self.unknown_in(kind, namespace).map_or(Found::NotThere, Found::Unknown),
        }
    }

    /// The object, if it was read.
    #[must_use]
    pub fn object(&self, reference: &ObjectRef) -> Option<&Object> {
        self.find(reference.kind, &reference.namespace, &reference.name).object()
    }

    /// Why there may be more objects of a kind than were read; the last of several reasons. `None` if all were read or
    /// the kind does not exist.
    #[must_use]
    pub fn unknown(&self, kind: &'static Kind) -> Option<&Unknown> {
        let Some(known) = self.shelves.get(kind) else { return Some(&self.rest) };
        let is_whole = known.is_absent || !known.read.is_empty();
        known.gaps.last().map(|(_, unknown)| unknown).or((!is_whole).then_some(&self.rest))
    }

    /// The same for one namespace.
    #[must_use]
    pub fn unknown_in(&self, kind: &'static Kind, namespace: &str) -> Option<&Unknown> {
        let Some(known) = self.shelves.get(kind) else { return Some(&self.rest) };
        if known.is_absent || known.read.iter().any(|part| part.covers(namespace)) {
            return None;
        }
        let gap = known.gaps.iter().find(|(part, _)| part.covers(namespace)).or_else(|| known.gaps.first());
        Some(gap.map_or(&self.rest, |(_, unknown)| unknown))
    }

    /// Whether a kind was read in all namespaces.
    #[must_use]
    pub fn is_whole(&self, kind: &'static Kind) -> bool {
        self.shelves.get(kind).is_some_and(|known| known.is_absent || known.read.contains(&ListPart::All))
    }

    /// Whether the API server does not have the kind.
    #[must_use]
    pub fn is_absent(&self, kind: &'static Kind) -> bool {
        self.shelves.get(kind).is_some_and(|known| known.is_absent && known.objects.is_empty())
    }

    /// The place in a file, for an object from a file.
    #[must_use]
    pub fn spot(&self, reference: &ObjectRef) -> Option<&Spot> {
        self.spots.get(reference)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds::{POD, UPSTREAM};

    fn upstream(namespace: &str, name: &str, mark: u64) -> Object {
        Object::new(&UPSTREAM, json!({"metadata": {"namespace": namespace, "name": name}, "mark": mark}))
    }

    fn empty() -> Snapshot {
        Snapshot::new(Unknown::because("not asked for"))
    }

    #[test]
    fn what_was_not_seen_is_missing_only_where_all_was_read() {
        let mut snapshot = empty();
        let why = |snapshot: &Snapshot, namespace| match snapshot.find(&UPSTREAM, namespace, "a") {
            Found::There(_) => "there".to_owned(),
            Found::NotThere => "not there".to_owned(),
            Found::Unknown(unknown) => unknown.why.clone(),
        };
        assert_eq!(why(&snapshot, "ns"), "not asked for");
        snapshot.put(&UPSTREAM, ListPart::All, ListAnswer::Unknown(Unknown::because("not allowed to list")));
        assert_eq!(why(&snapshot, "ns"), "not allowed to list");
        snapshot.put(&UPSTREAM, ListPart::Namespace("ns".into()), ListAnswer::Read(Vec::new()));
        assert_eq!(why(&snapshot, "ns"), "not there");
        assert_eq!(why(&snapshot, "other"), "not allowed to list");
        assert_eq!(snapshot.unknown(&UPSTREAM), Some(&Unknown::because("not allowed to list")));
        snapshot.put(&UPSTREAM, ListPart::Namespace("other".into()), ListAnswer::Read(vec![upstream("other", "a", 1)]));
        assert_eq!(why(&snapshot, "other"), "there");
    }

    #[test]
    fn what_a_selector_left_out_may_be_there() {
        let mut snapshot = empty();
        snapshot.put(&POD, ListPart::Selected, ListAnswer::Read(Vec::new()));
        assert!(matches!(snapshot.find(&POD, "ns", "a"), Found::Unknown(_)));
        assert_eq!(snapshot.unknown(&POD), None);
    }

    #[test]
    fn a_kind_without_a_definition_has_no_objects_for_certain() {
        let mut snapshot = empty();
        snapshot.put(&UPSTREAM, ListPart::All, ListAnswer::Absent);
        assert_eq!(snapshot.find(&UPSTREAM, "ns", "a"), Found::NotThere);
        assert!(snapshot.is_absent(&UPSTREAM) && snapshot.unknown(&UPSTREAM).is_none());
        snapshot.lay(upstream("ns", "a", 1), Spot { file: "a.yaml".into(), line: 1 });
        assert!(!snapshot.is_absent(&UPSTREAM), "a file has one");
    }

    #[test]
    fn a_file_replaces_the_object_of_the_same_name_alone() {
        let mut snapshot = empty();
        let both = vec![upstream("ns", "a", 1), upstream("ns", "b", 1), upstream("x", "a", 1)];
        snapshot.put(&UPSTREAM, ListPart::All, ListAnswer::Read(both));
        snapshot.lay(upstream("ns", "a", 2), Spot { file: "a.yaml".into(), line: 7 });
        snapshot.lay(upstream("ns", "c", 2), Spot { file: "a.yaml".into(), line: 9 });
        let marks: Vec<_> = snapshot.all(&UPSTREAM).iter().map(|object| object.value["mark"].clone()).collect();
        assert_eq!(marks, [2, 1, 1, 2]);
        let names: Vec<_> =
            snapshot.in_namespace(&UPSTREAM, "ns").map(|object| object.reference.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(snapshot.spot(&ObjectRef::new(&UPSTREAM, "ns", "c")).map(|spot| spot.line), Some(9));
        assert_eq!(snapshot.spot(&ObjectRef::new(&UPSTREAM, "ns", "b")), None);
    }

    #[test]
    fn an_object_that_is_there_is_as_old_in_a_file_as_it_was() {
        let mut snapshot = empty();
        let mut there = upstream("ns", "a", 1);
        there.value["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        snapshot.put(&UPSTREAM, ListPart::All, ListAnswer::Read(vec![there]));
        for name in ["a", "b"] {
            snapshot.lay(upstream("ns", name, 2), Spot { file: "a.yaml".into(), line: 7 });
        }
        let created = |name: &str| {
            let object = snapshot.find(&UPSTREAM, "ns", name).object().unwrap();
            (object.value["mark"].as_u64(), object.value["metadata"]["creationTimestamp"].as_str())
        };
        assert_eq!(created("a"), (Some(2), Some("2026-01-01T00:00:00Z")));
        assert_eq!(created("b"), (Some(2), None));
    }
}
