//! What can be said about a document without parsing it: enough to skip it, or to explain a refusal.

use crate::model::{Kind, ObjectRef};

/// Why a template is not edited, and what to do instead.
pub(super) const TEMPLATE: (&str, &str) =
    ("it is a template ({{ }}), not a manifest", "change the template by hand, or edit what it renders to");

/// Whether the text contains the kind's name, or an escape that could encode it.
pub(super) fn may_name(text: &str, kind: &Kind) -> bool {
    text.contains(kind.kind) || text.contains("\\u") || text.contains("\\x") || text.contains("\\U")
}

/// Whether a document that cannot be parsed may be of the kind, or a list of it, judged by the text after `kind:`.
pub(super) fn may_hold(text: &str, kind: &Kind) -> bool {
    text.match_indices("kind").any(|(at, word)| {
        let before = text[..at].chars().next_back();
        let is_key = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '#');
        let rest = text[at + word.len()..].trim_start_matches(['"', '\'']).trim_start_matches([' ', '\t']);
        is_key && rest.strip_prefix(':').is_some_and(|value| may_be(value.trim_start(), kind))
    })
}

fn may_be(value: &str, kind: &Kind) -> bool {
    let value = value.trim_start_matches(['"', '\'']);
    let word: &str = value.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    word == kind.kind
        || word == "List"
        || word.strip_suffix("List") == Some(kind.kind)
        // Templates, aliases, anchors, tags, block scalars and escapes: the value can be anything.
        || value.starts_with(['{', '*', '&', '!', '|', '>', '\\', '#'])
}

/// Why a document cannot be read, and how to fix it.
pub(super) fn refusal(text: &str, problem: &str) -> (String, String) {
    if text.contains("{{") {
        (TEMPLATE.0.to_owned(), TEMPLATE.1.to_owned())
    } else if text.lines().any(|line| line.trim_start_matches(' ').starts_with('\t')) && !text.contains('{') {
        ("it is indented with tabs, which is not YAML".to_owned(), "indent it with spaces".to_owned())
    } else {
        (format!("it cannot be read: {problem}"), "fix the file, then run again".to_owned())
    }
}

/// The object that `metadata` names, found line by line.
pub(super) fn reference(text: &str, kind: &'static Kind) -> Option<ObjectRef> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let mut heads = lines.iter().enumerate().filter(|(_, line)| line.trim() == "metadata:");
    let (at, head) = heads.next()?;
    if heads.next().is_some() {
        return None;
    }
    let below: Vec<&str> = lines[at + 1..]
        .iter()
        .take_while(|line| line.trim().is_empty() || indent(line) > indent(head))
        .copied()
        .collect();
    let depth = below.iter().find(|line| !line.trim().is_empty()).map(|line| indent(line))?;
    let field = |key: &str| {
        below.iter().filter(|line| indent(line) == depth).find_map(|line| {
            let value = line.trim().strip_prefix(key)?.strip_prefix(':')?;
            let value = value.split(" #").next().unwrap_or_default().trim();
            Some(value.trim_matches(['"', '\'']).to_owned())
        })
    };
    let name = field("name").filter(|name| !name.is_empty() && !name.contains("{{"))?;
    let namespace = field("namespace").filter(|namespace| !namespace.contains("{{")).unwrap_or_default();
    Some(ObjectRef::new(kind, namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kinds::UPSTREAM;

    #[test]
    fn a_kind_is_told_by_what_stands_behind_the_key() {
        for text in
            ["kind: Upstream", "\"kind\" : \"Upstream\"", "kind: 'UpstreamList'", "kind: {{ .k }}", "{kind: List}"]
        {
            assert!(may_hold(text, &UPSTREAM), "{text}");
        }
        for text in ["kind: UpstreamGroup", "# Upstream\nkind: Deployment", "xkind: Upstream", "Upstream"] {
            assert!(!may_hold(text, &UPSTREAM), "{text}");
        }
    }

    #[test]
    fn the_name_is_told_if_the_text_has_one() {
        let text = "kind: Upstream\nmetadata:\n  labels:\n    name: no\n  name: \"a\" # c\n  namespace: {{ .x }}\nspec: {{ y }}\n";
        assert_eq!(reference(text, &UPSTREAM), Some(ObjectRef::new(&UPSTREAM, "", "a")));
        assert_eq!(reference("metadata:\n  name: {{ .x }}\n", &UPSTREAM), None);
    }
}
