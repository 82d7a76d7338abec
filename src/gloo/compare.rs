//! Compares what Gloo serves with what Envoy has loaded: names on only one side, versions, rejections.

use std::collections::BTreeSet;

use super::ServedSection;
use crate::envoy::state::{LoadedResources, Rejected};

/// The resources of one type that a role is served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    pub version: Option<String>,
    pub names: BTreeSet<String>,
}

/// The differences between the served and the loaded resources of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServedDifference {
    pub section: ServedSection,
    pub served: usize,
    pub loaded: usize,
    /// The version of the type as a whole; `None` if that side gives none.
    pub served_version: Option<String>,
    pub loaded_version: Option<String>,
    pub only_served: Vec<String>,
    pub only_loaded: Vec<String>,
    pub rejected: Vec<Rejected>,
}

impl ServedDifference {
    /// Whether Envoy has something else than it is served.
    #[must_use]
    pub(crate) fn is_one(&self) -> bool {
        self.is_behind() || !(self.only_served.is_empty() && self.only_loaded.is_empty() && self.rejected.is_empty())
    }

    /// Whether both sides give the version of the type and the versions differ.
    #[must_use]
    pub(crate) fn is_behind(&self) -> bool {
        matches!((&self.served_version, &self.loaded_version), (Some(served), Some(loaded)) if served != loaded)
    }
}

/// Compares one type.
#[must_use]
pub(crate) fn compare(section: ServedSection, offer: &Offer, loaded: &LoadedResources) -> ServedDifference {
    let only = |ours: &BTreeSet<String>, theirs: &BTreeSet<String>| ours.difference(theirs).cloned().collect();
    ServedDifference {
        section,
        served: offer.names.len(),
        loaded: loaded.names.len(),
        served_version: offer.version.clone(),
        loaded_version: loaded.version.clone(),
        only_served: only(&offer.names, &loaded.names),
        only_loaded: only(&loaded.names, &offer.names),
        rejected: loaded.rejected.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_on_one_side_versions_and_rejections_are_differences() {
        let offer = Offer { version: Some("2".into()), names: names(&["a", "b"]) };
        let same = LoadedResources { version: Some("2".into()), names: names(&["a", "b"]), rejected: Vec::new() };
        assert!(!compare(ServedSection::Clusters, &offer, &same).is_one());
        let other =
            compare(ServedSection::Clusters, &offer, &LoadedResources { names: names(&["b", "c"]), ..same.clone() });
        assert_eq!((&other.only_served[..], &other.only_loaded[..]), (&["a".to_owned()][..], &["c".to_owned()][..]));
        assert!(other.is_one() && !other.is_behind());
        assert!(
            compare(ServedSection::Clusters, &offer, &LoadedResources { version: Some("1".into()), ..same.clone() })
                .is_behind()
        );
        let unknown = LoadedResources { version: None, ..same.clone() };
        assert!(
            !compare(ServedSection::Routes, &offer, &unknown).is_one(),
            "a side that names no version is not behind"
        );
        let rejected = Rejected { name: "a".into(), reason: "no".into(), at: None };
        assert!(
            compare(ServedSection::Listeners, &offer, &LoadedResources { rejected: vec![rejected], ..same }).is_one()
        );
    }
}
