//! Matches a policy's rules against what is known of a request: who sends it, and to which port.

use serde_json::Value;

use super::{AuthorizationPolicy, Caller, Match};

/// The trust domain that stands for the mesh's own, whatever that is called (Istio's trust domain aliases).
const OF_THE_MESH: &str = "cluster.local";

impl AuthorizationPolicy {
    /// Returns whether the policy matches requests of this caller to the port.
    pub(crate) fn matches(&self, caller: Caller<'_>, port: Option<u64>) -> Match {
        let request = Request { caller, port, home: &self.reference.namespace };
        Match::any(self.rules.iter().map(|rule| request.rule(rule)))
    }
}

/// What is known of a request.
struct Request<'r> {
    caller: Caller<'r>,
    port: Option<u64>,
    /// The namespace of the policy, which a `ServiceAccount` without a namespace belongs to.
    home: &'r str,
}

impl Request<'_> {
    /// Every part of a rule that is there must match: one of `from`, one of `to`, all of `when`.
    fn rule(&self, rule: &Value) -> Match {
        let one_of = |key: &str, inner: &str, part: &dyn Fn(&Value) -> Match| match rule[key].as_array() {
            Some(items) if !items.is_empty() => Match::any(items.iter().map(|item| part(&item[inner]))),
            _ => Match::Yes,
        };
        let when = rule["when"].as_array().into_iter().flatten().map(|condition| self.condition(condition));
        Match::all(
            [
                one_of("from", "source", &|source| self.fields(source)),
                one_of("to", "operation", &|operation| self.fields(operation)),
            ]
            .into_iter()
            .chain(when),
        )
    }

    /// All fields of a source or an operation must match.
    fn fields(&self, fields: &Value) -> Match {
        let fields = fields.as_object().into_iter().flatten();
        Match::all(fields.filter(|(_, values)| values.as_array().is_some_and(|it| !it.is_empty())).map(
            |(name, values)| {
                let texts: Vec<_> = values.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                match name.strip_prefix("not") {
                    Some(positive) => {
                        let mut letters = positive.chars();
                        let first = letters.next().map(|letter| letter.to_ascii_lowercase());
                        self.field(&first.into_iter().chain(letters).collect::<String>(), &texts).not()
                    }
                    None => self.field(name, &texts),
                }
            },
        ))
    }

    fn field(&self, name: &str, values: &[&str]) -> Match {
        match name {
            "principals" => Match::any(values.iter().map(|value| self.principal(value))),
            "namespaces" => Match::known(self.namespace().is_some_and(|own| values.iter().any(|it| is_like(it, own)))),
            "serviceAccounts" => Match::known(values.iter().any(|value| self.is_account(value))),
            "ports" => match self.port {
                Some(port) => Match::known(values.contains(&port.to_string().as_str())),
                None => Match::Depends(vec!["ports".to_owned()]),
            },
            other => Match::Depends(vec![other.to_owned()]),
        }
    }

    fn condition(&self, condition: &Value) -> Match {
        let key = condition["key"].as_str().unwrap_or_default();
        let field = match key {
            "source.principal" => "principals",
            "source.namespace" => "namespaces",
            "source.serviceAccount" => "serviceAccounts",
            "destination.port" => "ports",
            other => return Match::Depends(vec![other.to_owned()]),
        };
        let texts = |of: &str| -> Vec<&str> {
            condition[of].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
        };
        let (wanted, unwanted) = (texts("values"), texts("notValues"));
        let is_wanted = (!wanted.is_empty()).then(|| self.field(field, &wanted));
        let is_unwanted = (!unwanted.is_empty()).then(|| self.field(field, &unwanted).not());
        Match::all(is_wanted.into_iter().chain(is_unwanted))
    }

    fn namespace(&self) -> Option<&str> {
        match self.caller {
            Caller::Anonymous => None,
            Caller::Account { namespace, .. } => Some(namespace),
        }
    }

    fn is_account(&self, value: &str) -> bool {
        let Caller::Account { namespace, name } = self.caller else { return false };
        match value.split_once('/') {
            Some((home, account)) => home == namespace && account == name,
            None => self.home == namespace && value == name,
        }
    }

    /// A pattern of a principal: `cluster.local/ns/shop/sa/cart`. Whether another trust domain is the mesh's is not
    /// known here.
    fn principal(&self, pattern: &str) -> Match {
        let Caller::Account { namespace, name } = self.caller else { return Match::No };
        let own = format!("{OF_THE_MESH}/ns/{namespace}/sa/{name}");
        if is_like(pattern, &own) {
            return Match::Yes;
        }
        match pattern.split_once('/') {
            Some((domain, rest)) if domain != OF_THE_MESH && !domain.starts_with('*') => {
                match is_like(rest, own.split_once('/').map_or("", |(_, rest)| rest)) {
                    true => Match::Depends(vec![format!("trust domain {domain}")]),
                    false => Match::No,
                }
            }
            _ => Match::No,
        }
    }
}

/// Whether the text is like the pattern: equal, or with a `*` at the pattern's end or beginning. `*` alone is any text.
fn is_like(pattern: &str, text: &str) -> bool {
    match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
        (Some(""), _) => !text.is_empty(),
        (Some(start), _) => text.starts_with(start),
        (None, Some(end)) => text.ends_with(end),
        (None, None) => pattern == text,
    }
}
