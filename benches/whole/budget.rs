//! The performance budgets, and whether they were met.

use serde::Serialize;

use crate::measure::Cost;

/// A limit from the design.
#[derive(Debug, Clone, Copy)]
pub enum Promise {
    WallMs(f64),
    PeakMib(f64),
    Requests(u32),
    /// A multiple of the floor's wall time.
    Floors(f64),
}

/// The measurements of one row.
pub struct Measured {
    pub cost: Cost,
    pub requests: Option<u32>,
    /// The wall time divided by the floor's.
    pub ratio: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct Verdict {
    pub promise: String,
    pub met: bool,
    /// The measured figure divided by its limit.
    pub used: f64,
}

impl Promise {
    /// The verdict; `None` if the figure is missing because there was no floor to compare with.
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
    /// Whether a figure is within its limit.
    pub fn of(promise: String, figure: f64, limit: f64) -> Self {
        Self { promise, met: figure <= limit, used: figure / limit }
    }
}
