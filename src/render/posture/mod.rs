//! The output of `report`: lines, an HTML page, Markdown, and the value of the document.

pub(crate) mod comparison;
pub(crate) mod escape;
mod page;
mod text;

use serde_json::{Value, json};

use crate::posture::ClusterPosture;

pub(crate) use page::{html, markdown};
pub(crate) use text::lines;

/// The kind of the document.
pub(crate) const KIND: &str = "Report";

/// The postures as a value of the document.
pub(crate) fn value(postures: &[ClusterPosture]) -> Value {
    json!(postures)
}
