//! The file of a baseline.

use super::text;
use crate::check::Severity;
use crate::posture::baseline::{Baseline, Comparison};

pub(super) fn run(data: &[u8]) {
    let Some(Ok(baseline)) = text(data).map(Baseline::parse) else { return };
    let written: String = baseline.lines().map(|line| line + "\n").collect();
    assert_eq!(Baseline::parse(&written).as_ref(), Ok(&baseline));
    assert!(Comparison::of(&baseline.recorded, &baseline.recorded, Severity::Warning).is_empty());
}
