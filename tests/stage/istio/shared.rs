//! The mesh that the tests of this process share.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use anyhow::Result;

use super::super::{
    injector::Sidecar,
    plane::{Options, Plane},
};
use super::Istiod;

/// A plane with the guide's Gloo and three real istiods.
pub struct Mesh {
    /// Revision `1-27`, whose sidecars are containers.
    pub old: Istiod<Arc<Plane>>,
    /// Revision `1-28`, whose sidecars are native.
    pub new: Istiod<Arc<Plane>>,
    /// The one without a revision, whose sidecars are native.
    pub default: Istiod<Arc<Plane>>,
    pub plane: Arc<Plane>,
}

/// The mesh of this process. It ends with its last user, because its idle parts take a third of a core.
pub fn shared() -> Result<Arc<Mesh>> {
    static MESH: Mutex<Weak<Mesh>> = Mutex::new(Weak::new());
    let mut mesh = MESH.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = mesh.upgrade() {
        return Ok(running);
    }
    let started = Arc::new(Mesh::start()?);
    *mesh = Arc::downgrade(&started);
    Ok(started)
}

impl Mesh {
    fn start() -> Result<Self> {
        let plane = Arc::new(Plane::start(&Options::default())?);
        plane.install_gloo_definitions()?;
        Istiod::install_definitions(&plane)?;
        let old = Istiod::install(Arc::clone(&plane), "1-27", "1.27.5", Sidecar::Container)?;
        let new = Istiod::install(Arc::clone(&plane), "1-28", "1.28.3", Sidecar::Native)?;
        let default = Istiod::install(Arc::clone(&plane), "default", "1.29.1", Sidecar::Native)?;
        plane.install_gloo_and_apps()?;
        Ok(Self { old, new, default, plane })
    }
}
