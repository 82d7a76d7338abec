//! Another installation of Gloo that may read the same Upstreams.

use crate::model::{ListAnswer, ListPart, Object, Snapshot, Unknown, kinds};
use crate::plan::gateway::AutoMtls;
use crate::plan::path::Switched;
use crate::plan::path::installation::Installation;

/// An installation of Gloo, and whether its Settings turn auto-mTLS on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherGloo {
    installation: Installation,
    auto_mtls: AutoMtls,
}

impl OtherGloo {
    /// Reads the installations of all Settings in the cluster, except the one in this namespace.
    pub(crate) fn read(settings: Vec<Object>, gloo: &str) -> Vec<Self> {
        let mut snapshot = Snapshot::new(Unknown::because("only Settings were read"));
        snapshot.put(&kinds::SETTINGS, ListPart::All, ListAnswer::Read(settings));
        let all = snapshot.all(&kinds::SETTINGS).iter();
        let others = all.filter(|settings| Installation::named(settings).is_some_and(|namespace| namespace != gloo));
        let one = |settings: &Object| Self {
            installation: Installation::read(&snapshot, &settings.reference.namespace),
            auto_mtls: Switched::read(settings).auto_mtls(),
        };
        others.map(one).collect()
    }

    pub(super) fn namespace(&self) -> &str {
        &self.installation.namespace
    }

    pub(super) fn reads(&self, upstream: &Object) -> bool {
        self.installation.watches(&upstream.reference.namespace)
    }

    pub(super) fn has_auto_mtls(&self) -> bool {
        self.auto_mtls == AutoMtls::On
    }
}
