//! What was promised, and whether it held.

use serde::Serialize;

use crate::measure::Cost;

/// A promise of the design.
#[derive(Debug, Clone, Copy)]
pub enum Promise {
    WallMs(f64),
    PeakMib(f64),
    Requests(u32),
    /// Times the wall of the floor.
    Floors(f64),
}

/// What was measured of one row.
pub struct Measured {
    pub cost: Cost,
    pub requests: Option<u32>,
    /// Wall against the floor's.
    pub ratio: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct Verdict {
    pub promise: String,
    pub met: bool,
    /// The measured figure against its limit.
    pub used: f64,
}

impl Promise {
    /// Nothing where the figure is missing: there was no floor to measure against.
    pub fn verdict(self, measured: &Measured) -> Option<Verdict> {
        let (promise, figure, limit) = match self {
            Self::WallMs(limit) => (format!("under {limit} ms"), measured.cost.wall_ms, limit),
            Self::PeakMib(limit) => (format!("under {limit:.1} MiB"), measured.cost.peak_mib, limit),
            Self::Requests(limit) => {
                (format!("requests up to {limit}"), f64::from(measured.requests?), f64::from(limit))
            }
            Self::Floors(limit) => (format!("up to {limit} x floor"), measured.ratio?, limit),
        };
        Some(Verdict::of(promise, figure, limit))
    }
}

impl Verdict {
    /// Whether a figure keeps to its limit.
    pub fn of(promise: String, figure: f64, limit: f64) -> Self {
        Self { promise, met: figure <= limit, used: figure / limit }
    }
}
