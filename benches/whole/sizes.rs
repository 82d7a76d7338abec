//! How much of everything is made and measured.

/// How much of everything there is.
pub struct Sizes {
    /// Upstreams of each sweep.
    pub sweeps: Vec<usize>,
    /// Upstreams, and in how many files.
    pub files: Vec<(usize, usize)>,
    /// Namespaces beside those that everybody has, growing.
    pub namespaces: Vec<usize>,
    /// Endpoints that Envoy knows, 5 kB of its dump each.
    pub dumps: Vec<usize>,
    pub runs: Runs,
}

pub struct Runs {
    /// Of what takes milliseconds.
    pub short: usize,
    /// Of what takes seconds.
    pub long: usize,
    /// Of what takes longer.
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
