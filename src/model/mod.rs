//! Plain data: objects, their source, and the paths of fields. No I/O.

mod kind;
pub(crate) mod names;
mod object;
mod path;
mod selector;
mod snapshot;

pub use kind::Kind;
pub(crate) use kind::kinds;
pub use object::{Object, ObjectRef};
pub(crate) use path::{FieldPath, Segment};
pub(crate) use selector::Selector;
pub use snapshot::{Found, Snapshot};
pub(crate) use snapshot::{ListAnswer, ListPart, Spot, Unknown};
