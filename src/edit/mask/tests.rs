use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[test]
fn secrets_are_found_by_their_shape_and_told_by_their_path() {
    let key = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";
    let value = json!({"license_key": "k", "a": [{"pem": key}, "eyJ.no.token"], "b": {"c": token, "d": "plain"}});
    let paths: Vec<_> = secret_paths(&value).iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["license_key", "a[0].pem", "b.c"]);
    assert_eq!(masked(&value)["b"], json!({"c": MASK, "d": "plain"}));
}

#[test]
fn keys_and_variables_that_end_as_secrets_do_have_secrets() {
    let value = json!({
        "adminPassword": "a", "pin": {"db_password": 12_345, "usePassword": true},
        "env": [{"name": "REDIS_PASSWORD", "value": "r"}, {"name": "ZONE", "value": "b"}],
        "serviceAccountToken": {"audience": "istio-ca", "path": "istio-token"}, "pullSecret": "shown",
    });
    let shown = masked(&value);
    assert_eq!((&shown["adminPassword"], &shown["pin"]["db_password"]), (&json!(MASK), &json!(MASK)));
    assert_eq!(shown["env"], json!([{"name": "REDIS_PASSWORD", "value": MASK}, {"name": "ZONE", "value": "b"}]));
    for key in ["serviceAccountToken", "pullSecret"] {
        assert_eq!(shown[key], value[key]);
    }
    assert_eq!(shown["pin"]["usePassword"], true);
    assert_eq!(
        masked_manifest("{a: {dbPassword: 12345}}\n# adminPassword: old\n"),
        "{a: {dbPassword: ***}}\n# adminPassword: ***\n"
    );
}

#[test]
fn secrets_are_found_by_where_they_stand() {
    let value = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "QUJD"},
        "spec": {
            "healthChecks": [{"header": {"key": "Authorization", "value": "Bearer x"}}],
            "headers": [{"key": "x-other", "value": "shown"}],
            "aws": {"secretRef": {"name": "shown-too"}, "secretAccessKey": "k"},
        },
    });
    let shown = masked(&value);
    assert_eq!(shown["data"]["a"], MASK);
    assert_eq!(shown["spec"]["healthChecks"][0]["header"]["value"], MASK);
    assert_eq!(shown["spec"]["headers"][0]["value"], "shown");
    assert_eq!(shown["spec"]["aws"]["secretRef"]["name"], "shown-too");
    assert_eq!(shown["spec"]["aws"]["secretAccessKey"], MASK);
    assert_eq!(shown["metadata"]["name"], "s");
    assert_eq!(SecretTexts::of_value(&value).masked("say Bearer x: QUJD, not k"), "say ***: ***, not k");
}

#[test]
fn a_manifests_secrets_are_masked_also_where_it_cannot_be_read() {
    let text = "apiVersion: v1\nkind: Secret\ndata:\n  a: QUJD # QUJD\n---\n{{ if x }}\n  api_key: hunter2\n";
    assert_eq!(
        masked_manifest(text),
        "apiVersion: v1\nkind: Secret\ndata:\n  a: *** # ***\n---\n{{ if x }}\n  api_key: ***\n"
    );
}

#[test]
fn overlapping_secrets_are_masked_together() {
    let part = SecretTexts::of_value(&json!({"password": "abcd", "token": "abcdef"}));
    assert_eq!(part.masked("token: abcdef, abcd"), "token: ***, ***");
    let crossed = SecretTexts::of_value(&json!({"password": "abcd", "token": "bcdef"}));
    assert_eq!(crossed.masked("<abcdef>"), "<***>");
}

#[test]
fn each_style_of_a_scalar_is_masked_whole_and_its_neighbours_keep_their_bytes() {
    for (style, masked) in [
        ("password: hunter2", "password: ***"),
        ("password:   hunter2 # why", "password:   *** # why"),
        ("password: hunter\n  two\n  three", "password: ***"),
        ("password: 'hun''ter'", "password: '***'"),
        ("password: 'hunter\n  two'", "password: '***'"),
        (r#"password: "hun\x74er\n2""#, r#"password: "***""#),
        ("password: \"hunter\\\n  two\"", "password: \"***\""),
        ("password: |\n  hunter\n  two\n", "password: ***\n"),
        ("password: |2-\n   hunter\n  two\n", "password: ***\n"),
        ("password: >\n  hunter\n  two\n\n", "password: ***\n\n"),
        ("password: >-\n  hunter\n\n  two", "password: ***"),
        ("password: >-", "password: ***"),
        ("? password\n: hunter2", "? password\n: ***"),
        ("password: !!str &a hunter2", "password: !!str &a ***"),
        ("password: [hunter2, {x: [two, 12345]}]", "password: [***, {x: [***, ***]}]"),
        ("password: ab", "password: ***"),
        ("password: 7", "password: ***"),
    ] {
        let (before, after) = ("a: \"b\"  # 7 ab\n", "\nc: [ 'ab',7 ]\n");
        assert_eq!(masked_manifest(&format!("{before}{style}{after}")), format!("{before}{masked}{after}"), "{style}");
    }
}

#[test]
fn aliases_and_merges_are_masked_where_their_text_stands() {
    for (text, masked) in [
        ("a: &x ab\npassword: *x\n", "a: &x ***\npassword: *x\n"),
        ("a: &x ab\nb: &x cd\npassword: *x\n", "a: &x ab\nb: &x ***\npassword: *x\n"),
        ("a: &x {k: ab}\ntoken: *x\n", "a: &x {k: ***}\ntoken: *x\n"),
        (
            "a: &x {value: ab, zone: b}\nenv:\n- <<: *x\n  name: MY_TOKEN\n",
            "a: &x {value: ***, zone: b}\nenv:\n- <<: *x\n  name: MY_TOKEN\n",
        ),
    ] {
        assert_eq!(masked_manifest(text), masked);
    }
}

#[test]
fn json_stays_json() {
    let text = r#"{"a": "b\"c", "password": "hun\"ter\u0032", "copy": "x hun\"ter2", "short": "k", "token": "k"}"#;
    let masked = masked_manifest(text);
    assert_eq!(masked, r#"{"a": "b\"c", "password": "***", "copy": "x ***", "short": "k", "token": "***"}"#);
    assert!(serde_json::from_str::<Value>(&masked).is_ok());
}

#[test]
fn secrets_in_a_text_of_a_manifest_are_masked_in_each_style() {
    let values = "zone: b # kept\nadminPassword: >-\n  hunter\n  two\n";
    let shown = "zone: b # kept\nadminPassword: ***\n";
    let block = format!("values: |\n  {}\n", values.trim_end().replace('\n', "\n  "));
    assert_eq!(masked_manifest(&block), "values: |\n  zone: b # kept\n  adminPassword: ***\n");
    assert_eq!(
        masked_manifest(&block.replace('\n', "\r\n")),
        "values: |\r\n  zone: b # kept\r\n  adminPassword: ***\r\n"
    );
    let json = json!({"values": values, "zone": "b"});
    assert_eq!(masked(&json), json!({"values": shown, "zone": "b"}));
    assert_eq!(serde_json::from_str::<Value>(&masked_manifest(&json.to_string())).unwrap(), masked(&json));
    assert_eq!(masked(&json!({"args": ["--db-token=hunter2", "-v"]})), json!({"args": ["--db-token=***", "-v"]}));
}

#[test]
fn a_copy_of_a_secret_is_masked_in_values_and_in_texts_and_a_short_one_is_not() {
    let value = json!({"password": "hunter2", "url": "db://u:hunter2@h", "token": "ab", "cab": "ab"});
    let shown = json!({"password": MASK, "url": "db://u:***@h", "token": MASK, "cab": "ab"});
    assert_eq!(masked(&value), shown);
    let text = "password: hunter2\nurl: db://u:hunter2@h # hunter2\ntoken: ab\ncab: ab\n";
    assert_eq!(masked_manifest(text), "password: ***\nurl: db://u:***@h # ***\ntoken: ***\ncab: ab\n");
    let folded = "password: hunter two\nurl: >-\n  x hunter\n  two\n";
    assert_eq!(masked_manifest(folded), "password: ***\nurl: \"x ***\"\n");
}

#[test]
fn a_short_secret_is_masked_in_the_words_of_others_only_as_a_value() {
    let texts = SecretTexts::of_value(&json!({"password": "a", "token": "on"}));
    for (said, masked) in [
        ("Error: a value is not on", "Error: a value is not on"),
        ("password: a", "password: ***"),
        ("pin=on, x", "pin=***, x"),
        ("it is \"a\" on 'on'", "it is \"***\" on '***'"),
        ("context: apple=one", "context: apple=one"),
    ] {
        assert_eq!(texts.masked(said), masked);
    }
}

#[test]
fn what_cannot_be_read_is_masked_by_lines_with_what_stands_below_a_key() {
    for (text, masked) in [
        ("password: |\n  hunter2\n\n  two\nzone: b\n", "password: ***\n  ***\n\n  ***\nzone: b\n"),
        ("a: {db_password: hunter2, b: c}\nb: c\n", "a: {db_password: ***\nb: c\n"),
        ("dbPassword:\n  hunter2\nb: c\n", "dbPassword:\n  ***\nb: c\n"),
        ("fooToken:\n  audience: istio\n", "fooToken:\n  audience: istio\n"),
        ("token:\n- hunter2\nb: c\n", "token:\n***\nb: c\n"),
        ("- name: DB_PASSWORD\n  value: hunter2\n- name: b\n", "- name: DB_PASSWORD\n  value: ***\n- name: b\n"),
        ("kind: Secret\ndata:\n  a: QUJD\ntype: Opaque\n", "kind: Secret\ndata:\n  ***\ntype: Opaque\n"),
        ("password: true\n# why: b\n", "password: true\n# why: b\n"),
    ] {
        assert_eq!(masked_manifest(&format!("{{{{ x }}}}: y: z\n{text}")), format!("{{{{ x }}}}: y: z\n{masked}"));
        let commented = |text: &str| text.lines().fold(String::new(), |all, line| all + "# " + line + "\n");
        assert_eq!(masked_manifest(&format!("a: 1\n{}", commented(text))), format!("a: 1\n{}", commented(masked)));
    }
}

#[test]
fn many_secrets_are_found_in_one_pass() {
    let of: serde_json::Map<_, _> =
        (0..20_000).map(|n| (format!("k{n}"), json!({"password": format!("secret-{n}-x")}))).collect();
    let value = Value::Object(of);
    let shown = masked_manifest(&value.to_string());
    assert!(!shown.contains("secret-") && shown.matches(MASK).count() == 20_000);
}

/// A secret in one of YAML's styles, under a key of a map at the first column.
fn styled(secret: &str, style: usize) -> String {
    let lines = || secret.split(' ').collect::<Vec<_>>().join("\n    ");
    match style {
        0 => Value::from(secret).to_string(),
        1 => format!("'{}'", secret.replace('\'', "''")),
        2 => format!("|\n    {secret}"),
        3 => format!(">-\n    {}", lines()),
        4 => format!("!!str '{}'", secret.replace('\'', "''").replace(' ', "\n    ")),
        5 => format!("\"{}\"", secret.chars().fold(String::new(), |all, c| all + &format!("\\u{:04x}", c as u32))),
        _ => format!("&anchor {}", Value::from(secret)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn no_secret_is_shown_and_all_else_keeps_its_bytes(
        secrets in prop::collection::vec(("[A-Z'\"\\\\{}#:&]{4,12}( [A-Z'\"#:]{2,5})?", 0..7_usize), 1..6),
        around in "(x: 1|y: \"z\"|- a  # b|#c|  ){1}",
    ) {
        let mut text = String::new();
        for (at, (secret, style)) in secrets.iter().enumerate() {
            let styled = styled(secret, *style);
            writeln!(text, "k{at}:\n  password: {styled}\n  other: [ {at}, \"é\" ]  # note {at}").unwrap();
        }
        let comment = format!("# {}\n", around.replace('#', ""));
        text.push_str(&comment);
        let value = crate::yaml::parse(&text).unwrap();
        for (at, (secret, _)) in secrets.iter().enumerate() {
            let read = value[format!("k{at}")]["password"].as_str().unwrap().trim_end();
            prop_assert_eq!(read, secret);
        }
        let shown = masked_manifest(&text);
        for (secret, _) in &secrets {
            prop_assert!(!shown.contains(secret.as_str()), "{} shows {}", shown, secret);
        }
        let mut expected = String::new();
        for (at, (_, style)) in secrets.iter().enumerate() {
            let mark = match style { 4 => "!!str ", 6 => "&anchor ", _ => "" };
            let quote = match style { 0 | 5 | 6 => "\"", 1 | 4 => "'", _ => "" };
            let masked = format!("{mark}{quote}***{quote}");
            writeln!(expected, "k{at}:\n  password: {masked}\n  other: [ {at}, \"é\" ]  # note {at}").unwrap();
        }
        prop_assert_eq!(shown, format!("{expected}{comment}"));
        prop_assert_eq!(secret_paths(&value).len(), secrets.len());
    }
}
