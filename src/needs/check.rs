//! `check`: the lists that its checks declare.

use super::declaration::{Declaration, LIST};
use crate::check::{CERTIFICATES, CHECKS, HELM, is_named};
use crate::load::checked;
use crate::model::kinds;
use crate::options::{CheckReach, CheckSource, CheckTask, GLOO_SYSTEM, Global};

pub(super) fn check(task: &CheckTask, global: &Global, all: &mut Declaration) {
    if matches!(task.source, CheckSource::Files(_)) {
        return;
    }
    let gloo = global.gloo_namespace.as_deref().or(global.namespace.as_deref()).unwrap_or(GLOO_SYSTEM);
    let is_wanted = |check: &&_| !task.excluded.iter().any(|word| is_named(check, word));
    let checks: Vec<_> = CHECKS.iter().filter(is_wanted).collect();
    let kinds = checked::kinds_of(&checks);
    all.wants(&checked::wants(&kinds, gloo, &task.namespaces));
    if kinds.contains(&&kinds::REPLICA_SET) {
        // The events name the ReplicaSets that may not create pods, in any namespace.
        all.everywhere(LIST, &[&kinds::EVENT]).everywhere(&["get"], &[&kinds::REPLICA_SET]);
    }
    let has = |wanted: &crate::check::Check| checks.iter().any(|check| check.word == wanted.word);
    if has(&HELM) {
        // Without a release the namespace itself may be missing.
        all.releases(gloo).named(("", gloo), &["get"], &kinds::NAMESPACE).suggests(&[]);
    }
    if task.reach == CheckReach::IntoPods {
        all.forwards(gloo);
        if has(&CERTIFICATES) || kinds.contains(&&kinds::POD) {
            all.forwards_anywhere();
        }
        // Ztunnel, if a pod shows the ambient mesh.
        all.everywhere(LIST, &[&kinds::DAEMON_SET]);
    }
}
