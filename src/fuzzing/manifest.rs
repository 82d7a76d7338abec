//! Edits of manifests: an edit changes the text as it changes the object, and undoing it restores the bytes.

use super::text;
use crate::edit::manifest::{self, Job, ManifestObject};
use crate::edit::{Edit, json};
use crate::model::kinds::UPSTREAM;
use crate::model::{FieldPath, Object};
use crate::plan::ssl_config::istio_ssl_config;

fn members(text: &str) -> Vec<(Object, manifest::ManifestPlace)> {
    let found = manifest::members(text, &UPSTREAM).found.into_iter();
    found
        .filter_map(|one| if let ManifestObject::Member { object, place } = one { Some((object, place)) } else { None })
        .collect()
}

pub(super) fn run(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let path = FieldPath::keys(&["spec", "sslConfig"]);
    let (on, off) = ([Edit::set(path.clone(), istio_ssl_config())], [Edit::remove(path.clone())]);
    let before = members(text);
    for (at, (object, place)) in before.iter().enumerate() {
        for edits in [&on, &off] {
            let Ok(splice) = manifest::edit(text, place, edits) else { continue };
            let edited = manifest::splice(text, &[splice]);
            let after = members(&edited);
            assert_eq!(after.len(), before.len(), "{edited}");
            for (index, ((was, _), (is, _))) in before.iter().zip(&after).enumerate() {
                let planned = json::apply(&was.value, if index == at { edits } else { &[] });
                assert_eq!(Ok(&is.value), planned.as_ref(), "{edited}");
            }
            // If the map around the new field did not exist, undoing removes that map too, which is another edit.
            let is_new = object.value["spec"].is_object() && path.get(&object.value).is_none();
            if edits == &on && is_new {
                let undone = manifest::edit(&edited, &after[at].1, &off).expect("what was put in can be taken out");
                assert_eq!(manifest::splice(&edited, &[undone]), text, "{edited}");
            }
        }
    }
    let jobs: Vec<_> = before.iter().map(|(_, place)| Job { place, edits: &on, object: None }).collect();
    let answers = manifest::edit_all(text, &jobs);
    assert_eq!(answers.len(), jobs.len());
    let splices: Vec<_> = answers.iter().flatten().cloned().collect();
    let after = members(&manifest::splice(text, &splices));
    for ((was, is), answer) in before.iter().zip(&after).zip(&answers) {
        let planned = json::apply(&was.0.value, if answer.is_ok() { &on } else { &[] });
        assert_eq!(Ok(&is.0.value), planned.as_ref());
    }
}
