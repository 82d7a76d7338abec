//! Paths for tests.

use super::{Behind, Declared, Facts, Membership, Pod, Switched};
use crate::plan::mtls::{FarEnd, UpstreamContext};
use crate::plan::peer::mode::PolicyLevel;
use crate::plan::peer::{Effective, Mode, PolicyRef, PolicySource};
use crate::plan::routes::RouteTarget;
use crate::plan::settings::Switches;

/// A pod in the namespace `shop`. The policy `shop/a` sets its mode.
pub(crate) fn pod(name: &str, membership: Membership, mode: Mode) -> Pod {
    let policy = PolicyRef { namespace: "shop".into(), name: "a".into() };
    let source = PolicySource { level: PolicyLevel::Namespace, policy, mode: Some(mode), shadowed: Vec::new() };
    Pod {
        namespace: name.split_once('/').map_or("", |(namespace, _)| namespace).to_owned(),
        name: name.split_once('/').map_or(name, |(_, name)| name).to_owned(),
        membership,
        accepts_hbone: false,
        revision: None,
        demands: Ok(Effective { mode, chain: vec![source] }),
        port_modes: Vec::new(),
        port: Some(8080),
        authorization: Ok(Vec::new()),
        ready: Ok(true),
        barred: None,
    }
}

/// A pod with a sidecar in this mode.
pub(crate) fn meshed(mode: Mode) -> Pod {
    pod("shop/m", Membership::Sidecar, mode)
}

/// A pod without a sidecar.
pub(crate) fn plain(name: &str) -> Pod {
    pod(name, Membership::Outside, Mode::Permissive)
}

/// These pods behind a Service.
pub(crate) fn pods(pods: Vec<Pod>) -> Behind {
    Behind::Pods { service: "shop/cart".into(), port: Declared::Other, pods }
}

/// The context of an Upstream with this destination, where auto-mTLS is off.
pub(crate) fn around(behind: Behind) -> UpstreamContext {
    let facts = Facts::bare(RouteTarget::Other("u".into()), behind, Ok(Vec::new()));
    UpstreamContext { far_end: FarEnd::Path(Box::new(facts)), settings: Ok(switched(false)) }
}

/// Settings with both switches on, or both off.
pub(crate) fn switched(auto_mtls: bool) -> Switched {
    let switches = Switches { integration: auto_mtls, auto_mtls };
    Switched { switches, source: "settings gloo-system/default".into() }
}
