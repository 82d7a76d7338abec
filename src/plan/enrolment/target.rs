//! The istiod that a namespace is bound to: the named one, the current one, or the only one.

use super::Revision;
use crate::command::{flag, gloo_rs};
use crate::error::{Exit, Failure, Reason};
use crate::model::Object;
use crate::plan::advice::{Advice, Code};
use crate::plan::istiod::{self, Istiod, IstiodChoice, REVISION_LABEL};
use crate::plan::revisions::{Listed, bond, masked};

/// The istiods, and whether their tags could be listed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownIstiods<'k> {
    pub istiods: &'k [Istiod],
    pub tags: &'k Listed<()>,
}

/// Chooses the revision for a namespace. `in_use` is the one that another part of the plan uses. It is taken if nothing
/// else chooses.
///
/// # Errors
/// No istiod with that name, several istiods and none is chosen, or tags that may not be read.
pub(crate) fn choose(
    known: KnownIstiods<'_>,
    typed: Option<&str>,
    in_use: Option<&str>,
    namespace: &Object,
) -> Result<(Revision, Vec<Advice>), Failure> {
    let bond = bond(&namespace.value);
    let name = &namespace.reference.name;
    let other = masked(&namespace.value).filter(|other| {
        let first = bond.as_ref().map(|(_, names)| *names);
        typed.is_none() && first.is_some_and(|names| !is_served(known, names)) && is_served(known, other)
    });
    let wanted = typed.or(other).or(bond.as_ref().map(|(_, names)| *names)).or(in_use);
    let chosen = istiod::choose(known.istiods, wanted, None);
    let IstiodChoice { istiod, advice, .. } = chosen.map_err(|failure| {
        if failure.reason != Reason::NoIstiod {
            return failure.detail(format!("for namespace {name}"));
        }
        let failure = Failure { hints: Vec::new(), ..failure };
        match (wanted, known.tags, &bond) {
            (Some(wanted), Listed::Unknown { why }, _) => Failure {
                reason: Reason::Unknown,
                message: format!("no istiod of revision {wanted}, and whether a tag has that name is unknown: {why}"),
                ..failure
            },
            (_, _, Some((label, _))) if typed.is_none() => Failure {
                message: format!("namespace {name} is bound by {label}, which no istiod here has"),
                ..failure
            }
            .hint(flag("--revision").text(" REVISION binds it to another")),
            _ => failure.hint(gloo_rs("istio revisions")),
        }
    })?;
    let Some(istiod) = istiod else {
        return Err(Failure::new(Exit::SaidNo, Reason::NoIstiod, format!("no istiod for namespace {name}")));
    };
    let names = wanted.unwrap_or(&istiod.revision).to_owned();
    // A tag's webhook moves the namespace. The tag's Service matters only for gateways.
    let advice = advice.into_iter().filter(|advice| advice.code != Code::TagWithoutService);
    let instead = other.zip(bond).map(|(other, (label, _))| {
        let what = format!("namespace {name} has two labels: no ready istiod serves {label}, so that one is removed");
        let kept = format!("{REVISION_LABEL}={other} had no effect");
        Advice::warning(Code::IstiodNotReady, what).details([kept]).about(&namespace.reference)
    });
    Ok((Revision { names, revision: istiod.revision }, instead.into_iter().chain(advice).collect()))
}

/// Returns whether a ready istiod has this revision or tag.
fn is_served(known: KnownIstiods<'_>, names: &str) -> bool {
    let choice = istiod::choose(known.istiods, Some(names), None);
    choice.is_ok_and(|choice| choice.istiod.is_some_and(|istiod| istiod.is_ready()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::kinds::NAMESPACE;
    use crate::plan::istiod::ControlPlaneObjects;

    fn istiods(revisions: &[&str]) -> Vec<Istiod> {
        let deployment = |revision: &&str| {
            json!({"metadata": {"name": format!("istiod-{revision}"), "namespace": "istio-system",
                   "labels": {"app": "istiod", "istio.io/rev": revision}},
                   "spec": {"replicas": 1}, "status": {"readyReplicas": 1}})
        };
        let tag = json!({"metadata": {"name": "t", "labels": {"istio.io/rev": "1-28", "istio.io/tag": "prod"}}});
        istiod::all(&ControlPlaneObjects {
            deployments: &revisions.iter().map(deployment).collect::<Vec<_>>(),
            webhooks: &[tag],
            ..ControlPlaneObjects::default()
        })
    }

    fn chosen(revisions: &[&str], typed: Option<&str>, labels: &Value) -> Result<(String, String), Failure> {
        let namespace = Object::new(&NAMESPACE, json!({"metadata": {"name": "shop", "labels": labels}}));
        let known = KnownIstiods { istiods: &istiods(revisions), tags: &Listed::Read(()) };
        choose(known, typed, None, &namespace).map(|(target, _)| (target.names, target.revision))
    }

    #[test]
    fn what_is_typed_comes_before_what_is_there_and_that_before_the_only_one() {
        let both = ["1-27", "1-28"];
        let target = |names: &str, revision: &str| (names.to_owned(), revision.to_owned());
        let table = [
            (&both[..1], None, json!({}), target("1-27", "1-27")),
            (&both[..], Some("1-28"), json!({}), target("1-28", "1-28")),
            (&both[..], Some("prod"), json!({}), target("prod", "1-28")),
            (&both[..], None, json!({"istio.io/rev": "1-27"}), target("1-27", "1-27")),
            (&both[..], None, json!({"istio.io/rev": "prod"}), target("prod", "1-28")),
            (&both[..], Some("1-28"), json!({"istio.io/rev": "1-27"}), target("1-28", "1-28")),
            (&["1-27", "default"][..], None, json!({"istio-injection": "enabled"}), target("default", "default")),
        ];
        for (revisions, typed, labels, wanted) in table {
            assert_eq!(chosen(revisions, typed, &labels), Ok(wanted), "{revisions:?} {typed:?} {labels}");
        }
    }

    #[test]
    fn what_the_rest_of_the_plan_uses_is_taken_where_nothing_else_chooses() {
        let known = &istiods(&["1-27", "1-28"]);
        let known = KnownIstiods { istiods: known, tags: &Listed::Read(()) };
        let of = |typed: Option<&str>, labels: Value, in_use: Option<&str>| {
            let namespace = Object::new(&NAMESPACE, json!({"metadata": {"name": "shop", "labels": labels}}));
            choose(known, typed, in_use, &namespace).map(|(target, _)| target.names).map_err(|failure| failure.reason)
        };
        let bound = || json!({"istio.io/rev": "1-27"});
        assert_eq!(of(None, json!({}), Some("1-28")), Ok("1-28".to_owned()));
        assert_eq!(of(None, json!({}), Some("prod")), Ok("prod".to_owned()));
        assert_eq!(of(None, bound(), Some("1-28")), Ok("1-27".to_owned()));
        assert_eq!(of(Some("1-27"), json!({}), Some("1-28")), Ok("1-27".to_owned()));
        assert_eq!(of(None, json!({}), None), Err(Reason::SeveralRevisions));
    }

    #[test]
    fn of_two_labels_the_one_that_a_ready_istiod_serves_is_kept() {
        let both = json!({"istio-injection": "enabled", "istio.io/rev": "1-28"});
        let namespace = Object::new(&NAMESPACE, json!({"metadata": {"name": "shop", "labels": both}}));
        let choose_of = |revisions: &[&str], dead: &str, typed: Option<&str>| {
            let mut istiods = istiods(revisions);
            for istiod in istiods.iter_mut().filter(|istiod| istiod.revision == dead) {
                istiod.ready = 0;
            }
            let known = KnownIstiods { istiods: &istiods, tags: &Listed::Read(()) };
            choose(known, typed, None, &namespace)
        };
        let all = ["1-28", "default"];
        let table = [
            (&all[..], "none", None, "default", 0),
            (&all[..], "default", None, "1-28", 1),
            (&all[..], "1-28", None, "default", 0),
            (&all[..1], "none", None, "1-28", 1),
            (&all[1..], "none", None, "default", 0),
            // The warning about an istiod that is not ready.
            (&all[1..], "default", None, "default", 1),
            (&all[..], "default", Some("default"), "default", 1),
            (&all[..], "default", Some("1-28"), "1-28", 0),
        ];
        for (revisions, dead, typed, wanted, warnings) in table {
            let (target, advice) = choose_of(revisions, dead, typed).unwrap();
            let said: Vec<_> = advice.iter().map(|advice| advice.code).collect();
            assert_eq!(
                (target.names.as_str(), said),
                (wanted, vec![Code::IstiodNotReady; warnings]),
                "{dead} {typed:?}"
            );
        }
        assert_eq!(choose_of(&["1-27"], "none", None).unwrap_err().reason, Reason::NoIstiod);
    }

    #[test]
    fn what_nothing_decides_is_a_failure_that_lists_them() {
        let failure = chosen(&["1-27", "1-28"], None, &json!({})).unwrap_err();
        assert_eq!((failure.exit, failure.reason), (Exit::Failed, Reason::SeveralRevisions));
        assert!(failure.details.iter().any(|line| line.starts_with("1-27 (istio-system")), "{failure:?}");
        let failure = chosen(&["1-27"], None, &json!({"istio.io/rev": "gone"})).unwrap_err();
        assert_eq!(failure.message, "namespace shop is bound by istio.io/rev=gone, which no istiod here has");
        let failure = chosen(&["1-27"], Some("1-72"), &json!({})).unwrap_err();
        assert_eq!((failure.exit, failure.reason), (Exit::SaidNo, Reason::NoIstiod));
    }

    #[test]
    fn a_tag_that_may_not_be_seen_is_unknown_and_not_absent() {
        let namespace = Object::new(&NAMESPACE, json!({"metadata": {"name": "shop"}}));
        let tags = Listed::Unknown { why: "not allowed to list mutatingwebhookconfigurations".to_owned() };
        let known = KnownIstiods { istiods: &istiods(&["1-27"]), tags: &tags };
        let failure = choose(known, Some("stable"), None, &namespace).unwrap_err();
        assert_eq!(failure.reason, Reason::Unknown);
        assert!(failure.message.ends_with("not allowed to list mutatingwebhookconfigurations"), "{failure}");
    }
}
