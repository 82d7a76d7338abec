//! Parses texts from users and objects: hosts, URLs, images, names of proxies, similar names.

mod host;
mod image;
mod nearest;
mod pattern;
pub(crate) mod proxy_name;
pub(crate) mod url;

pub use host::Host;
pub(crate) use image::Image;
pub(crate) use nearest::nearest;
pub(crate) use pattern::is_like;
pub(crate) use proxy_name::{GatewayName, ProxyKind, ProxyName};
pub use url::Scheme;
pub(crate) use url::Url;
