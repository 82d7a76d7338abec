//! Every check on manifests with any content, and its findings in each format.

use super::text;
use crate::check::{self, CHECKS, World};
use crate::edit::manifest;
use crate::load::snapshot::of_files_alone;
use crate::model::{Kind, Selector, Spot, Unknown};

pub(super) fn run(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let kinds: Vec<&'static Kind> = CHECKS.iter().flat_map(|check| check.kinds).copied().collect();
    let found = manifest::objects(text, &kinds).found.into_iter();
    let snapshot = of_files_alone(found.map(|(object, line)| (object, Spot { file: "x".to_owned(), line })).collect());
    let pods = Selector::parse("gloo").expect("a selector");
    let world = World::new(&snapshot, "gloo-system", pods, &Unknown::of_files().why);
    for ran in check::run(&world, CHECKS) {
        let _ = ran;
    }
}
