//! One matcher of a route, and whether a request matches it.

use serde_json::Value;

use super::pattern::is_whole_match;
use super::{Request, list, text};

/// How a path is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Path {
    Exact(String),
    Regex(String),
    Prefix(String),
    /// The Gateway API's `PathPrefix`, which compares whole elements: `/a` matches `/a/b` but not `/ab`.
    Elements(String),
    /// HTTP CONNECT, which has no path.
    Connect,
}

/// The required value of a header or a query parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WantedValue {
    pub name: String,
    /// `None` means that it only has to exist.
    pub value: Option<String>,
    pub is_regex: bool,
    pub is_inverted: bool,
}

/// A matcher. All of its conditions must match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Matcher {
    /// `None` means that the path is not restricted.
    pub path: Option<Path>,
    /// `None` means case-sensitive. It is different from `Some(true)`, because Gloo compares the configured values.
    pub case_sensitive: Option<bool>,
    pub headers: Vec<WantedValue>,
    pub query: Vec<WantedValue>,
    pub methods: Vec<String>,
}

/// Whether a request matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fit {
    Yes,
    /// It matches under these conditions: `header x-canary is 1`.
    If(Vec<String>),
    /// It is unknown. The reason.
    Unknown(String),
    No,
}

impl Matcher {
    /// Returns the matcher of a route without matchers: any path.
    pub(crate) fn any() -> Self {
        Self { path: Some(Path::Prefix("/".into())), ..Self::default() }
    }

    /// Reads a matcher of a `VirtualService` or `RouteTable`.
    pub(crate) fn of_gloo(matcher: &Value) -> Self {
        let string = |key: &str| matcher[key].as_str().map(str::to_owned);
        let path = string("exact")
            .map(Path::Exact)
            .or_else(|| string("regex").map(Path::Regex))
            .or_else(|| string("prefix").map(Path::Prefix))
            .or_else(|| matcher["connectMatcher"].is_object().then_some(Path::Connect));
        let wanted = |key: &str| list(matcher, key).iter().map(WantedValue::of_gloo).collect();
        Self {
            path,
            case_sensitive: matcher["caseSensitive"].as_bool(),
            headers: wanted("headers"),
            query: wanted("queryParameters"),
            methods: list(matcher, "methods").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }

    /// Reads a matcher of an `HTTPRoute`.
    pub(crate) fn of_http_route(matches: &Value) -> Self {
        let path = &matches["path"];
        let value = path["value"].as_str().unwrap_or("/").to_owned();
        let path = match path["type"].as_str() {
            Some("Exact") => Path::Exact(value),
            Some("RegularExpression") => Path::Regex(value),
            _ => Path::Elements(value),
        };
        let wanted = |key: &str| list(matches, key).iter().map(WantedValue::of_http_route).collect();
        Self {
            path: Some(path),
            case_sensitive: None,
            headers: wanted("headers"),
            query: wanted("queryParams"),
            methods: matches["method"].as_str().map(str::to_owned).into_iter().collect(),
        }
    }

    /// Returns the path as text, whatever its kind. Gloo compares these texts.
    pub(crate) fn path_text(&self) -> &str {
        match &self.path {
            Some(Path::Exact(path) | Path::Regex(path) | Path::Prefix(path) | Path::Elements(path)) => path,
            Some(Path::Connect) | None => "",
        }
    }

    /// Returns whether a request matches, as far as is known.
    pub(crate) fn fit(&self, request: &Request) -> Fit {
        match self.fits_path(&request.path) {
            Ok(true) => {}
            Ok(false) => return Fit::No,
            Err(why) => return Fit::Unknown(why),
        }
        let mut conditions = Vec::new();
        if !self.methods.is_empty() {
            conditions.push(format!("method {}", self.methods.join("|")));
        }
        conditions.extend(self.headers.iter().map(|header| header.words("header")));
        for wanted in &self.query {
            match wanted.fits_query(request.query.as_deref()) {
                Some(Ok(true)) => {}
                Some(Ok(false)) => return Fit::No,
                Some(Err(why)) => return Fit::Unknown(why),
                None => conditions.push(wanted.words("query")),
            }
        }
        if conditions.is_empty() { Fit::Yes } else { Fit::If(conditions) }
    }

    fn fits_path(&self, path: &str) -> Result<bool, String> {
        let folded = |text: &str| match self.case_sensitive {
            Some(false) => text.to_ascii_lowercase(),
            _ => text.to_owned(),
        };
        match &self.path {
            None => Ok(true),
            Some(Path::Connect) => Ok(false),
            Some(Path::Exact(exact)) => Ok(folded(path) == folded(exact)),
            Some(Path::Prefix(prefix)) => Ok(folded(path).starts_with(&folded(prefix))),
            Some(Path::Regex(pattern)) => is_whole_match(pattern, path),
            Some(Path::Elements(prefix)) => {
                let prefix = prefix.trim_end_matches('/');
                Ok(path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
            }
        }
    }
}

/// Writes `prefix /api`, followed by the other conditions.
impl std::fmt::Display for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.path {
            Some(Path::Exact(path)) => write!(f, "exact {path}")?,
            Some(Path::Regex(path)) => write!(f, "regex {path}")?,
            Some(Path::Prefix(path) | Path::Elements(path)) => write!(f, "prefix {path}")?,
            Some(Path::Connect) => f.write_str("CONNECT")?,
            None => f.write_str("any path")?,
        }
        if self.case_sensitive == Some(false) {
            f.write_str(" (any case)")?;
        }
        Ok(())
    }
}

impl WantedValue {
    fn of_gloo(wanted: &Value) -> Self {
        Self {
            name: text(wanted, "name").to_owned(),
            value: wanted["value"].as_str().filter(|value| !value.is_empty()).map(str::to_owned),
            is_regex: wanted["regex"] == true,
            is_inverted: wanted["invertMatch"] == true,
        }
    }

    fn of_http_route(wanted: &Value) -> Self {
        Self {
            name: text(wanted, "name").to_owned(),
            value: wanted["value"].as_str().map(str::to_owned),
            is_regex: wanted["type"] == "RegularExpression",
            is_inverted: false,
        }
    }

    /// Returns the text `header x-canary is 1`.
    fn words(&self, what: &str) -> String {
        let not = if self.is_inverted { "not " } else { "" };
        match &self.value {
            None => format!("{what} {} is {not}there", self.name),
            Some(value) if self.is_regex => format!("{what} {} is {not}like {value}", self.name),
            Some(value) => format!("{what} {} is {not}{value}", self.name),
        }
    }

    /// Returns whether the query parameter matches. `None` if the query is unknown.
    fn fits_query(&self, query: Option<&str>) -> Option<Result<bool, String>> {
        let value = query?.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name == self.name).then_some(value)
        });
        let Some(value) = value else { return Some(Ok(false)) };
        Some(match &self.value {
            None => Ok(true),
            Some(pattern) if self.is_regex => is_whole_match(pattern, value),
            Some(wanted) => Ok(wanted == value),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fit(matcher: &Value, path: &str) -> Fit {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query.to_owned())));
        Matcher::of_gloo(matcher).fit(&Request { host: "a".into(), path: path.into(), query, port: None })
    }

    #[test]
    fn paths_are_compared_as_gloo_tells_envoy_to() {
        assert_eq!(fit(&json!({"prefix": "/api"}), "/apis"), Fit::Yes);
        assert_eq!(fit(&json!({"prefix": "/API", "caseSensitive": false}), "/api/x"), Fit::Yes);
        assert_eq!(fit(&json!({"prefix": "/API"}), "/api/x"), Fit::No);
        assert_eq!(fit(&json!({"exact": "/api"}), "/api/x"), Fit::No);
        assert_eq!(fit(&json!({"regex": "/a.*"}), "/api/x"), Fit::Yes);
        assert_eq!(fit(&json!({"regex": "/a"}), "/api"), Fit::No);
        assert_eq!(fit(&json!({"connectMatcher": {}}), "/"), Fit::No);
        assert_eq!(fit(&json!({"headers": []}), "/x"), Fit::Yes);
        assert!(matches!(fit(&json!({"regex": "("}), "/x"), Fit::Unknown(_)));
    }

    #[test]
    fn what_a_request_carries_beside_its_path_is_said_not_guessed() {
        let matcher = json!({"prefix": "/", "methods": ["GET", "POST"], "headers": [
            {"name": "x-a", "value": "1"}, {"name": "x-b", "invertMatch": true}, {"name": "x-c", "value": "v.*", "regex": true}]});
        assert_eq!(
            fit(&matcher, "/"),
            Fit::If(vec![
                "method GET|POST".into(),
                "header x-a is 1".into(),
                "header x-b is not there".into(),
                "header x-c is like v.*".into(),
            ])
        );
    }

    #[test]
    fn a_query_is_compared_where_it_was_typed() {
        let matcher = json!({"prefix": "/", "queryParameters": [{"name": "v", "value": "2"}]});
        assert_eq!(fit(&matcher, "/"), Fit::If(vec!["query v is 2".into()]));
        assert_eq!(fit(&matcher, "/?a=b&v=2"), Fit::Yes);
        assert_eq!(fit(&matcher, "/?v=3"), Fit::No);
        assert_eq!(fit(&matcher, "/?a"), Fit::No);
    }

    #[test]
    fn the_gateway_api_compares_whole_elements() {
        let fit = |prefix: &str, path: &str| {
            let matcher = Matcher::of_http_route(&json!({"path": {"type": "PathPrefix", "value": prefix}}));
            matcher.fit(&Request { host: "a".into(), path: path.into(), query: None, port: None })
        };
        assert_eq!(fit("/a", "/a/b"), Fit::Yes);
        assert_eq!(fit("/a/", "/a"), Fit::Yes);
        assert_eq!(fit("/a", "/ab"), Fit::No);
        assert_eq!(fit("/", "/ab"), Fit::Yes);
    }
}
