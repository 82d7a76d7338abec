//! Whether Envoy is connected to its control plane and accepts the updates: `/stats` and the listeners of the config
//! dump.

use std::collections::BTreeMap;

use serde_json::Value;

use super::admin::{StatsFormat, StatsScope, StatsWish, stats};

/// The path of the rejected listeners with their reasons. The mask leaves out the rest of the dump.
pub(crate) const LISTENERS: &str = "/config_dump?resource=dynamic_listeners&mask=name,error_state.details";
/// 1 if the stream to the control plane is up (Envoy, `control_plane.` of
/// `source/extensions/config_subscription/grpc`).
const CONNECTED: &str = "control_plane.connected_state";
const FILTER: &str = r"(^control_plane\.connected_state$|\.update_(rejected|failure)$)";

/// The path of the statistics that [`Updates::parse`] reads.
#[must_use]
pub(crate) fn page() -> String {
    stats(&StatsWish { filter: Some(FILTER.to_owned()), format: StatsFormat::Text, scope: StatsScope::All })
}

/// Envoy's counters of its updates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Updates {
    /// Whether the stream to the control plane is up; `None` if Envoy has no such stream.
    pub connected: Option<bool>,
    /// The values of all `update_rejected` and `update_failure` counters, by name.
    refused: BTreeMap<String, u64>,
}

impl Updates {
    /// Parses the page: one `name: value` on each line.
    #[must_use]
    pub(crate) fn parse(page: &str) -> Self {
        let mut updates = Self::default();
        let lines = page.lines().filter_map(|line| line.rsplit_once(": "));
        for (name, value) in lines.filter_map(|(name, value)| Some((name, value.trim().parse::<u64>().ok()?))) {
            match name {
                CONNECTED => updates.connected = Some(value == 1),
                _ => drop(updates.refused.insert(name.to_owned(), value)),
            }
        }
        updates
    }

    /// The names of the counters that are higher in `later`.
    #[must_use]
    pub(crate) fn grown(&self, later: &Self) -> Vec<String> {
        let has_grown = |(name, value): &(&String, &u64)| self.refused.get(*name).is_some_and(|before| before < *value);
        later.refused.iter().filter(has_grown).map(|(name, _)| name.clone()).collect()
    }
}

/// The listeners whose last update was rejected, with Envoy's reason.
#[must_use]
pub(crate) fn refused_listeners(dump: &Value) -> Vec<String> {
    let all = dump["configs"].as_array().into_iter().flatten();
    all.filter_map(|listener| {
        let (name, details) = (listener["name"].as_str()?, listener["error_state"]["details"].as_str()?);
        Some(format!("listener {name}: {}", details.split_whitespace().collect::<Vec<_>>().join(" ")))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_stream_and_what_grew_are_read_from_the_page() {
        let before = "control_plane.connected_state: 1\nhttp.a: b.rds.x.update_rejected: 2\nlistener_manager.lds.update_failure: 0\n";
        let later = "control_plane.connected_state: 0\nhttp.a: b.rds.x.update_rejected: 3\nlistener_manager.lds.update_failure: 0\ncluster_manager.cds.update_rejected: 7\n";
        let (before, later) = (Updates::parse(before), Updates::parse(later));
        assert_eq!((before.connected, later.connected), (Some(true), Some(false)));
        assert_eq!(before.grown(&later), ["http.a: b.rds.x.update_rejected"], "one that is new was not seen to grow");
        assert_eq!(later.grown(&later), [""; 0]);
        assert_eq!(Updates::parse("no such\nthing: here\n"), Updates::default());
    }

    #[test]
    fn a_listener_is_refused_where_it_has_an_error() {
        let dump = json!({"configs": [
            {"name": "a", "error_state": {"details": "goo.gle/debugproto  \nx: 1\n: no route"}},
            {"error_state": {"details": "the same once more"}},
            {"name": "b"},
        ]});
        assert_eq!(refused_listeners(&dump), ["listener a: goo.gle/debugproto x: 1 : no route"]);
        assert_eq!(refused_listeners(&Value::Null), [""; 0]);
    }
}
