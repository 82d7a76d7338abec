//! Checks the switches of auto-mTLS, and the Upstreams that it may break.

use super::{Check, Finding, Look, codes};
use crate::command::gloo_rs;
use crate::model::kinds;
use crate::plan::auto_mtls::harm;
use crate::plan::settings::switches;

pub(super) const CHECK: Check = Check {
    title: "auto-mTLS",
    word: "auto-mtls",
    codes: &[&codes::AUTO_MTLS_ALONE, &codes::AUTO_MTLS_HARMS],
    kinds: &[&kinds::SETTINGS, &kinds::UPSTREAM],
    beyond: &[],
    run,
};

fn run(look: &Look<'_>) -> Vec<Finding> {
    let Some(settings) = look.settings() else { return Vec::new() };
    let on = switches(&settings.value);
    let upstreams = look.watched(&kinds::UPSTREAM);
    if on.auto_mtls && !on.integration {
        let message = "enableAutoMtls without enableIntegration: no Upstream gets mTLS";
        return vec![
            Finding::new(&codes::AUTO_MTLS_ALONE, &settings.reference, message)
                .hint(gloo_rs("istio auto-mtls enable").of_installation(&settings.reference.namespace)),
        ];
    }
    if !on.auto_mtls {
        return Vec::new();
    }
    let harmed = upstreams.into_iter().filter_map(|upstream| {
        let why = harm(&upstream.value)?;
        let name = &upstream.reference.name;
        let namespace = &upstream.reference.namespace;
        Some(
            Finding::new(&codes::AUTO_MTLS_HARMS, &upstream.reference, format!("auto-mTLS sends plaintext: {why}"))
                .decided_by(settings.reference.clone())
                .hint(gloo_rs("istio auto-mtls disable").with("-u", format!("{namespace}/{name}"))),
        )
    });
    harmed.collect()
}
