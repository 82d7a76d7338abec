//! HTTP to a port inside a pod, through one port-forward stream: no listening socket, no local port.

use ::kube::Api;
use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, HOST};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;

use super::Session;

/// Envoy's own text pages are small; a config dump is read elsewhere.
const MAX_BODY: usize = 16 << 20;

impl Session {
    /// The body of `GET path` on a port of a pod, such as Envoy's admin port.
    ///
    /// The stream gives no end of file through every kubelet, so the answer is read by its HTTP framing.
    ///
    /// # Errors
    /// Why it could not be had, in one line.
    pub async fn get_in_pod(&self, namespace: &str, pod: &str, port: u16, path: &str) -> Result<Bytes, String> {
        let wire = self.wire();
        let work = async {
            let header = wire.bearer.header().await.map_err(|failure| failure.message)?;
            let inner = wire.client.clone();
            let with_login = tower::service_fn(move |mut request: Request<::kube::client::Body>| {
                if let Some(header) = &header {
                    request.headers_mut().insert(AUTHORIZATION, header.clone());
                }
                let inner = inner.clone();
                async move { inner.send(request).await }
            });
            let client = ::kube::Client::new(with_login, namespace);
            let pods: Api<Pod> = Api::namespaced(client, namespace);
            let mut forwarder = pods.portforward(pod, &[port]).await.map_err(|error| refusal(&error))?;
            let stream = forwarder.take_stream(port).ok_or("no stream")?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
            let driver = tokio::spawn(connection);
            let request = Request::get(path)
                .header(HOST, "localhost")
                .body(Empty::<Bytes>::new())
                .map_err(|error| error.to_string())?;
            let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_BODY).collect().await.map_err(|error| error.to_string())?;
            driver.abort();
            forwarder.abort();
            if status.is_success() { Ok(body.to_bytes()) } else { Err(format!("{path} answers {status}")) }
        };
        tokio::time::timeout(wire.timeout, work).await.unwrap_or_else(|_| Err("no answer".to_owned()))
    }
}

/// Since Kubernetes 1.35 a port-forward needs `create` on `pods/portforward`; before it needed `get`.
fn refusal(error: &::kube::Error) -> String {
    let text = error.to_string();
    if text.contains("403") || text.contains("orbidden") {
        return "may not create pods/portforward".to_owned();
    }
    text.lines().next().unwrap_or_default().to_owned()
}
