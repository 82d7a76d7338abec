//! What is to be done, decided from values alone: no I/O, no clock, no environment.

pub mod address;
pub mod advice;
pub mod auto_mtls;
pub mod backend;
pub mod dangling;
pub mod gateway;
pub mod image;
pub mod istiod;
pub mod mtls;
pub mod nearest;
pub mod outcome;
pub mod owner;
pub mod peer;
pub mod revisions;
pub mod sidecars;

use crate::model::{Kind, Object};
use advice::Advice;
use mtls::{Found, Surroundings};
use outcome::Decision;

/// A command that edits objects one by one: the flow maps it over names, API pages or files.
pub trait PerObject {
    /// The kind of the objects.
    fn kind(&self) -> &'static Kind;

    /// What `decide` and `advise` read beside the object.
    fn wants(&self) -> Wants;

    /// What is done to this object.
    fn decide(&self, object: &Object, found: Found, around: &Surroundings) -> Decision;

    /// The change in words, for a text that cannot be edited safely.
    fn by_hand(&self) -> Vec<String>;

    /// What is worth saying about this object, changed or not.
    fn advise(&self, object: &Object, around: &Surroundings) -> Vec<Advice>;
}

/// What is read beside an object, each only if it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// The mode that the pods behind it demand.
    pub peer: bool,
    /// The gateway's sidecars and bootstrap.
    pub gateway: bool,
}
pub mod proxy_name;
