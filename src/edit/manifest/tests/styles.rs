//! Generates manifests in the styles that people and tools write.

use serde_json::{Value, json};

/// The kind of generated text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A stream of documents without `sslConfig`.
    Plain,
    /// The same inside `List` and `UpstreamList`.
    List,
    /// JSON, compact or indented.
    Json,
    /// With an `sslConfig` that a person wrote.
    Written,
}

/// A small pseudo-random generator (xorshift64*). It makes the same manifests in every run.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % limit
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// A text of one to three documents.
    pub(super) fn stream(&mut self, shape: Shape) -> String {
        let mut text = String::new();
        if self.one_in(4) {
            text.push_str(self.pick(&["# keep licence\n\n", "%YAML 1.2\n---\n", "---\n", "---  # keep\n", "\n\n"]));
        }
        for number in 0..=self.below(3) {
            if number > 0 {
                if !text.ends_with('\n') {
                    text.push('\n');
                }
                text.push_str(self.pick(&["---\n", "--- # keep\n", "...\n---\n", "---\n# keep head\n", "\n---\n\n"]));
            }
            text.push_str(&match shape {
                Shape::Json => self.json(number),
                Shape::List => self.list(number),
                Shape::Plain | Shape::Written if self.one_in(6) => "kind: Other\nx: |\n  Upstream\n".to_owned(),
                Shape::Plain | Shape::Written => self.upstream(number, shape == Shape::Written),
            });
        }
        if self.one_in(5) {
            text.push_str(self.pick(&["# keep end\n", "\n\n", "...\n"]));
        }
        if self.one_in(3) {
            text.truncate(text.trim_end_matches('\n').len());
        }
        if self.one_in(4) {
            text = text.replace('\n', "\r\n");
        }
        if self.one_in(6) { format!("\u{feff}{text}") } else { text }
    }

    fn upstream(&mut self, number: usize, written: bool) -> String {
        let step = [2, 4, 3][self.below(3)];
        let api = self.pick(&["gloo.solo.io/v1", "\"gloo.solo.io/v1\"", "'gloo.solo.io/v1'"]);
        let kind = self.pick(&["Upstream", "\"Upstream\"", "Upstream # keep"]);
        let mut parts = vec![
            format!("apiVersion: {api}\n"),
            format!("kind: {kind}\n"),
            format!("metadata:\n{}name: n{number}\n", " ".repeat(step)),
            self.spec(step, written),
        ];
        if self.one_in(3) {
            parts.push(
                self.pick(&["status: {}\n", "status:\n  state: 1\n", "? x\n: y\n", "note: >-\n  Ä\n  ö\n\n"])
                    .to_owned(),
            );
        }
        if self.one_in(3) {
            let at = self.below(parts.len());
            parts.rotate_left(at);
        }
        parts.into_iter().map(|part| format!("{}{part}", self.noise(0))).collect()
    }

    /// Comments and blank lines that may stand between entries.
    fn noise(&mut self, indent: usize) -> String {
        match self.below(8) {
            0 => format!("{}# keep: a {{b}}\n", " ".repeat(indent)),
            1 => "\n".to_owned(),
            2 if indent == 0 => "# keep - x: y\n\n".to_owned(),
            _ => String::new(),
        }
    }

    fn spec(&mut self, step: usize, written: bool) -> String {
        let key = self.pick(&["spec:", "\"spec\":", "'spec':", "spec :"]);
        let flow = [
            "{}",
            "{ }",
            "{kube: {a: 1}}",
            "{ kube: {a: 1}, b: [x, y], }",
            "{\n  a: 1,\n  b: 2\n  }",
            "{a: 1, b}",
            "{\"a\": 1, b: }",
            "{ a: 1, # keep\n  b: c # keep two\n  }",
            "&x {a: 1}",
            "!t {a: 1}",
            "{a: 'x, y',\n   b: \"}\"}",
        ];
        if self.one_in(4) {
            let mut map = self.pick(&flow).to_owned();
            if written {
                let ssl =
                    self.pick(&["sslConfig: {sni: x}", "\"sslConfig\": 1", "sslConfig: [a, {b: c}]", "'sslConfig': "]);
                map = match (map.rfind('}'), self.below(2)) {
                    (Some(_), 0) => map.replacen('{', &format!("{{{ssl}, "), 1),
                    (Some(_), _) if map.ends_with("{}") || map.ends_with("{ }") => {
                        map.replace('}', &format!("{ssl}}}"))
                    }
                    (Some(end), _) => {
                        let head = map[..end].trim_end().trim_end_matches(',').to_owned();
                        let gap = if head.contains('#') { "\n  , " } else { ", " };
                        format!("{head}{gap}{ssl}{}", &map[end..])
                    }
                    (None, _) => map,
                };
            }
            let tail = self.pick(&["\n", " # keep\n", "  \n"]);
            return format!("{key} {map}{tail}");
        }
        let mut entries: Vec<String> = (0..=self.below(4)).map(|number| self.entry(number, step)).collect();
        if written {
            if self.one_in(4) {
                entries.clear();
            }
            let at = self.below(entries.len() + 1);
            let ssl = self.written(step);
            entries.insert(at, ssl);
        }
        let head = self.pick(&["\n", " # keep\n", " \n"]);
        let mark = if self.one_in(8) && !head.contains('#') { self.pick(&[" &spec", " !t"]) } else { "" };
        let body: String = entries.into_iter().map(|entry| format!("{}{entry}", self.noise(step))).collect();
        format!("{key}{mark}{head}{body}")
    }

    fn entry(&mut self, number: usize, step: usize) -> String {
        let (i, j) = (" ".repeat(step), " ".repeat(2 * step));
        match self.below(16) {
            0 => format!("{i}k{number}: v\n"),
            1 => format!("{i}\"k{number}\": 'v' # keep\n"),
            2 => format!("{i}k{number}:\n{j}a: 1\n{j}b:\n{j}{i}c: x\n"),
            3 => format!("{i}k{number}:\n{i}- a\n{i}- b: 1\n{i}  c: 2\n"),
            4 => format!("{i}k{number}:\n{j}- a\n{j}- - x\n{j}  - y\n"),
            5 => format!("{i}k{number}: |\n{j}text # no comment\n{j}  more\n"),
            6 => format!("{i}k{number}: |+\n{j}text\n\n\n"),
            7 => format!("{i}k{number}: >-\n{j}text\n\n{j}folded\n\n"),
            8 => format!("{i}k{number}: {{a: 1, b: [x]}}\n"),
            9 => format!("{i}k{number}: [\n{j}a, # keep\n{j}b\n{i} ]\n"),
            10 => format!("{i}k{number}:\n"),
            11 => format!("{i}k{number}: \"two\n{j}lines: # no\"\n"),
            12 => format!("{i}k{number}: &a{number} v\n{i}l{number}: *a{number}\n"),
            13 => format!("{i}k{number}: plain\n{j}on two lines # keep\n"),
            14 => format!("{i}? k{number}\n{i}: v\n"),
            _ => format!("{i}k{number}: |2\n{i}  text\n{j}# in the text\n"),
        }
    }

    /// An `sslConfig` as a person may have written it.
    fn written(&mut self, step: usize) -> String {
        let (i, j) = (" ".repeat(step), " ".repeat(2 * step));
        match self.below(11) {
            0 => format!("{i}# keep above\n{i}sslConfig:\n{j}sni: x\n"),
            1 => format!("{i}sslConfig: {{sni: x}}\n"),
            2 => format!("{i}sslConfig:\n"),
            3 => format!("{i}\"sslConfig\": ~\n"),
            4 => format!("{i}sslConfig:\n{i}- a\n{i}- b\n"),
            5 => format!("{i}sslConfig:\n\n{j}# theirs\n{j}sni: x # theirs\n{j}b:\n{j}  - c\n"),
            6 => format!("{i}sslConfig: |+\n{j}text\n\n\n"),
            7 => format!("{i}'sslConfig' : {{\n{j}sni: x,\n{j}}}\n"),
            8 => format!("{i}sslConfig: &tls\n{j}sni: x\n"),
            9 => format!("{i}sslConfig: !t\n{j}sni: x\n\n{i}# keep below\n"),
            _ => format!("{i}sslConfig:\n{j}secretRef: {{name: a,\n{j}  namespace: b}}\n"),
        }
    }

    fn list(&mut self, number: usize) -> String {
        let (kind, api) = if self.one_in(2) { ("List", "v1") } else { ("UpstreamList", "gloo.solo.io/v1") };
        let indent = [0, 2, 4][self.below(3)];
        let items: String = (0..=self.below(3))
            .map(|item| {
                let text = self.upstream(number * 10 + item, false);
                let text = text.trim_start_matches(['\n']).replace("\n  }", "\n   }");
                let skip = text.find(|c: char| c != '\n').unwrap_or(0);
                let lead = " ".repeat(indent);
                let mut lines = text[skip..]
                    .split_inclusive('\n')
                    .map(|line| if line == "\n" { line.to_owned() } else { format!("{lead}  {line}") });
                let first = lines.next().unwrap_or_default();
                let first = if first.trim_start().starts_with('#') {
                    format!("{lead}-\n{first}")
                } else {
                    first.replacen(&format!("{lead}  "), &format!("{lead}- "), 1)
                };
                format!("{first}{}", lines.collect::<String>())
            })
            .collect();
        let items = format!("items:\n{items}");
        let head = format!("apiVersion: {api}\nkind: {kind}\n");
        if self.one_in(2) { format!("{head}{items}") } else { format!("{items}{head}") }
    }

    fn json(&mut self, number: usize) -> String {
        let spec = [
            json!({}),
            json!({"kube": {"serviceName": "x", "ports": [1, 2]}}),
            json!({"a": {}, "b": []}),
            json!({"a": "é \" \\ / \u{1F600}", "b": 1.5}),
        ][self.below(4)]
        .clone();
        let mut value = json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": {"name": format!("n{number}")}, "spec": spec});
        if self.one_in(3) {
            value["status"] = Value::Null;
        }
        if self.one_in(3) {
            value = json!({"apiVersion": "v1", "kind": "List", "items": [value.clone(), {"kind": "Other"}, value]});
        }
        let text = if self.one_in(2) { value.to_string() } else { serde_json::to_string_pretty(&value).unwrap() };
        format!("{text}\n")
    }

    /// The text with some parts removed, repeated or overwritten.
    pub(super) fn damaged(&mut self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(3) {
            let at = self.below(chars.len().max(1));
            let to = (at + self.below(12)).min(chars.len());
            match self.below(5) {
                0 => drop(chars.drain(at.min(to)..to)),
                1 => chars.truncate(at),
                2 => {
                    let piece: Vec<char> = chars[at.min(to)..to].to_vec();
                    let target = self.below(chars.len().max(1)).min(chars.len());
                    drop(chars.splice(target..target, piece));
                }
                _ => {
                    let piece = self.pick(&[
                        "{", "}", "\"", "'", "\t", "\r", "*", "&a ", "- ", ": ", "#", " #", "|", "---\n", "?", "!",
                        "\u{feff}", "<<: ", "\u{85}", "{{ x }}", ",", "\n",
                    ]);
                    drop(chars.splice(at.min(to)..at.min(to), piece.chars()));
                }
            }
        }
        chars.into_iter().collect()
    }
}
