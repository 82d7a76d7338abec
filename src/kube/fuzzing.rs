//! For `fuzz/` only: the readers of this room, without a server, a file or a process.

use std::time::Duration;

use http::Uri;
use serde_json::Value;

use super::answer::{self, ApiAnswer, Asked};
use super::clear_text::withhold;
use super::failure::{ApiCause, ApiError, Verb};
use super::kubeconfig::{ConfigFiles, select};
use super::page::Page;
use super::proxy_env::decide;
use super::{Environment, Target, connect, exec, kubeconfig_file};
use crate::error::{Causes, Failure};
use crate::model::kinds;

/// The items of a list in an answer of the API server.
///
/// # Errors
/// Why the answer is not a list.
pub(crate) fn answer(status: u16, retry_after: Option<u64>, body: &[u8]) -> Result<Vec<Value>, ApiError> {
    let asked = Asked { verb: "list", group: "gloo.solo.io", plural: "upstreams", namespace: "shop", name: "cart" };
    let answer = ApiAnswer { status, retry_after: retry_after.map(Duration::from_secs), body: body.to_vec() };
    let page = answer::read(&answer, asked).and_then(|value| Page::parse(value).map_err(ApiCause::BadAnswer));
    page.map(|page| page.items).map_err(|cause| ApiError {
        verb: Verb::List,
        kind: Some(&kinds::UPSTREAM),
        namespace: "shop".to_owned(),
        name: "cart".to_owned(),
        cause,
        causes: Causes::default(),
    })
}

/// The result for one context of a kubeconfig.
pub(crate) struct Context {
    /// Whether the user has a secret that can be sent.
    pub has_credentials: bool,
    pub server: Result<Uri, Failure>,
}

/// Every context of a kubeconfig as a request would use it; `None` if the text is not a kubeconfig.
#[must_use]
pub(crate) fn contexts(text: &str) -> Option<Vec<Result<Context, Failure>>> {
    let config = kubeconfig_file::parse(text).ok()?;
    let files = ConfigFiles { paths: vec!["kubeconfig".into()], named: true };
    let mut target = Target::new(Environment::from_variables([("", "")]));
    let names = config.contexts.iter().map(|context| Some(context.name.clone()));
    let contexts = names.chain([None]).map(|name| {
        target.context = name;
        let mut chosen = select(&config, &target, &files)?;
        chosen.fingerprint();
        let server = connect::server(&chosen);
        if let Ok(server) = &server {
            let proxy = decide(server, chosen.cluster.proxy_url.as_deref(), &target.environment);
            let proxy = proxy.map_err(|bad| connect::bad_proxy(&chosen.context, &bad))?;
            withhold(&mut chosen.user, server, proxy.as_ref());
        }
        let user = &chosen.user;
        let has_credentials = user.token.is_some() || user.password.is_some() || user.client_certificate_data.is_some();
        Ok(Context { has_credentials, server })
    });
    Some(contexts.collect())
}

/// Whether the output of an exec plugin is a credential.
#[must_use]
pub(crate) fn credential(stdout: &str) -> bool {
    exec::status_of(stdout).is_some()
}
