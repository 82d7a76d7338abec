//! Upstreams with TLS of their own, to which auto-mTLS may send plaintext.

use crate::kube::{Query, Scope, Session};
use crate::load::survey::why;
use crate::model::kinds;
use crate::plan::advice::{Advice, Code};
use crate::plan::auto_mtls::{harm, on_harm};

/// The warning that lists them; a note where they may not be listed.
pub async fn advice(session: &Session) -> Option<Advice> {
    let mut harmed = Vec::new();
    let mut pages = session.pages(&kinds::UPSTREAM, Scope::All, Query::default());
    loop {
        match pages.next().await {
            Ok(Some(page)) => harmed.extend(page.items.iter().filter_map(|upstream| {
                let text = |key: &str| upstream["metadata"][key].as_str().unwrap_or_default();
                Some((format!("{}/{}", text("namespace"), text("name")), harm(upstream)?))
            })),
            Ok(None) => return on_harm(&harmed),
            Err(error) => {
                let what = format!("which Upstreams auto-mTLS may harm is unknown: {}", why(&error));
                return Some(Advice::note(Code::Unknown, what));
            }
        }
    }
}
