//! Reads the pages of a list one page ahead of the work on its objects.

use std::pin::pin;

use futures_util::future::FusedFuture as _;
use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use tokio::sync::mpsc;

use crate::kube;
use crate::model::{Kind, Object};

/// Returns the future that reads the pages, to be polled together with the work, and the stream of their objects. While
/// one page is processed, only the next one is read.
pub(super) fn ahead<'p>(
    mut pages: kube::Pages<'p>,
    kind: &'static Kind,
) -> (impl Future<Output = ()> + 'p, impl Stream<Item = Result<Object, kube::ApiError>>) {
    let (read, mut to_do) = mpsc::channel(1);
    let reading = async move {
        while let Ok(place) = read.reserve().await {
            match pages.next().await {
                Ok(Some(page)) => place.send(Ok(page.items)),
                Ok(None) => return,
                Err(error) => return place.send(Err(error)),
            }
        }
    };
    let objects = stream::poll_fn(move |context| to_do.poll_recv(context)).flat_map(move |page| {
        let (items, error) = page.map_or_else(|error| (Vec::new(), Some(error)), |items| (items, None));
        stream::iter(items.into_iter().map(move |value| Ok(Object::new(kind, value))).chain(error.map(Err)))
    });
    (reading, objects)
}

/// Runs `work` to its end and polls `support` for as long as that takes.
pub(super) async fn beside<T>(support: impl Future<Output = ()>, work: impl Future<Output = T>) -> T {
    let (mut support, mut work) = (pin!(support.fuse()), pin!(work));
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = &mut support, if !support.is_terminated() => {}
        }
    }
}
