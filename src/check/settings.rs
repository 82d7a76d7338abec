//! Checks that Gloo's Settings exist and are not rejected.

use super::statuses::of_object;
use super::{Check, Finding, Look, codes};
use crate::command::flag;
use crate::model::names::SETTINGS;
use crate::model::{Found, ObjectRef, kinds};

pub(super) const CHECK: Check = Check {
    title: "Settings",
    word: "settings",
    codes: &[&codes::NO_SETTINGS, &codes::REJECTED, &codes::WARNED],
    kinds: &[&kinds::SETTINGS],
    beyond: &[],
    run,
};

fn run(look: &Look<'_>) -> Vec<Finding> {
    match look.find(&kinds::SETTINGS, look.gloo(), SETTINGS) {
        Found::There(settings) => of_object(settings, look.gloo()).into_iter().collect(),
        Found::Unknown(_) => Vec::new(),
        Found::NotThere => {
            let settings = ObjectRef::new(&kinds::SETTINGS, look.gloo(), SETTINGS);
            vec![
                Finding::new(&codes::NO_SETTINGS, &settings, "Gloo's Settings do not exist")
                    .hint(flag("--gloo-namespace").text(" sets the namespace of Gloo")),
            ]
        }
    }
}
