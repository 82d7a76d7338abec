//! The output formats of each command, for parsing and for completion.

use crate::options::Format;

/// The formats that a command knows, its usual one first. `proxy dump` has those of a whole dump; [`OF_DUMP_VIEWS`] are
/// those of its views.
pub(super) fn for_command(words: &str) -> &'static [Format] {
    match words {
        "istio peer-auth get" => &[Format::Table, Format::Json, Format::Yaml],
        "istio revisions" | "proxy certs" => &[Format::Table, Format::Wide, Format::Json, Format::Yaml],
        "istio describe upstreams" => &[Format::Table, Format::Wide, Format::Json, Format::Yaml, Format::Csv],
        "istio describe" | "istio describe upstream" | "istio auto-mtls status" | "istio verify" | "upgrade-values" => {
            &[Format::Text, Format::Json, Format::Yaml]
        }
        "proxy served-config" => &[Format::Table, Format::Json, Format::Yaml, Format::Text],
        "proxy dump" => &[Format::Text, Format::Json],
        "check" => {
            &[Format::Text, Format::Table, Format::Wide, Format::Json, Format::Yaml, Format::Sarif, Format::Junit]
        }
        "report" => &[Format::Text, Format::Html, Format::Markdown, Format::Json, Format::Yaml],
        "rbac" => &[Format::Yaml, Format::Json],
        "version" => &[Format::Json, Format::Yaml, Format::Table],
        "completion" | "options" => &[Format::Text],
        _ if words.starts_with("proxy ") => &[Format::Text, Format::Json, Format::Yaml],
        _ => &[Format::Text, Format::Json, Format::Yaml, Format::Name],
    }
}

/// The formats of `proxy dump VIEW`. Envoy's own bytes are JSON; only a table can be in other forms.
pub(super) const OF_DUMP_VIEWS: &[Format] = &[Format::Table, Format::Wide, Format::Json, Format::Yaml];

/// The word of `-o`.
pub(super) fn name(format: Format) -> &'static str {
    match format {
        Format::Text => "text",
        Format::Json => "json",
        Format::Yaml => "yaml",
        Format::Name => "name",
        Format::Table => "table",
        Format::Wide => "wide",
        Format::Csv => "csv",
        Format::Sarif => "sarif",
        Format::Junit => "junit",
        Format::Html => "html",
        Format::Markdown => "markdown",
    }
}
