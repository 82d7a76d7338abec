//! The document of `-o json` is the one that `docs/result.schema.json` describes.

use gloo_rs::exports::error::{Exit, Failure, Reason};
use gloo_rs::exports::model::{ObjectRef, kinds::UPSTREAM};
use gloo_rs::exports::plan::address::Address;
use gloo_rs::exports::plan::advice::{Advice, Code};
use gloo_rs::exports::plan::outcome::{Outcome, Row};
use gloo_rs::exports::render::{self, document::Document};
use gloo_rs::exports::text::{Host, Scheme};
use serde_json::{Map, Value};

use super::{read, schema};
use crate::support::Sandbox;

fn schema_file() -> Value {
    serde_json::from_str(&read("docs/result.schema.json")).unwrap()
}

/// Holds a document against the schema of its kind.
#[track_caller]
pub fn fits(document: &Value) {
    let other = |file: &str| serde_json::from_str(&read(file)).unwrap();
    let schema = match document["kind"].as_str() {
        Some("Version") => other("docs/version.schema.json"),
        Some("Results") => other("docs/results.schema.json"),
        _ => schema_file(),
    };
    for entry in document["results"].as_array().into_iter().flatten().filter(|_| document["kind"] == "Results") {
        fits(entry);
        entry.get("version").into_iter().for_each(fits);
    }
    let faults = schema::faults_when_closed(&schema, document);
    assert!(faults.is_empty(), "{}\n{document:#}", faults.join("\n"));
}

/// What the program prints on stdout, where there is nothing but this manifest.
fn printed(args: &[&str]) -> (Option<i32>, Value) {
    let sandbox = Sandbox::new();
    sandbox.write("upstream.yaml", read("examples/upstream.yaml"));
    sandbox.write("values.yaml", "discovery: {enabled: false}\n");
    let output = sandbox.run(args);
    let document = serde_json::from_str(&output.stdout);
    (output.code, document.unwrap_or_else(|error| panic!("{args:?}: {error}\n{output:#?}")))
}

/// With everything an address may have, and with nothing it may lack.
fn addresses() -> Value {
    let address = |scheme, port_name: Option<&str>| Address {
        host: Host::parse("2001:db8::1").unwrap(),
        port: 443,
        scheme,
        port_name: port_name.map(str::to_owned),
        source: "clusterIP".to_owned(),
    };
    [address(Some(Scheme::Https), Some("https")), address(None, None)].iter().map(render::address::value).collect()
}

#[test]
fn every_outcome_reason_code_and_exit_fits_the_schema() {
    let object = || ObjectRef::new(&UPSTREAM, "gloo-system", "default-httpbin-8000");
    let rows: Vec<_> = Outcome::ALL
        .iter()
        .flat_map(|outcome| Reason::ALL.iter().map(move |reason| (*outcome, *reason)))
        .map(|(outcome, reason)| Row {
            reason: Some(reason),
            file: Some("a.yaml:3".into()),
            details: vec!["near: b".into()],
            hint: Some("--force".into()),
            diff: Some("--- a\n+++ b\n".into()),
            owner: Some("Argo CD application edge".into()),
            ..Row::answer(object(), outcome, "mTLS enabled")
        })
        .collect();
    let mut advice: Vec<_> = Code::ALL.iter().map(|code| Advice::warning(*code, "x")).collect();
    advice.push(Advice { object: Some(object()), hint: Some("y".into()), ..Advice::note(Code::Unknown, "x") });
    let fields = Map::from_iter([("addresses".to_owned(), addresses())]);
    for exit in Exit::PRECEDENCE {
        let words = ["istio".to_owned(), "enable-mtls".to_owned()];
        let failure = Failure::new(exit, Reason::Usage, "no").detail("a").hint("b");
        let document = Document {
            kind: "Result",
            command: &words,
            context: Some("edge"),
            server: Some("https://10.20.0.1:6443"),
            dry_run: Some("server"),
            rows: &rows,
            advice: &advice,
            failure: Some(&failure),
            fields: fields.clone(),
            exit,
        };
        fits(&document.value());
    }
}

#[test]
fn the_outcomes_and_exit_codes_of_the_schema_are_those_of_the_code() {
    let schema = schema_file();
    let listed = |pointer: &str| -> Vec<String> {
        let list = schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")).as_array().unwrap();
        list.iter().map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned)).collect()
    };
    assert_eq!(listed("/$defs/outcome/enum"), Outcome::ALL.map(Outcome::name));
    let mut codes = Exit::PRECEDENCE.map(Exit::code);
    codes.sort_unstable();
    assert_eq!(listed("/$defs/exitCode/enum"), codes.map(|code| code.to_string()));
}

#[test]
fn a_run_without_a_cluster_prints_the_document_too() {
    let (code, document) = printed(&["istio", "enable-mtls", "-u", "x", "-o", "json"]);
    fits(&document);
    assert!(document["error"].is_object(), "{document:#}");
    assert_eq!(document["exitCode"], code.unwrap());
}

#[test]
fn a_run_on_manifests_prints_the_document_of_its_objects() {
    let manifest = ["istio", "enable-mtls", "-u", "default-httpbin-8000,other", "-f", "upstream.yaml"];
    let (code, document) = printed(&[&manifest[..], &["--dry-run", "--diff", "-o", "json"]].concat());
    fits(&document);
    let outcomes: Vec<_> = document["results"].as_array().unwrap().iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, ["changed", "notFound"]);
    assert_eq!(document["exitCode"], code.unwrap());
}

#[test]
fn a_wrong_command_line_prints_the_document_too() {
    let (code, document) = printed(&["proxy", "url", "--bogus", "-o", "json"]);
    fits(&document);
    assert_eq!((code, &document["exitCode"]), (Some(2), &Value::from(2)));
}

#[test]
fn values_and_their_changes_fit_the_schema() {
    let address = ["--istio-discovery-address", "istiod.istio-system.svc:15012"];
    let (code, document) =
        printed(&[&["upgrade-values", "--values", "values.yaml", "-o", "json"], &address[..]].concat());
    assert_eq!((code, document["changes"].as_array().map(Vec::len)), (Some(0), Some(3)));
    fits(&document);
}

#[test]
fn a_field_has_one_meaning_whichever_command_prints_it() {
    // Readers keep the last of two keys and say nothing; the fields of the document stand four blanks in.
    let schema = super::read("docs/result.schema.json");
    let (document, _) = schema.split_once("\"$defs\": {").expect("its parts are apart");
    let fields =
        document.lines().filter_map(|line| line.strip_prefix("    \"")?.split_once("\": ").map(|(name, _)| name));
    let mut fields: Vec<_> = fields.collect();
    assert!(fields.len() > 20, "{fields:?}");
    fields.sort_unstable();
    let twice: Vec<_> = fields.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}
