//! Test fixture: the global options when no flag is given.

use std::time::Duration;

use crate::command::Called;
use crate::options::{Consent, Format, Global, Loudness, When};

/// The global options without any flag.
pub(super) fn global() -> Global {
    Global {
        kubeconfig: None,
        context: None,
        contexts: None,
        namespace: None,
        gloo_namespace: None,
        as_user: None,
        as_groups: Vec::new(),
        as_uid: None,
        format: Format::Text,
        timeout: Duration::from_secs(30),
        wait_timeout: Duration::from_mins(5),
        colour: When::Auto,
        loudness: Loudness::Usual,
        consent: Consent::Ask,
        called: Called::default(),
    }
}
