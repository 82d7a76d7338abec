//! The floor of a bulk run: the same `PATCH` requests and nothing else, as many at a time, over kept connections.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::Config;
use kube::client::ConfigExt;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::runtime::Builder;

pub const MODE: &str = "--bare-patches";

/// The number of requests that a bulk run sends at the same time without `--concurrency`.
const AT_ONCE: usize = 16;

/// The measured process: `KUBECONFIG TOKEN NAMESPACE COUNT PATCH`.
pub fn process(arguments: &[String]) -> Result<()> {
    let [kubeconfig, token, namespace, count, patch] = arguments else { bail!("five arguments, not {arguments:?}") };
    patch_all(Path::new(kubeconfig), token, namespace, count.parse()?, patch)
}

/// Patches the first Upstreams of a namespace. A list is a JSON Patch, an object a merge patch.
pub fn patch_all(kubeconfig: &Path, token: &str, namespace: &str, count: usize, patch: &str) -> Result<()> {
    let content_type =
        if patch.starts_with('[') { "application/json-patch+json" } else { "application/merge-patch+json" };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let connector = config.rustls_https_connector_with_connector(connector)?;
        let client = Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(connector);
        let server = config.cluster_url.to_string();
        let server = server.trim_end_matches('/');
        let send = |number: usize| {
            let place =
                format!("/apis/gloo.solo.io/v1/namespaces/{namespace}/upstreams/{}?fieldManager=gloo-rs", name(number));
            let request = Request::patch(format!("{server}{place}"))
                .header(header::AUTHORIZATION, format!("Bearer {token}"))
                .header(header::CONTENT_TYPE, content_type)
                .body(Full::from(patch.to_owned()));
            let client = &client;
            async move {
                let answer = client.request(request?).await.context(place)?;
                let (head, body) = answer.into_parts();
                let body = body.collect().await?.to_bytes();
                ensure!(head.status.is_success(), "{}: {}", head.status, String::from_utf8_lossy(&body));
                Ok(())
            }
        };
        stream::iter(0..count).map(send).buffer_unordered(AT_ONCE).try_collect().await
    })
}

/// The name of an Upstream that is patched.
pub fn name(number: usize) -> String {
    format!("app-{number:05}")
}
