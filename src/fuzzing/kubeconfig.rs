//! Kubeconfigs, and the output of an exec plugin: no credentials for a server without TLS, no login in a URL.

use super::text;
use crate::kube::fuzzing::{contexts, credential};

pub(super) fn run(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let _ = credential(text);
    for context in contexts(text).into_iter().flatten().flatten() {
        let Ok(server) = context.server else { continue };
        assert!(!server.to_string().contains('@'), "{server}");
        let host = server.host().unwrap_or_default();
        let is_loopback = host.starts_with("127.") || host.eq_ignore_ascii_case("localhost") || host.starts_with('[');
        let may_have = server.scheme_str() == Some("https") || is_loopback;
        assert!(may_have || !context.has_credentials, "{server}");
    }
}
