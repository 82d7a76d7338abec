//! The regular expressions and matchers of a route.

use super::{line, text};
use crate::plan::routes::matcher::Matcher;
use crate::plan::routes::pattern::is_whole_match;
use crate::plan::routes::{Request, domain};
use serde_json::{Value, json};

fn quoted(text: &str) -> String {
    let quote =
        |c: char| if c.is_ascii_punctuation() && !matches!(c, '<' | '>') { format!("\\{c}") } else { c.to_string() };
    text.chars().map(quote).collect()
}

pub(super) fn run(data: &[u8]) {
    let (first, rest) = line(data);
    let (Some(pattern), Some(path)) = (text(first), text(rest)) else { return };
    let answer = is_whole_match(pattern, path);
    // A group around the whole expression changes nothing.
    if let Ok(fits) = answer {
        assert_eq!(is_whole_match(&format!("(?:{pattern})"), path), Ok(fits), "{pattern}");
    }
    if pattern.len() < 200 {
        assert_eq!(is_whole_match(&quoted(pattern), pattern), Ok(true), "{pattern}");
    }
    let request =
        Request { host: "shop.example.com".into(), path: path.into(), query: Some(pattern.into()), port: None };
    let matcher = serde_json::from_str::<Value>(pattern).unwrap_or_else(|_| {
        let named = json!({"name": "x", "value": pattern, "regex": true});
        json!({"regex": pattern, "headers": [named], "queryParameters": [named]})
    });
    let _ = (Matcher::of_gloo(&matcher).fit(&request), Matcher::of_http_route(&matcher).fit(&request));
    let _ = (domain::rank(pattern, path), domain::without_port(pattern));
}
