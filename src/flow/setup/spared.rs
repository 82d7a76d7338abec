//! Finds Upstreams that need no TLS settings of their own, because auto-mTLS covers them.

use crate::kube::Session;
use crate::load::survey::SurveyReader;
use crate::model::{Object, ObjectRef, kinds};
use crate::options::Global;
use crate::plan::change::Change;
use crate::plan::gateway::AutoMtls;
use crate::plan::path::effect::{Effect, Turn};

/// Upstreams that are left unchanged because auto-mTLS covers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spared {
    /// What covers them, such as `auto-mTLS (step 1)`.
    pub by: String,
    pub upstreams: Vec<ObjectRef>,
}

/// What turns auto-mTLS on, if it is on after the steps so far: `auto-mTLS (step 1)`.
pub(super) async fn auto_mtls_after(before: &[&[Effect]], session: &Session, global: &Global) -> Option<String> {
    match last_turn(before) {
        Some((number, Turn::On)) => Some(format!("auto-mTLS (step {number})")),
        Some((_, Turn::Off)) => None,
        None => {
            let is_on = SurveyReader::new(session, global).auto_mtls().await == Ok(AutoMtls::On);
            is_on.then(|| "auto-mTLS (Settings)".to_owned())
        }
    }
}

/// The last step that turns auto-mTLS on or off. Steps are counted from 1.
fn last_turn(steps: &[&[Effect]]) -> Option<(usize, Turn)> {
    let turn = |effect: &Effect| if let Effect::AutoMtls(turn) = effect { Some(*turn) } else { None };
    steps.iter().enumerate().rev().find_map(|(index, effects)| Some((index + 1, effects.iter().find_map(turn)?)))
}

/// Splits off the changes of Upstreams that `by` covers, and returns the other changes and these Upstreams.
pub(super) fn spare(changes: Vec<Change>, by: String) -> (Vec<Change>, Option<Spared>) {
    let (spared, changes): (Vec<_>, _) =
        changes.into_iter().partition(|change| !change.is_already() && is_covered(&change.before));
    let upstreams: Vec<_> = spared.into_iter().map(|change| change.before.reference).collect();
    let spared = (!upstreams.is_empty()).then_some(Spared { by, upstreams });
    (changes, spared)
}

fn is_covered(object: &Object) -> bool {
    let is_upstream = *object.reference.kind == kinds::UPSTREAM;
    is_upstream && object.value["spec"]["sslConfig"].is_null() && AutoMtls::On.covers(object)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::edit::Edit;
    use crate::model::FieldPath;
    use crate::plan::ssl_config::istio_ssl_config;

    fn upstream(name: &str, spec: &Value) -> Change {
        let object = Object::new(&kinds::UPSTREAM, json!({"metadata": {"name": name}, "spec": spec}));
        let edit = Edit::set(FieldPath::keys(&["spec", "sslConfig"]), istio_ssl_config());
        Change::new(object, vec![edit], "mTLS enabled")
    }

    fn names(changes: &[Change]) -> Vec<&str> {
        changes.iter().map(|change| change.before.reference.name.as_str()).collect()
    }

    #[test]
    fn only_what_has_no_tls_of_its_own_and_no_opt_out_is_spared() {
        let changes = vec![
            upstream("covered", &json!({"kube": {}})),
            upstream("opted-out", &json!({"kube": {}, "disableIstioAutoMtls": true})),
            upstream("own-tls", &json!({"sslConfig": {"secretRef": {}}})),
        ];
        let (rest, spared) = spare(changes, "auto-mTLS (step 1)".to_owned());
        assert_eq!(names(&rest), ["opted-out", "own-tls"]);
        assert_eq!(spared.map(|spared| spared.upstreams[0].name.clone()), Some("covered".to_owned()));
    }

    #[test]
    fn the_last_step_that_turns_auto_mtls_decides() {
        let on = vec![Effect::AutoMtls(Turn::On)];
        let off = vec![Effect::AutoMtls(Turn::Off)];
        assert_eq!(last_turn(&[&on, &off]), Some((2, Turn::Off)));
        assert_eq!(last_turn(&[&on, &[]]), Some((1, Turn::On)));
        assert_eq!(last_turn(&[&[]]), None);
    }
}
