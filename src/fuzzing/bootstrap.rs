//! Envoy's bootstrap: inserting the cluster twice is the same as once, and removing it restores the text to the byte.

use super::text;
use crate::edit::bootstrap::{Cluster, SDS_CLUSTER, cluster, insert, remove};

pub(super) fn run(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let state = cluster(text);
    if let Ok(with) = insert(text) {
        assert_eq!(insert(&with).as_ref(), Ok(&with));
        match state {
            Ok(Cluster::Absent) => {
                assert_eq!(cluster(&with), Ok(Cluster::Present), "{with}");
                assert!(text.contains(SDS_CLUSTER) || remove(&with).as_deref() == Ok(text), "{with}");
            }
            _ => assert_eq!(with, text),
        }
    }
    if let Ok(without) = remove(text) {
        assert!(cluster(&without).is_ok_and(|it| it == Cluster::Absent) || !without.contains(SDS_CLUSTER), "{without}");
    }
}
