//! `setup` and `teardown`: what their steps need together.

use super::declaration::{Declaration, EDIT, GET, LIST};
use super::{edits, istio, observed, proxy, upstreams, values, writes};
use crate::load::policies::ISTIO_SYSTEM;
use crate::model::kinds;
use crate::options::{
    Enrol, Enrolment, Global, MeshMode, PodsOf, Proxies, Restarts, SettingsSwitches, Setup, SetupProof, Strictness,
    Teardown,
};
use crate::plan::policy::Caution;
use crate::render::diff::Secrets;

pub(super) fn setup(task: &Setup, global: &Global, all: &mut Declaration) {
    let home = global.object_namespace();
    all.traffic(global).istiods(None).policies();
    match &task.proxy {
        Some(PodsOf::Gateway(_)) => {
            istio::parameters(all);
            all.everywhere(edits(task.preview), &[&kinds::DEPLOYMENT, &kinds::GATEWAY_PARAMETERS, &kinds::SETTINGS])
                .everywhere(&["get", "list"], &[&kinds::SECRET, &kinds::CONFIG_MAP])
                .everywhere(LIST, &[&kinds::EVENT])
                .forwards_anywhere();
        }
        proxy => {
            let proxies = match proxy {
                Some(PodsOf::Named(name)) => Proxies::Named(vec![name.clone()]),
                _ => Proxies::Usual,
            };
            proxy::workloads(&proxies, edits(task.preview), global, all);
            all.within(home, GET, &[&kinds::DEPLOYMENT]);
            all.within(home, edits(task.preview), &[&kinds::CONFIG_MAP]).forwards(home).rollouts(home, task.preview);
            values::release(home, all);
        }
    }
    let enrolment = enrolment(Restarts::Rolling { parallel: 1, only: Vec::new() }, task.preview);
    for namespace in &task.namespaces {
        all.named(("", namespace), edits(task.preview), &kinds::NAMESPACE);
        istio::members(namespace, &enrolment, all);
        if task.strictness == Strictness::Strict {
            let verbs: &[_] =
                if writes(task.preview) { &["get", "list", "create", "patch", "delete"] } else { &["get", "list"] };
            all.within(namespace, verbs, &[&kinds::PEER_AUTHENTICATION]);
        }
    }
    upstreams::named(&task.upstreams, edits(task.preview), global, all);
    if task.auto_mtls == SettingsSwitches::On {
        all.settings(global, edits(task.preview));
        upstreams::with_peers(all);
    }
    upstreams::effect(global, all);
    istio::pointing(home, all);
    observed::of_all((task.observation, task.preview), global, all);
    if task.proof == SetupProof::Sent {
        all.everywhere(GET, &[&kinds::UPSTREAM, &kinds::POD, &kinds::CONFIG_MAP, &kinds::NODE])
            .everywhere(&["get", "list"], &[&kinds::SERVICE]);
    }
    if task.mesh == MeshMode::Ambient {
        all.named(("", home), edits(task.preview), &kinds::NAMESPACE);
        istio::members(home, &enrolment, all);
    }
}

/// What is undone may be in any namespace.
pub(super) fn teardown(task: &Teardown, global: &Global, all: &mut Declaration) {
    let home = global.object_namespace();
    all.traffic(global).istiods(None).policies();
    istio::parameters(all);
    proxy::workloads(&Proxies::All, edits(task.preview), global, all);
    all.within(home, edits(task.preview), &[&kinds::CONFIG_MAP]).forwards(home);
    values::release(home, all);
    istio::pointing(home, all);
    all.settings(global, edits(task.preview)).within(ISTIO_SYSTEM, LIST, &[&kinds::CONFIG_MAP]);
    all.everywhere(edits(task.preview), &[&kinds::NAMESPACE, &kinds::UPSTREAM]).everywhere(GET, &[&kinds::CONFIG_MAP]);
    istio::members("", &enrolment(Restarts::Rolling { parallel: 1, only: Vec::new() }, task.preview), all);
    all.everywhere(GET, &[&kinds::PEER_AUTHENTICATION]);
    if writes(task.preview) {
        all.everywhere(&["create", "patch", "delete"], &[&kinds::PEER_AUTHENTICATION])
            .everywhere(EDIT, &[&kinds::GATEWAY_PARAMETERS, &kinds::SETTINGS]);
    }
    all.suggests(&[]);
}

fn enrolment(restarts: Restarts, preview: crate::options::Preview) -> Enrolment {
    Enrolment {
        act: Enrol::Out,
        namespaces: Vec::new(),
        restarts,
        caution: Caution::Careful,
        preview,
        files: None,
        secrets: Secrets::Masked,
    }
}
