//! Every check over manifests of any content, and its findings in each form.
#![no_main]

use gloo_rs::check::{CHECKS, World, run};
use gloo_rs::edit::manifest;
use gloo_rs::load::snapshot::of_files_alone;
use gloo_rs::model::{Kind, Selector, Spot, Unknown};
use gloo_rs_fuzz::text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(text) = text(data) else { return };
    let kinds: Vec<&'static Kind> = CHECKS.iter().flat_map(|check| check.kinds).copied().collect();
    let found = manifest::objects(text, &kinds).found.into_iter();
    let snapshot = of_files_alone(found.map(|(object, line)| (object, Spot { file: "x".to_owned(), line })).collect());
    let pods = Selector::parse("gloo").expect("a selector");
    let world = World::new(&snapshot, "gloo-system", pods, &Unknown::of_files().why);
    for ran in run(&world, CHECKS) {
        let _ = ran;
    }
});
