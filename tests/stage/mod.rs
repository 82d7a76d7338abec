//! The test stage: real control planes with Gloo's and Istio's objects in them.
//!
//! Most tests share one plane and use separate namespaces:
//!
//! ```ignore
//! let plane = stage::shared();
//! let gloo = plane.install_gloo("enable-mtls")?; // a namespace of this test's own
//! let upstream = plane.api().get("gloo.solo.io/v1/Upstream", &gloo, "default-httpbin-8000")?;
//! ```
//!
//! A test that breaks things, or needs two clusters, starts its own plane with [`Plane::start`].
#![allow(dead_code, unused_imports, reason = "each target that includes the stage uses another part of it")]

mod api;
mod audit;
mod binaries;
pub mod echo;
pub mod envoy;
mod fixtures;
mod follower;
mod forward;
mod gateway_api;
mod go;
mod helm;
mod injector;
pub mod istio;
mod launch;
pub mod load;
mod logs;
pub mod many;
mod meaning;
pub mod mesh;
mod package;
pub mod pair;
mod parts;
mod plane;
mod release;
mod served;
pub mod snapshots;
mod supervisor;
pub mod tools;
mod tour;

use std::sync::OnceLock;

pub use api::{StageApi, client, documents, has_condition};
pub use audit::Request;
pub use binaries::{Binaries, announce, kubernetes_version};
pub use envoy::Envoy;
pub use fixtures::GLOO;
pub use follower::Follower;
pub use gateway_api::{GatewayController, class_and_gateway, parameters_of_class};
pub use helm::{helm, helm_4};
pub use injector::{Injector, Revision, Sidecar, injected_by};
pub use logs::LogFile;
pub use parts::wait_for;
pub use plane::{Options, Plane};
pub use release::{opened, release, release_metadata, release_of_real_size, stored};

/// The plane that all tests of this process share, with the guide's installation. The first caller starts it, with
/// audit on. It is never dropped: the end of the process ends it.
pub fn shared() -> &'static Plane {
    static SHARED: OnceLock<Result<Plane, String>> = OnceLock::new();
    let plane = SHARED.get_or_init(|| {
        let start = || {
            let plane = Plane::start(&Options { audit: true, ..Options::default() })?;
            plane.install_guide()?;
            anyhow::Ok(plane)
        };
        start().map_err(|error| format!("{error:#}"))
    });
    plane.as_ref().unwrap_or_else(|error| panic!("the shared plane did not start: {error}"))
}
