//! One program for all targets of `src/fuzzing/`: `GLOO_RS_FUZZ_TARGET` says which one runs.
#![no_main]

use std::sync::LazyLock;

use gloo_rs::fuzzing::TARGETS;
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("GLOO_RS_FUZZ_TARGET").expect("GLOO_RS_FUZZ_TARGET names a target");
    TARGETS.into_iter().find(|(name, _)| *name == wanted).expect("GLOO_RS_FUZZ_TARGET names a target").1
});

fuzz_target!(|data: &[u8]| TARGET(data));
