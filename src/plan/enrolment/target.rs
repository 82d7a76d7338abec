//! The istiod that a namespace is bound to: the named one, the current one, or the only one.

use super::Revision;
use crate::command::{flag, gloo_rs};
use crate::error::{Exit, Failure, Reason};
use crate::model::Object;
use crate::plan::advice::{Advice, Code};
use crate::plan::istiod::{self, Choice, Istiod};
use crate::plan::revisions::{Listed, bond};

/// The istiods, and whether their tags could be listed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownIstiods<'k> {
    pub istiods: &'k [Istiod],
    pub tags: &'k Listed<()>,
}

/// Chooses the revision for a namespace.
///
/// # Errors
/// No istiod with that name, several istiods and none is chosen, or tags that may not be read.
pub(crate) fn choose(
    known: KnownIstiods<'_>,
    typed: Option<&str>,
    namespace: &Object,
) -> Result<(Revision, Vec<Advice>), Failure> {
    let bond = bond(&namespace.value);
    let name = &namespace.reference.name;
    let wanted = typed.or(bond.as_ref().map(|(_, names)| *names));
    let chosen = istiod::choose(known.istiods, wanted, None);
    let Choice { istiod, advice, .. } = chosen.map_err(|failure| {
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
    let advice = advice.into_iter().filter(|advice| advice.code != Code::TagWithoutService).collect();
    Ok((Revision { names, revision: istiod.revision }, advice))
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
        choose(known, typed, &namespace).map(|(target, _)| (target.names, target.revision))
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
        let failure = choose(known, Some("stable"), &namespace).unwrap_err();
        assert_eq!(failure.reason, Reason::Unknown);
        assert!(failure.message.ends_with("not allowed to list mutatingwebhookconfigurations"), "{failure}");
    }
}
