//! Findings grouped by cause: thousands of objects that one policy breaks are one problem.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::results::Results;
use super::{Finding, FindingCode, Section, Severity};
use crate::model::ObjectRef;

/// The findings with the same code and the same deciding object, in the order of the checks. There is at least one.
#[derive(Debug, PartialEq)]
pub(crate) struct FindingGroup<'f> {
    pub first: &'f Finding,
    pub others: Vec<&'f Finding>,
}

impl<'f> FindingGroup<'f> {
    /// All its findings.
    pub(crate) fn findings(&self) -> impl Iterator<Item = &'f Finding> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// Number of its findings.
    pub(crate) fn len(&self) -> usize {
        1 + self.others.len()
    }
}

/// The groups of one code in one section, the largest first.
#[derive(Debug, PartialEq)]
pub(crate) struct CodeGroups<'f> {
    pub groups: Vec<FindingGroup<'f>>,
}

impl<'f> CodeGroups<'f> {
    fn first(&self) -> &'f Finding {
        self.groups.first().expect("a code has a group for each of its findings").first
    }

    /// The code of all its findings.
    pub(crate) fn code(&self) -> &'static FindingCode {
        self.first().code
    }

    /// The section of all its findings.
    pub(crate) fn section(&self) -> Section {
        self.first().section
    }

    fn urgency(&self) -> (Section, Reverse<Severity>, usize) {
        (self.section(), Reverse(self.first().severity), self.len())
    }

    /// Number of findings in all its groups.
    pub(crate) fn len(&self) -> usize {
        self.groups.iter().map(FindingGroup::len).sum()
    }
}

/// The findings of a run by code and cause, in the order in which the checks report them.
#[must_use]
pub(crate) fn by_check(results: &Results) -> Vec<CodeGroups<'_>> {
    let mut codes: Vec<CodeGroups<'_>> = Vec::new();
    let mut code_at: HashMap<(Section, &str), usize> = HashMap::new();
    let mut group_at: HashMap<(Section, &str, &ObjectRef), usize> = HashMap::new();
    for finding in results.findings() {
        let code = (finding.section, finding.code.id);
        let of_code = *code_at.entry(code).or_insert_with(|| {
            codes.push(CodeGroups { groups: Vec::new() });
            codes.len() - 1
        });
        let groups = &mut codes[of_code].groups;
        let of_cause = *group_at.entry((code.0, code.1, &finding.decided_by)).or_insert(groups.len());
        match groups.get_mut(of_cause) {
            Some(group) => group.others.push(finding),
            None => groups.push(FindingGroup { first: finding, others: Vec::new() }),
        }
    }
    for code in &mut codes {
        code.groups.sort_by_key(|group| Reverse(group.len()));
    }
    codes
}

/// The same for a terminal: the most severe code with the most findings last, where it is read first.
#[must_use]
pub(crate) fn by_section(results: &Results) -> Vec<CodeGroups<'_>> {
    let mut codes = by_check(results);
    codes.sort_by_key(CodeGroups::urgency);
    codes
}

/// The code to explain: the one that `by_section` has last.
#[must_use]
pub(crate) fn most_severe(codes: &[CodeGroups<'_>]) -> Option<&'static FindingCode> {
    codes.iter().max_by_key(|code| code.urgency()).map(CodeGroups::code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::codes;
    use crate::model::kinds;

    fn strict(name: &str, policy: &str) -> Finding {
        let upstream = ObjectRef::new(&kinds::UPSTREAM, "gloo-system", name);
        let policy = ObjectRef::new(&kinds::PEER_AUTHENTICATION, "shop", policy);
        Finding::new(&codes::STRICT_PLAINTEXT, &upstream, "a sentence").decided_by(policy)
    }

    fn shape(codes: &[CodeGroups<'_>]) -> Vec<(&'static str, Vec<Vec<String>>)> {
        let names = |group: &FindingGroup<'_>| group.findings().map(|it| it.object.name.clone()).collect();
        codes.iter().map(|code| (code.code().id, code.groups.iter().map(names).collect())).collect()
    }

    #[test]
    fn findings_of_one_code_and_one_deciding_object_are_one_group_and_the_largest_comes_first() {
        let found = Results::of(vec![strict("a", "p"), strict("b", "q"), strict("c", "q")]);
        let named = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shape(&by_check(&found)), [("GRS101", vec![named(&["b", "c"]), named(&["a"])])]);
    }

    #[test]
    fn what_breaks_now_is_another_group_than_what_will_break() {
        let found = Results::of(vec![strict("a", "p"), strict("b", "p").breaks_now()]);
        let groups = by_section(&found);
        assert_eq!(
            groups.iter().map(|code| (code.section(), code.len())).collect::<Vec<_>>(),
            [(Section::WillBreak, 1), (Section::BrokenNow, 1)]
        );
    }

    #[test]
    fn on_a_terminal_the_most_severe_code_with_the_most_findings_is_last() {
        let table = ObjectRef::new(&kinds::ROUTE_TABLE, "shop", "t");
        let warned = |code| Finding::new(code, &table, "a sentence");
        let found = Results::of(vec![
            strict("a", "p").breaks_now(),
            strict("b", "p").breaks_now(),
            warned(&codes::NO_SERVICE).breaks_now(),
            warned(&codes::WARNED),
            warned(&codes::CERTIFICATE_NEAR_END),
        ]);
        let order: Vec<_> = by_section(&found).iter().map(|code| code.code().id).collect();
        assert_eq!(order.last(), Some(&"GRS101"), "{order:?}");
        assert_eq!(order[order.len() - 2], "GRS104", "{order:?}");
        assert_eq!(most_severe(&by_check(&found)), Some(&codes::STRICT_PLAINTEXT));
    }

    #[test]
    fn a_finding_without_a_deciding_object_belongs_to_its_namespace() {
        let upstream = ObjectRef::new(&kinds::UPSTREAM, "shop", "a");
        let found = Finding::new(&codes::REJECTED, &upstream, "a sentence");
        assert_eq!(found.decided_by, ObjectRef::new(&kinds::NAMESPACE, "", "shop"));
        let class = ObjectRef::new(&kinds::KUBE_GATEWAY_CLASS, "", "gloo-gateway");
        assert_eq!(Finding::new(&codes::GATEWAY_CLASS, &class, "a sentence").decided_by, class);
        for kind in [&kinds::PEER_AUTHENTICATION, &kinds::DEPLOYMENT] {
            let own = ObjectRef::new(kind, "shop", "a");
            assert_eq!(Finding::new(&codes::IGNORED_PART, &own, "a sentence").decided_by, own);
        }
    }
}
