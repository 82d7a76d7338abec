//! Finds names similar to one that was not found, for `near: a, b` after a mistyped name.

/// The most names that are suggested.
const MOST: usize = 3;

/// The longest name of a Kubernetes object. A longer text is not a mistyped name.
const LONGEST: usize = 253;

/// The candidates most similar to `wanted`, best first, at most three. The result does not depend on the order of the
/// candidates.
///
/// Names of Upstreams end in the Service's port, so the name before the port is compared first: another port of the
/// intended Service is nearer than the same port of another Service. Names with additional words at either end come
/// after misspelled ones: `httpbin` finds `default-httpbin-8000`.
#[must_use]
pub(crate) fn nearest<'c>(wanted: &str, candidates: impl IntoIterator<Item = &'c str>) -> Vec<String> {
    if wanted.is_empty() || wanted.len() > LONGEST {
        return Vec::new();
    }
    let wanted = Name::parse(wanted);
    let mut near: Vec<_> =
        candidates.into_iter().filter_map(|text| Some((wanted.rank(&Name::parse(text))?, text))).collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(MOST).map(|(_, text)| text.to_owned()).collect()
}

/// A name in lower case, split into the part before its port, and the port.
struct Name {
    stem: Vec<char>,
    port: Option<Vec<char>>,
}

/// The distance of a candidate; smaller is nearer.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Mistyped { stem: usize, port: usize },
    Contains { longer_by: usize },
}

impl Name {
    fn parse(text: &str) -> Self {
        let text = text.to_lowercase();
        let (stem, port) = match text.rsplit_once('-') {
            Some((stem, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => (stem, Some(port)),
            _ => (text.as_str(), None),
        };
        Self { stem: stem.chars().collect(), port: port.map(|port| port.chars().collect()) }
    }

    fn rank(&self, candidate: &Self) -> Option<Rank> {
        if let Some(stem) = distance(&self.stem, &candidate.stem, slips_allowed(self.stem.len())) {
            let port = match (&self.port, &candidate.port) {
                (Some(one), Some(other)) => distance(one, other, usize::MAX).unwrap_or(usize::MAX),
                (None, None) => 0,
                (Some(port), None) | (None, Some(port)) => port.len(),
            };
            return Some(Rank::Mistyped { stem, port });
        }
        if self.stem.is_empty() || (self.port.is_some() && self.port != candidate.port) {
            return None;
        }
        let longer_by = candidate.stem.len().checked_sub(self.stem.len())?;
        contains_words(&candidate.stem, &self.stem).then_some(Rank::Contains { longer_by })
    }
}

/// The number of typing errors allowed: one for a short word, one for every three letters of a longer one. With more it
/// is another word.
fn slips_allowed(length: usize) -> usize {
    (length / 3).max(1)
}

/// Whether `text` contains `words` as whole words, bounded by dashes or the ends.
fn contains_words(text: &[char], words: &[char]) -> bool {
    let ends_word = |at: Option<&char>| at.is_none_or(|c| *c == '-');
    text.windows(words.len()).enumerate().any(|(start, window)| {
        let before = start.checked_sub(1).and_then(|at| text.get(at));
        window == words && ends_word(before) && ends_word(text.get(start + words.len()))
    })
}

/// The number of letters added, dropped, changed or swapped with a neighbour (optimal string alignment); `None` if it
/// is more than `limit`.
fn distance(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let changed = last[j] + usize::from(from != to);
            let mut fewest = changed.min(last[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *from == b[j - 1] && a[i - 1] == *to {
                fewest = fewest.min(before_last[j - 1] + 1);
            }
            next.push(fewest);
        }
        // A change in this row costs no more than a swap from two rows back, so no later row gets below the limit
        // again.
        if next.iter().all(|so_far| *so_far > limit) {
            return None;
        }
        before_last = std::mem::replace(&mut last, next);
    }
    last.last().copied().filter(|total| *total <= limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letters(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn a_slip_is_one_letter_added_dropped_changed_or_swapped() {
        for (a, b, slips) in [
            ("", "", 0),
            ("", "abc", 3),
            ("httpbin", "httpbin", 0),
            ("htpbin", "httpbin", 1),
            ("httpbbin", "httpbin", 1),
            ("httpbon", "httpbin", 1),
            ("htptbin", "httpbin", 1),
            ("ca", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(&letters(a), &letters(b), 10), Some(slips), "{a} {b}");
        }
        assert_eq!(distance(&letters("kitten"), &letters("sitting"), 2), None);
    }

    #[test]
    fn the_nearest_names_come_first() {
        let names: &[&str] = &[
            "default-httpbin-9000",
            "default-httpbin-8000",
            "default-cart-8000",
            "kube-system-kube-dns-53",
            "shop-httpbin-8000",
        ];
        let cases: &[(&str, &[&str])] = &[
            ("default-htpbin-8000", &["default-httpbin-8000", "default-httpbin-9000"]),
            ("default-httpbin-9090", &["default-httpbin-9000", "default-httpbin-8000"]),
            ("default-httpbin", &["default-httpbin-8000", "default-httpbin-9000"]),
            ("httpbin", &["shop-httpbin-8000", "default-httpbin-8000", "default-httpbin-9000"]),
            ("httpbin-8000", &["shop-httpbin-8000", "default-httpbin-8000"]),
            ("Default-Cart-8000", &["default-cart-8000"]),
            ("kube-dns", &["kube-system-kube-dns-53"]),
            ("bin", &[]),
            ("payments", &[]),
            ("", &[]),
        ];
        for (wanted, near) in cases {
            assert_eq!(nearest(wanted, names.iter().copied()), *near, "{wanted}");
        }
    }

    #[test]
    fn contexts_and_commands_are_found_too() {
        assert_eq!(nearest("prod-ue", ["prod-eu", "prod-us", "kind-test"]), ["prod-eu", "prod-us"]);
        let commands = ["enable-mtls", "disable-mtls", "inject", "uninject", "verify"];
        assert_eq!(nearest("enable-mtl", commands), ["enable-mtls"]);
        assert_eq!(nearest("mtls", commands), ["enable-mtls", "disable-mtls"]);
        assert_eq!(nearest("injct", commands), ["inject"]);
    }

    #[test]
    fn a_name_that_two_namespaces_have_is_told_once() {
        assert_eq!(nearest("httpbon", ["httpbin", "httpban", "httpbin"]), ["httpban", "httpbin"]);
    }

    #[test]
    fn a_name_no_object_can_have_has_no_neighbours() {
        let long = "a".repeat(100_000);
        assert!(nearest(&long, [long.as_str()]).is_empty());
    }

    proptest! {
        #[test]
        fn at_most_three_all_candidates_whatever_their_order(
            wanted in "[ab-]{0,5}(-[12]{1,3})?",
            names in prop::collection::vec("[ab-]{0,5}(-[12]{1,3})?", 0..8),
        ) {
            let near = nearest(&wanted, names.iter().map(String::as_str));
            prop_assert!(near.len() <= 3);
            prop_assert!(near.iter().all(|name| names.contains(name)));
            prop_assert_eq!(&near, &nearest(&wanted, names.iter().rev().map(String::as_str)));
        }

        #[test]
        fn a_distance_reads_the_same_from_both_ends(a in "[abc]{0,6}", b in "[abc]{0,6}") {
            let (a, b) = (letters(&a), letters(&b));
            let there = distance(&a, &b, usize::MAX).unwrap();
            prop_assert_eq!(Some(there), distance(&b, &a, usize::MAX));
            prop_assert_eq!(there == 0, a == b);
            if there > 0 {
                prop_assert_eq!(distance(&a, &b, there), Some(there));
                prop_assert_eq!(distance(&a, &b, there - 1), None);
            }
        }
    }
}
