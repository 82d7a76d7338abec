//! The mesh that all tests of this process share.

use std::sync::OnceLock;

use anyhow::Result;

use super::super::{
    injector::Sidecar,
    plane::{Options, Plane},
};
use super::Istiod;

/// A plane with the guide's Gloo and three real istiods.
pub struct Mesh {
    pub plane: &'static Plane,
    /// Revision `1-27`, whose sidecars are containers.
    pub old: Istiod<'static>,
    /// Revision `1-28`, whose sidecars are native.
    pub new: Istiod<'static>,
    /// The one without a revision, whose sidecars are native.
    pub default: Istiod<'static>,
}

/// The mesh of this process. The first caller starts it. It is never dropped: the end of the process ends it.
pub fn shared() -> &'static Mesh {
    static PLANE: OnceLock<Plane> = OnceLock::new();
    static MESH: OnceLock<Result<Mesh, String>> = OnceLock::new();
    let mesh = MESH.get_or_init(|| {
        let start = || {
            let started = Plane::start(&Options::default())?;
            let plane = PLANE.get_or_init(|| started);
            plane.install_gloo_definitions()?;
            Istiod::install_definitions(plane)?;
            let old = Istiod::install(plane, "1-27", "1.27.5", Sidecar::Container)?;
            let new = Istiod::install(plane, "1-28", "1.28.3", Sidecar::Native)?;
            let default = Istiod::install(plane, "default", "1.29.1", Sidecar::Native)?;
            plane.install_gloo_and_apps()?;
            anyhow::Ok(Mesh { plane, old, new, default })
        };
        start().map_err(|error| format!("{error:#}"))
    });
    mesh.as_ref().unwrap_or_else(|error| panic!("the shared mesh did not start: {error}"))
}
