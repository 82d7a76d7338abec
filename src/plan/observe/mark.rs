//! The mark of an object that was changed and not observed yet. It is there from the write until the requests of its
//! batch were judged, so that a run that is killed in between leaves a trace, and the next run can watch the object or
//! roll it back. An object that was deleted has no place for it.

use serde_json::{Value, json};

use crate::bounded;
use crate::edit::json as edited;
use crate::edit::{Edit, Op};
use crate::error::Reason;
use crate::model::{FieldPath, Kind, Object, Segment};
use crate::plan::advice::Advice;
use crate::plan::change::{Act, Change};
use crate::plan::effect::Wanted;
use crate::plan::mark::made_by_us;
use crate::plan::mtls::UpstreamContext;
use crate::plan::outcome::Decision;
use crate::plan::policy::{Caution, Picked};
use crate::plan::{PerObject, Wants, Words};

/// The annotation. Its value is a list of the changed fields with what was there before.
pub(crate) const NOT_OBSERVED: &str = "gloo-rs/not-observed";

/// Its value if the object was created: the field is the whole object.
const CREATED: &str = r#"[{"path":[]}]"#;

/// Limit for the value of the annotation, in bytes. All annotations of an object may have 256 KiB.
const MOST: usize = 64 << 10;

fn path() -> FieldPath {
    FieldPath::keys(&["metadata", "annotations", NOT_OBSERVED])
}

/// Whether the object was changed by a run that did not observe it.
pub(crate) fn is_marked(object: &Value) -> bool {
    path().get(object).is_some()
}

/// A plan whose changes carry the mark.
pub(crate) struct Marking<'p>(pub &'p dyn PerObject);

impl PerObject for Marking<'_> {
    fn kind(&self) -> &'static Kind {
        self.0.kind()
    }

    fn words(&self) -> Words {
        self.0.words()
    }

    fn risks(&self) -> Vec<&'static str> {
        self.0.risks()
    }

    fn wants(&self) -> Wants {
        self.0.wants()
    }

    fn decide(&self, object: &Object, found: Picked, around: &UpstreamContext) -> Decision {
        match self.0.decide(object, found, around) {
            Decision::Change { edits, message } => {
                let Change { edits, message, .. } = marked(Change::new(object.clone(), edits, message));
                Decision::Change { edits, message }
            }
            other => other,
        }
    }

    fn by_hand(&self) -> Vec<String> {
        self.0.by_hand()
    }

    fn guarded(&self) -> Option<Caution> {
        self.0.guarded()
    }

    fn judges_paths(&self) -> bool {
        self.0.judges_paths()
    }

    fn reason(&self, edits: &[Edit]) -> Option<Reason> {
        self.0.reason(edits)
    }

    fn in_files(&self, after: &Object) -> Words {
        self.0.in_files(after)
    }

    fn expects(&self, before: &Object) -> Option<Wanted> {
        self.0.expects(before)
    }

    fn advise(&self, object: &Object, around: &UpstreamContext) -> Vec<Advice> {
        self.0.advise(object, around)
    }
}

/// The change with the mark, if the object is there after it.
pub(crate) fn marked(change: Change) -> Change {
    let marked = match (change.act(), change.edits.as_slice()) {
        (Act::Create, [Edit { op: Op::Set(object), .. }]) => {
            let mark = Edit::set(path(), Value::String(CREATED.to_owned()));
            edited::apply(object, &[mark]).ok().map(|object| vec![Edit::set(FieldPath::root(), object)])
        }
        (Act::Edit, edits) if !change.is_already() => {
            let mark = Edit::set(path(), Value::String(value_of(&change.before, edits)));
            Some(edits.iter().cloned().chain([mark]).collect())
        }
        _ => None,
    };
    Change { edits: marked.unwrap_or_else(|| change.edits.clone()), ..change }
}

/// The edit that removes the mark, if it is there.
pub(crate) fn unmark(object: &Value) -> Option<Edit> {
    is_marked(object).then(|| Edit::remove(path()))
}

/// The value of the mark: `[{"path":["spec","sslConfig"]}]`, with `was` if the field existed.
fn value_of(object: &Object, edits: &[Edit]) -> String {
    let field = |edit: &Edit| {
        let keys = keys(&edit.path)?;
        Some(match edit.path.get(&object.value) {
            Some(was) => json!({"path": keys, "was": was}),
            None => json!({"path": keys}),
        })
    };
    Value::Array(edits.iter().filter_map(field).collect()).to_string()
}

fn keys(path: &FieldPath) -> Option<Vec<&str>> {
    let keys =
        path.segments().iter().map(|segment| if let Segment::Key(key) = segment { Some(key.as_str()) } else { None });
    keys.collect()
}

/// The object before the change of the run that left the mark, and the edits of that change. `None` if there is no mark,
/// or if it is not one that this program wrote.
pub(crate) fn before(object: &Object) -> Option<(Object, Vec<Edit>)> {
    let text = path().get(&object.value)?.as_str().filter(|text| text.len() <= MOST)?;
    if text == CREATED {
        let created = Edit::set(FieldPath::root(), object.value.clone());
        let absent = Object { reference: object.reference.clone(), value: Value::Null };
        return made_by_us(&object.value).then(|| (absent, vec![created]));
    }
    let fields = bounded::inside(text.as_bytes())?;
    let mut back = vec![Edit::remove(path())];
    let mut edits = Vec::new();
    for field in fields.as_array()? {
        let keys: Vec<_> = field["path"].as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
        // Only what the commands of this program change.
        let (["spec", _, ..], path) = (keys.as_slice(), FieldPath::keys(&keys)) else { return None };
        edits.push(match path.get(&object.value) {
            Some(is) => Edit::set(path.clone(), is.clone()),
            None => Edit::remove(path.clone()),
        });
        back.push(match field.get("was") {
            Some(was) => Edit::set(path, was.clone()),
            None => Edit::remove(path),
        });
    }
    edits.push(Edit::set(path(), Value::String(text.to_owned())));
    let value = edited::apply(&object.value, &back).ok()?;
    Some((Object { reference: object.reference.clone(), value }, edits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kinds;
    use crate::plan::inverse::inverse;
    use crate::plan::mtls::{MtlsWish, Policy};
    use crate::plan::policy::OtherTls;

    fn changed(before: &Value, wish: MtlsWish) -> (Object, Value) {
        let before = Object::new(&kinds::UPSTREAM, before.clone());
        let policy = Policy { wish, other_tls: OtherTls::Replace, caution: Caution::Careful };
        let decision = Marking(&policy).decide(&before, Picked::Named, &UpstreamContext::unseen());
        let Decision::Change { edits, .. } = decision else { panic!("{decision:?}") };
        let after = edited::apply(&before.value, &edits).unwrap();
        (before, after)
    }

    #[test]
    fn a_later_run_finds_what_was_there_before() {
        let upstream = |spec: Value| json!({"metadata": {"name": "a", "namespace": "ns"}, "spec": spec});
        for (spec, wish) in [
            (json!({"kube": {}}), MtlsWish::Enable),
            (json!({"kube": {}, "sslConfig": {"secretRef": {"name": "own"}}}), MtlsWish::Enable),
            (
                json!({"sslConfig": {"sds": {"certificatesSecretName": "istio_server_cert", "validationContextName": "istio_validation_context"}}}),
                MtlsWish::Disable,
            ),
        ] {
            let (was, now) = changed(&upstream(spec), wish);
            assert!(is_marked(&now) && !is_marked(&was.value));
            let now = Object::new(&kinds::UPSTREAM, now);
            let (before, edits) = before(&now).unwrap();
            let back = inverse(&before.value, &edits, &now.value, &now.value).unwrap();
            let back = edited::apply(&now.value, &back).unwrap();
            assert_eq!(back["spec"], was.value["spec"]);
            assert!(!is_marked(&back) && unmark(&back).is_none());
            let unmarked = edited::apply(&now.value, &[unmark(&now.value).unwrap()]).unwrap();
            assert_eq!((&unmarked["spec"], is_marked(&unmarked)), (&now.value["spec"], false));
        }
    }

    #[test]
    fn an_object_that_was_created_is_marked_too_and_one_that_is_deleted_is_not() {
        let policy = |labels: Value| {
            let metadata = json!({"name": "default", "namespace": "shop", "labels": labels});
            Object::new(
                &kinds::PEER_AUTHENTICATION,
                json!({"metadata": metadata, "spec": {"mtls": {"mode": "STRICT"}}}),
            )
        };
        let ours = policy(json!({"app.kubernetes.io/managed-by": "gloo-rs"}));
        let after = marked(Change::create(ours.clone(), "created")).after().unwrap();
        assert!(is_marked(&after.value));
        let (was, edits) = before(&after).unwrap();
        let change = Change::new(was, edits, "");
        assert_eq!((change.act(), &change.before.value), (Act::Create, &Value::Null));
        assert_eq!(edited::apply(&after.value, &[unmark(&after.value).unwrap()]).unwrap()["spec"], ours.value["spec"]);
        let theirs = marked(Change::create(policy(json!({})), "created")).after().unwrap();
        assert_eq!(before(&theirs), None, "nothing shows that this program created it");

        let delete = Change::delete(ours.clone(), "deleted");
        assert_eq!(marked(delete.clone()), delete);
        let already = Change::new(ours.clone(), Vec::new(), "unchanged");
        assert_eq!(marked(already.clone()), already);
        let mode = FieldPath::keys(&["spec", "mtls", "mode"]);
        let changed = marked(Change::new(ours, vec![Edit::set(mode, json!("PERMISSIVE"))], "changed"));
        let (was, _) = before(&changed.after().unwrap()).unwrap();
        assert_eq!(was.value["spec"]["mtls"]["mode"], "STRICT");
    }

    #[test]
    fn a_mark_of_others_is_not_followed() {
        let marked = |text: &str| {
            let object = json!({"metadata": {"name": "a", "annotations": {NOT_OBSERVED: text}}, "spec": {}});
            before(&Object::new(&kinds::UPSTREAM, object))
        };
        for text in
            ["", "x", "{}", r#"[{"path":["metadata","labels"]}]"#, r#"[{"path":["spec"]}]"#, r#"[{"path":[1]}]"#, "[7]"]
        {
            assert_eq!(marked(text), None, "{text}");
        }
        assert!(marked(r#"[{"path":["spec","sslConfig"],"was":{}}]"#).is_some());
    }
}
