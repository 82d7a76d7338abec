//! What this binary was built from, as the build script (`build.rs`) wrote it down.

/// The version, and what tells two builds of it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Build {
    pub version: &'static str,
    /// In hex, with `-modified` behind it if the sources were not those of the commit. `None` if nothing told it.
    pub commit: Option<&'static str>,
    /// The day of the commit in UTC: `2026-11-30`.
    pub date: Option<&'static str>,
    /// The platform: `x86_64-unknown-linux-gnu`.
    pub target: &'static str,
    /// The address of the published sources, as GitHub serves them. `None` if nothing told it.
    pub repository: Option<&'static str>,
    /// Commit, date and target in one line.
    pub summary: &'static str,
}

pub(crate) const BUILD: Build = Build {
    version: env!("CARGO_PKG_VERSION"),
    commit: option_env!("GLOO_RS_BUILD_COMMIT"),
    date: option_env!("GLOO_RS_BUILD_DATE"),
    target: env!("GLOO_RS_BUILD_TARGET"),
    repository: option_env!("GLOO_RS_BUILD_REPOSITORY"),
    summary: env!("GLOO_RS_BUILD_SUMMARY"),
};

/// What `--version` prints after the name.
pub(crate) const LINE: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("GLOO_RS_BUILD_SUMMARY"), ")");
