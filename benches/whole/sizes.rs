//! The sizes of the measured work.

/// The sizes of the measured work.
pub struct Sizes {
    /// The number of Upstreams in each bulk run.
    pub sweeps: Vec<usize>,
    /// The number of Upstreams, and of the files that contain them.
    pub files: Vec<(usize, usize)>,
    /// The number of additional namespaces, in ascending order.
    pub namespaces: Vec<usize>,
    /// The number of Envoy's endpoints, each 5 kB of its dump.
    pub dumps: Vec<usize>,
    pub runs: Runs,
}

pub struct Runs {
    /// The runs of a command that takes milliseconds.
    pub short: usize,
    /// The runs of a command that takes seconds.
    pub long: usize,
    /// The runs of a command that takes longer.
    pub longest: usize,
}

impl Sizes {
    pub fn full() -> Self {
        Self {
            sweeps: vec![100, 1000, 10_000],
            files: vec![(1000, 400), (4000, 1600), (10_000, 4000)],
            namespaces: vec![10, 100, 1000],
            dumps: vec![1100, 4400, 11_000],
            runs: Runs { short: 21, long: 7, longest: 3 },
        }
    }

    pub fn quick() -> Self {
        Self {
            sweeps: vec![10, 50, 100],
            files: vec![(10, 4), (50, 20), (100, 40)],
            namespaces: vec![1, 5, 10],
            dumps: vec![220, 440, 660],
            runs: Runs { short: 3, long: 1, longest: 1 },
        }
    }
}
