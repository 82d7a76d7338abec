//! The stream of one port of a pod over a WebSocket: the protocol `v4.channel.k8s.io`.
//!
//! kube has one of its own, which takes messages of up to 64 MiB into memory: decision 13.

use ::kube::Client;
use ::kube::core::Request;
use bytes::Buf as _;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// The largest message. A kubelet sends what it reads at once: 32 KiB.
const LARGEST: usize = 1 << 20;
/// What is on its way in each direction at most.
const BUFFER: usize = 1 << 18;
/// What is sent in one message.
const PIECE: usize = 1 << 14;

/// The channel of the data. The next one has what the kubelet complains of.
const DATA: u8 = 0;

/// A stream to a port. Dropping it closes the stream.
pub(super) struct PortStream {
    /// What the kubelet complains of, before the end of the stream. `None`: nothing.
    pub complaint: BoxFuture<'static, Option<String>>,
    task: JoinHandle<()>,
}

impl PortStream {
    /// Opens a stream to a port of a pod.
    ///
    /// # Errors
    /// The API server refuses the stream, or it does not answer as an API server.
    pub(super) async fn open(
        client: &Client,
        namespace: &str,
        pod: &str,
        port: u16,
    ) -> Result<(Self, DuplexStream), ::kube::Error> {
        let request = Request::new(<Pod as ::kube::Resource>::url_path(&(), Some(namespace)));
        let request = request.portforward(pod, &[port]).map_err(::kube::Error::BuildRequest)?;
        let upgraded = client.connect(request).await?.into_stream().into_inner();
        let limit = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
        let socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(limit)).await;
        let (ours, theirs) = duplex(BUFFER);
        let (sender, complaint) = oneshot::channel();
        let task = tokio::spawn(pass_on(socket, port, theirs, sender));
        Ok((Self { complaint: complaint.map(Result::ok).fuse().boxed(), task }, ours))
    }
}

impl Drop for PortStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Passes bytes on in both directions until one of them ends.
async fn pass_on(
    socket: WebSocketStream<TokioIo<Upgraded>>,
    port: u16,
    stream: DuplexStream,
    sender: oneshot::Sender<String>,
) {
    let (mut to_pod, mut from_pod) = socket.split();
    let (mut reader, mut writer) = split(stream);
    let there = async {
        let mut piece = vec![DATA; 1 + PIECE];
        while let Ok(length @ 1..) = reader.read(&mut piece[1..]).await {
            if to_pod.send(Message::binary(piece[..=length].to_vec())).await.is_err() {
                return;
            }
        }
        // The other side may be gone already.
        let _ = to_pod.send(Message::Close(None)).await;
    };
    let back = async {
        let mut sender = Some(sender);
        let mut is_begun = [false; 2];
        while let Some(Ok(message)) = from_pod.next().await {
            let mut bytes = match message {
                Message::Binary(bytes) if bytes.len() > 1 => bytes,
                Message::Close(_) => break,
                _ => continue,
            };
            let channel = bytes.get_u8();
            let Some(is_begun) = is_begun.get_mut(usize::from(channel)) else { break };
            if !*is_begun {
                // Each channel begins with its port.
                if *bytes != port.to_le_bytes() {
                    break;
                }
                *is_begun = true;
            } else if channel != DATA {
                if let Some(sender) = sender.take() {
                    // The receiver may be gone already.
                    let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
                }
            } else if writer.write_all(&bytes).await.is_err() {
                break;
            }
        }
        // The reader may be gone already.
        let _ = writer.shutdown().await;
    };
    tokio::join!(there, back);
}
