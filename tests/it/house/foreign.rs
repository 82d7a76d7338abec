//! JSON from outside is not indexed mutably: `value["a"] = x` panics where the value is a text or a list.

use regex::Regex;

use super::{files_below, read};

/// Built by the program itself, in the same file: it has the shape that the code gave it.
fn is_own(text: &str, name: &str) -> bool {
    text.contains(&format!("let mut {name} = json!("))
}

/// The lines of a source, tests left out, that index a value mutably by a key.
fn hits(source: &str) -> Vec<(usize, String)> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let index = r#"\[(?:"[^"\n]*"|(?:\w+\.)*key|(?:\w+::)*[A-Z]\w*)\]"#;
    let change = r"\s*(?:=[^=>]|\.take\(\)|\.(?:as_object_mut|as_array_mut|insert|push)\()";
    let assigned = Regex::new(&format!(r"(\w+)(?:\.\w+)*(?:{index})+{change}")).unwrap();
    let borrowed = Regex::new(&format!(r"&mut (\w+)(?:\.\w+)*(?:{index})")).unwrap();
    let found = code.lines().enumerate().filter(|(_, line)| {
        let names = assigned.captures_iter(line).chain(borrowed.captures_iter(line));
        !line.trim_start().starts_with("//") && names.into_iter().any(|it| !is_own(code, &it[1]))
    });
    found.map(|(number, line)| (number + 1, line.trim().to_owned())).collect()
}

#[test]
fn no_value_from_outside_is_indexed_mutably() {
    let mut broken = Vec::new();
    for file in files_below("src", ".rs") {
        // Tests change values that they made; `outage.rs` is being replaced as a whole.
        let is_test = ["tests", "hostile", "random"].iter().any(|word| file.contains(word));
        if is_test || file == "src/plan/outage.rs" {
            continue;
        }
        broken.extend(hits(&read(&file)).into_iter().map(|(line, text)| format!("{file}:{line}: {text}")));
    }
    assert!(broken.is_empty(), "use get_mut, which gives nothing where there is no object:\n{}", broken.join("\n"));
}

#[test]
fn every_way_to_index_mutably_is_found() {
    for line in [
        r#"value["a"] = x;"#,
        r#"object.value["a"]["b"] = x;"#,
        r#"if let Some(it) = value["metadata"].as_object_mut() {"#,
        r#"let all = item["hosts"].as_array_mut()?;"#,
        r#"match page["stats"].take() {"#,
        "let inner = value[key].take();",
        "let inner = value[place.key].take();",
        "value[mark::KEY] = x;",
        r#"change(&mut value["a"]);"#,
    ] {
        assert_eq!(hits(line).len(), 1, "{line}");
    }
    for line in [
        r#"if value["a"] == x {"#,
        r#"match value["a"] { x => y }"#,
        "used[index] = true;",
        r#"// value["a"] = x"#,
        "let mut own = json!({});\nown[\"a\"] = x;",
        "#[cfg(test)]\nmod tests { fn a() { value[\"a\"] = x; } }",
    ] {
        assert!(hits(line).is_empty(), "{line}");
    }
}
