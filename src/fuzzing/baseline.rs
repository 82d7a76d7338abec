//! The file of a baseline.

use super::text;
use crate::check::Severity;
use crate::posture::baseline::{Baselines, Comparison};

pub(super) fn run(data: &[u8]) {
    let Some(Ok(baselines)) = text(data).map(Baselines::parse) else { return };
    let written: String = baselines.lines().map(|line| line + "\n").collect();
    assert_eq!(Baselines::parse(&written).as_ref(), Ok(&baselines));
    let all = match &baselines {
        Baselines::One(baseline) => vec![baseline],
        Baselines::OfContexts(all) => all.values().collect(),
    };
    for baseline in all {
        assert!(Comparison::of(&baseline.recorded, &baseline.recorded, Severity::Warning).is_empty());
    }
}
