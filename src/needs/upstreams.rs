//! The commands that edit Upstreams and Settings.

use super::declaration::{Declaration, EDIT, GET, LIST};
use super::{edits, writes};
use crate::load::paths;
use crate::load::snapshot::Want;
use crate::model::kinds;
use crate::options::{Global, Named, ObjectsTask, Patience, Selection, SweepScope, SwitchesTask};
use crate::plan::auto_mtls::AutoMtlsWish;
use crate::verify::acceptance::FEW;

/// `enable-mtls`, `disable-mtls`, `auto-mtls` of Upstreams.
pub(super) fn edited(task: &ObjectsTask, global: &Global, all: &mut Declaration) {
    all.settings(global, GET);
    match &task.selection {
        Selection::Named(names) => {
            named(names, edits(task.preview), global, all);
            all.own_gateway(global).behind().all_gateways(global).routes();
            // Several Upstreams are judged by the lists of their namespaces.
            all.everywhere(LIST, &[&kinds::SERVICE, &kinds::ENDPOINT_SLICE]);
        }
        Selection::Sweep { scope, .. } => {
            swept(scope, task, global, all);
            all.own_gateway(global).behind().all_gateways(global).backends();
        }
    }
    waited(task, global, all);
}

/// `auto-mtls migrate`.
pub(super) fn migrated(task: &ObjectsTask, global: &Global, all: &mut Declaration) {
    all.settings(global, GET).wants(&[Want::all(&kinds::SETTINGS)]);
    match &task.selection {
        Selection::Named(names) => named(names, edits(task.preview), global, all),
        Selection::Sweep { scope, .. } => swept(scope, task, global, all),
    }
    all.behind().backends().gateways(global);
    waited(task, global, all);
}

/// The selected Upstreams.
fn swept(scope: &SweepScope, task: &ObjectsTask, global: &Global, all: &mut Declaration) {
    let namespace = match scope {
        SweepScope::Namespace => global.object_namespace(),
        SweepScope::Everywhere => "",
    };
    all.within(namespace, LIST, &[&kinds::UPSTREAM]);
    if writes(task.preview) {
        all.within(namespace, EDIT, &[&kinds::UPSTREAM]);
    }
}

/// What is read to wait for the effect of a change.
fn waited(task: &ObjectsTask, global: &Global, all: &mut Declaration) {
    if task.patience == Patience::Wait || (task.observation.is_some() && !task.preview.is_on()) {
        effect(global, all);
        if let Selection::Named(names) = &task.selection
            && names.len() > FEW
        {
            for name in names {
                all.within(name.namespace.as_deref().unwrap_or(global.object_namespace()), LIST, &[&kinds::UPSTREAM]);
            }
        }
    }
}

/// The named Upstreams.
pub(super) fn named(names: &[Named], verbs: &[&'static str], global: &Global, all: &mut Declaration) {
    for name in names {
        let namespace = name.namespace.as_deref().unwrap_or(global.object_namespace());
        all.named((namespace, &name.name), verbs, &kinds::UPSTREAM);
    }
    all.suggests(&[&kinds::UPSTREAM]);
}

/// What Gloo serves to the proxies.
pub(super) fn effect(global: &Global, all: &mut Declaration) {
    for home in global.gloo_homes() {
        all.within(home, LIST, &[&kinds::POD, &kinds::DEPLOYMENT]).forwards(home);
    }
}

/// `auto-mtls` on Settings.
pub(super) fn switches(task: &SwitchesTask, global: &Global, all: &mut Declaration) {
    let verbs = if task.wish.is_some() { edits(task.preview) } else { GET };
    all.settings(global, verbs).suggests(&[&kinds::SETTINGS]);
    if task.wish != Some(AutoMtlsWish::Disable) {
        with_peers(all);
    }
    match task.wish {
        Some(_) => {
            all.traffic(global);
        }
        // The gateways have the identities that authorization policies are about.
        None => global.gloo_homes().into_iter().for_each(|home| {
            all.wants(&paths::of_gateway(home));
        }),
    }
    if task.wish == Some(AutoMtlsWish::Enable) {
        for home in global.gloo_homes() {
            all.within(home, GET, &[&kinds::CONFIG_MAP]);
        }
    }
}

/// The Upstreams that auto-mTLS is for, and what their pods accept.
pub(super) fn with_peers(all: &mut Declaration) {
    // Several Upstreams of a namespace are judged by its lists.
    all.everywhere(LIST, &[&kinds::UPSTREAM, &kinds::SERVICE, &kinds::ENDPOINT_SLICE]).behind();
}
