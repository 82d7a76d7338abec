//! A page of a list: the query and the result.

use serde_json::Value;

use super::encoding::encode;

/// The page size of client-go.
pub(super) const PAGE: u32 = 500;

/// The divisor for the page size after a page was too large.
const NARROWER: u32 = 4;

/// The namespace to list in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    Namespace(&'a str),
    /// Every namespace, or a kind without a namespace.
    All,
}

impl<'a> Scope<'a> {
    /// The namespace; empty for all.
    pub(super) fn namespace(self) -> &'a str {
        match self {
            Self::Namespace(namespace) => namespace,
            Self::All => "",
        }
    }
}

/// Which objects to list, and which parts of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pub labels: String,
    pub fields: String,
    /// The most objects per page; 0 for no limit.
    pub limit: u32,
    pub continue_token: Option<String>,
    pub metadata_only: bool,
    pub freshness: Freshness,
}

/// How recent a list must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Freshness {
    /// As recent as the request.
    #[default]
    Now,
    /// Whatever version the API server has in its cache. Right after a write a list with [`Freshness::Now`] takes 100
    /// ms: the server waits until its cache of that kind has received the write.
    AtHand,
}

impl Query {
    /// The objects with these labels; empty for all.
    pub fn labelled(labels: impl Into<String>) -> Self {
        Self { labels: labels.into(), ..Self::default() }
    }

    pub(super) fn text(&self) -> String {
        let mut parts = Vec::new();
        let mut part = |key: &str, value: &str| {
            if !value.is_empty() {
                parts.push(format!("{key}={}", encode(value)));
            }
        };
        part("labelSelector", &self.labels);
        part("fieldSelector", &self.fields);
        if self.limit > 0 {
            part("limit", &self.limit.to_string());
        }
        // A continue token already contains the version.
        if self.freshness == Freshness::AtHand && self.continue_token.is_none() {
            part("resourceVersion", "0");
        }
        part("continue", self.continue_token.as_deref().unwrap_or_default());
        if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
    }

    /// Reduces the size of the next page. Returns `false` if it cannot be smaller.
    pub(super) fn narrow(&mut self) -> bool {
        if self.freshness == Freshness::AtHand && self.continue_token.is_none() {
            // The server returns a cached list as a whole, whatever the limit is.
            self.freshness = Freshness::Now;
            return true;
        }
        let narrower = self.limit / NARROWER;
        let can_be_less = narrower < self.limit && self.limit > 1;
        self.limit = narrower.max(1);
        can_be_less
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub items: Vec<Value>,
    /// The continue token of the next part.
    pub next: Option<String>,
    pub resource_version: String,
}

impl Page {
    /// Parses a page. Every item must be an object with a name: otherwise it would be lost, or act on another object.
    ///
    /// # Errors
    /// What is wrong in the list.
    pub(super) fn parse(mut list: Value) -> Result<Self, String> {
        let metadata = &list["metadata"];
        let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
        let next = Some(text("continue")).filter(|next| !next.is_empty());
        let resource_version = text("resourceVersion");
        // Go encodes an empty list as null.
        let items = match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            Some(Value::Null) => Vec::new(),
            Some(_) | None => return Err("a list without items".to_owned()),
        };
        for (index, item) in items.iter().enumerate() {
            named(item).map_err(|why| format!("a list whose item {index} {why}"))?;
        }
        Ok(Self { items, next, resource_version })
    }
}

/// The name of an API object. For every kind, Kubernetes accepts only names that are one path segment.
///
/// # Errors
/// Why the value is not an API object.
pub(super) fn named(object: &Value) -> Result<&str, &'static str> {
    let object = object.as_object().ok_or("is not an object")?;
    let metadata = object.get("metadata").and_then(Value::as_object).ok_or("has no metadata")?;
    let name = metadata.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or("has no name")?;
    let namespace = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    let is_named = |name: &str| !matches!(name, "." | "..") && !name.contains(['/', '%']);
    if [name, namespace].iter().all(|name| is_named(name) && !name.contains(char::is_control)) {
        Ok(name)
    } else {
        Err("has a name that no object can have")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_with_an_item_of_another_type_is_an_error_that_names_the_item() {
        let why = |list: Value| Page::parse(list).unwrap_err();
        let good = json!({"metadata": {"name": "x"}});
        assert_eq!(Page::parse(json!({"items": null})).unwrap().items, [Value::Null; 0]);
        assert_eq!(Page::parse(json!({"items": [good]})).unwrap().items, std::slice::from_ref(&good));
        for list in [json!({}), json!({"items": "x"}), json!({"items": {}})] {
            assert_eq!(why(list), "a list without items");
        }
        for item in [json!("x"), json!(7), json!(null), json!([]), json!(true)] {
            assert_eq!(why(json!({"items": [good, item]})), "a list whose item 1 is not an object");
        }
        for metadata in [json!("x"), json!(7), json!(null), json!([])] {
            assert_eq!(why(json!({"items": [{"metadata": metadata}]})), "a list whose item 0 has no metadata");
        }
        for name in ["../../../../x", "..", ".", "a/b", "a%2fb", "a\u{1b}[31m", "a\nb", "a\u{9b}b"] {
            let why = why(json!({"items": [{"metadata": {"name": name}}]}));
            assert_eq!(why, "a list whose item 0 has a name that no object can have", "{name}");
        }
        let elsewhere = json!({"items": [{"metadata": {"name": "x", "namespace": "../y"}}]});
        assert_eq!(why(elsewhere), "a list whose item 0 has a name that no object can have");
        for name in [json!(""), json!(7), json!(null), json!([]), json!({})] {
            assert_eq!(why(json!({"items": [{"metadata": {"name": name}}]})), "a list whose item 0 has no name");
        }
    }

    #[test]
    fn a_page_that_is_too_large_is_narrowed_down_to_one_object() {
        let mut query = Query { limit: PAGE, freshness: Freshness::AtHand, ..Query::default() };
        let mut asked = vec![query.text()];
        while query.narrow() {
            asked.push(query.text());
        }
        let limits = ["500&resourceVersion=0", "500", "125", "31", "7", "1"];
        assert_eq!(asked, limits.map(|limit| format!("?limit={limit}")));
    }

    #[test]
    fn a_query_is_encoded_and_leaves_out_what_is_not_asked() {
        assert_eq!(Query::default().text(), "");
        let at_hand = Query { freshness: Freshness::AtHand, ..Query::default() };
        assert_eq!(at_hand.text(), "?resourceVersion=0");
        let query = Query {
            labels: "app in (a, b),x=1".to_owned(),
            fields: "metadata.name=x&y".to_owned(),
            limit: 500,
            continue_token: Some("a+/=".to_owned()),
            metadata_only: true,
            freshness: Freshness::AtHand,
        };
        assert_eq!(
            query.text(),
            "?labelSelector=app%20in%20%28a%2C%20b%29%2Cx%3D1&fieldSelector=metadata.name%3Dx%26y&limit=500&continue=a%2B%2F%3D"
        );
    }
}
