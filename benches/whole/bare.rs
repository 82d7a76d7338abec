//! The floor of a bulk run: it lists the same pages and sends the same `PATCH` requests, as many at a time, over kept
//! connections, and decides and reports nothing.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::Config;
use kube::client::ConfigExt;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};

pub const MODE: &str = "--bare-patches";

/// The number of requests that a bulk run sends at the same time without `--concurrency`.
const AT_ONCE: usize = 16;
/// The number of Upstreams in one page of a bulk run.
const PAGE: usize = 500;

/// The measured process: `KUBECONFIG TOKEN NAMESPACE COUNT PATCH`.
pub fn process(arguments: &[String]) -> Result<()> {
    let [kubeconfig, token, namespace, count, patch] = arguments else { bail!("five arguments, not {arguments:?}") };
    runtime()?.block_on(async {
        let bare = Bare::connect(Path::new(kubeconfig), token, namespace).await?;
        bare.sweep(count.parse()?, patch).await
    })
}

/// Patches the first Upstreams of a namespace. A list is a JSON Patch, an object a merge patch.
pub fn patch_all(kubeconfig: &Path, token: &str, namespace: &str, count: usize, patch: &str) -> Result<()> {
    runtime()?.block_on(async {
        let bare = Bare::connect(kubeconfig, token, namespace).await?;
        bare.patch(0..count, patch).await
    })
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Requests for the Upstreams of one namespace.
struct Bare {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    upstreams: String,
    token: String,
}

/// What is needed of a page: where the next one begins.
#[derive(Deserialize)]
struct Page {
    metadata: PageMetadata,
}

#[derive(Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    next: String,
}

impl Bare {
    async fn connect(kubeconfig: &Path, token: &str, namespace: &str) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let connector = config.rustls_https_connector_with_connector(connector)?;
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let server = config.cluster_url.to_string();
        let server = server.trim_end_matches('/');
        let upstreams = format!("{server}/apis/gloo.solo.io/v1/namespaces/{namespace}/upstreams");
        Ok(Self { client, upstreams, token: token.to_owned() })
    }

    /// Lists the Upstreams page by page, and patches those of a page while the next one is read.
    async fn sweep(&self, count: usize, patch: &str) -> Result<()> {
        let mut page = Some(self.page("").await?);
        let mut first = 0;
        while let Some(current) = page {
            let after = count.min(first + PAGE);
            let next = async {
                match current.metadata.next.as_str() {
                    "" => Ok(None),
                    next => self.page(next).await.map(Some),
                }
            };
            (page, ()) = tokio::try_join!(next, self.patch(first..after, patch))?;
            first = after;
        }
        Ok(())
    }

    async fn page(&self, next: &str) -> Result<Page> {
        let next = if next.is_empty() { String::new() } else { format!("&continue={next}") };
        let body = self.send(Method::GET, &format!("?limit={PAGE}{next}"), "", String::new()).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    async fn patch(&self, numbers: std::ops::Range<usize>, patch: &str) -> Result<()> {
        let content_type =
            if patch.starts_with('[') { "application/json-patch+json" } else { "application/merge-patch+json" };
        let send = |number: usize| async move {
            let place = format!("/{}?fieldManager=gloo-rs", name(number));
            self.send(Method::PATCH, &place, content_type, patch.to_owned()).await.map(drop)
        };
        stream::iter(numbers).map(send).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn send(&self, method: Method, place: &str, content_type: &str, body: String) -> Result<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{place}", self.upstreams))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, content_type)
            .body(Full::from(body))?;
        let answer = self.client.request(request).await.with_context(|| place.to_owned())?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        ensure!(head.status.is_success(), "{}: {}", head.status, String::from_utf8_lossy(&body));
        Ok(body)
    }
}

/// The name of an Upstream that is patched.
pub fn name(number: usize) -> String {
    format!("app-{number:05}")
}

/// The namespace with the Upstreams of a bulk run.
pub fn upstreams_namespace(count: usize) -> String {
    format!("sweep-{count}")
}
