//! Plain data: what an object is, where it came from, how a field is named. No I/O.

mod kind;
mod object;
mod path;
mod selector;
mod snapshot;

pub use kind::{Kind, kinds};
pub use object::{Object, ObjectRef};
pub use path::{FieldPath, Segment};
pub use selector::Selector;
pub use snapshot::{Answer, Found, Part, Snapshot, Spot, Unknown};
