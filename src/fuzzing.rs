//! The private readers of foreign bytes, for the targets in `fuzz/`. Compiled with `--cfg fuzzing` alone.

pub use crate::gloo::wire::{fields, texts};
pub use crate::kube::fuzzing::{Context, answer, contexts, credential};
