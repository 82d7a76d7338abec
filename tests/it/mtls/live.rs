//! One Upstream on a real API server: the change is exact, and everything else stays as it was.

use serde_json::{Value, json};

use super::{Gloo, HTTPBIN, document, kept, with_istio};

/// An Upstream with what glooctl's writes lose: finalizers, fields of any depth, somebody's status.
fn rich(name: &str) -> Value {
    json!({
        "metadata": {
            "name": name,
            "labels": {"team": "shop", "discovered_by": "kubernetesplugin"},
            "annotations": {"example.com/note": "keep \u{1f512} me"},
            "finalizers": ["example.com/hold"],
        },
        "spec": {
            "outlierDetection": {"unknown": [1, 2.5, null, {"deep": true}]},
            "kube": {"serviceName": "httpbin", "serviceNamespace": "default", "servicePort": 8000, "subsetSpec": {"mine": "x"}},
            "connectionConfig": {"connectTimeout": "5s"},
        },
        "status": {"statuses": {"other": {"state": "Warning", "reason": "kept"}}},
    })
}

fn manager<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    object["metadata"]["managedFields"].as_array().unwrap().iter().find(|entry| entry["manager"] == name)
}

#[test]
fn enabling_and_disabling_change_the_ssl_config_and_nothing_else() {
    let gloo = Gloo::new("exact");
    gloo.add(&rich("x"));
    let before = gloo.upstream("x");

    let enabled = gloo.run(&["enable-mtls", "--upstream", "x"]);
    assert_eq!((enabled.code, enabled.stdout.as_str()), (Some(0), "upstream.gloo.solo.io/x mTLS enabled\n"));
    assert!(enabled.stderr.starts_with(&gloo.context_line()), "{enabled:?}");
    let on = gloo.upstream("x");
    assert_eq!(kept(&on), kept(&with_istio(&before)));
    let ours = manager(&on, "gloo-rs").unwrap();
    let owned = &ours["fieldsV1"]["f:spec"];
    assert_eq!(owned.as_object().unwrap().keys().collect::<Vec<_>>(), ["f:sslConfig"], "{ours}");
    assert_eq!(manager(&on, "stage"), manager(&before, "stage"), "others' fields stay theirs");

    let again = gloo.run(&["enable-mtls", "--upstream", "x"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), "upstream.gloo.solo.io/x mTLS already enabled\n"));
    assert_eq!(gloo.upstream("x"), on, "nothing is written the second time");

    let disabled = gloo.run(&["disable-mtls", "-u", "x"]);
    assert_eq!((disabled.code, disabled.stdout.as_str()), (Some(0), "upstream.gloo.solo.io/x mTLS disabled\n"));
    let off = gloo.upstream("x");
    assert_eq!(kept(&off), kept(&before));
    let again = gloo.run(&["disable-mtls", "-u", "x"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), "upstream.gloo.solo.io/x mTLS already disabled\n"));
    assert_eq!(gloo.upstream("x"), off);
    gloo.merge("x", &json!({"metadata": {"finalizers": null}}));
}

#[test]
fn documents_names_and_yaml_say_the_same() {
    let gloo = Gloo::new("formats");
    let json = gloo.run(&["enable-mtls", "-u", HTTPBIN, "-o", "json"]);
    let result = document(&json);
    assert_eq!(result["apiVersion"], "gloo-rs/v1");
    assert_eq!(result["command"], json!(["istio", "enable-mtls"]));
    assert_eq!(result["context"], gloo.plane.context());
    assert_eq!(result["server"], gloo.plane.server());
    assert_eq!(result["dryRun"], Value::Null);
    let row = &result["results"][0];
    assert_eq!((&row["outcome"], &row["changed"], &row["reason"]), (&json!("changed"), &json!(true), &Value::Null));
    assert_eq!((&row["namespace"], &row["name"]), (&json!(gloo.namespace), &json!(HTTPBIN)));
    assert_eq!(row["owner"], "Gloo's discovery");
    let codes: Vec<_> = result["warnings"].as_array().unwrap().iter().map(|warning| &warning["code"]).collect();
    assert_eq!(codes, ["owner", "noGatewaySidecars"]);

    let again = document(&gloo.run(&["enable-mtls", "-u", HTTPBIN, "-o", "json"]));
    assert_eq!(again["results"][0]["reason"], "already");
    assert_eq!(again["summary"]["unchanged"], 1);

    let yaml = gloo.run(&["disable-mtls", "-u", HTTPBIN, "-o", "yaml"]);
    let yaml = gloo_rs::exports::yaml::parse(&yaml.stdout).unwrap();
    assert_eq!((&yaml["results"][0]["message"], &yaml["exitCode"]), (&json!("mTLS disabled"), &json!(0)));

    let name = gloo.run(&["enable-mtls", "-u", HTTPBIN, "-o", "name"]);
    assert_eq!(name.stdout, format!("upstream.gloo.solo.io/{HTTPBIN}\n"));
    let fed = gloo.run(&["disable-mtls", "-u", name.stdout.trim()]);
    assert_eq!(fed.stdout, format!("upstream.gloo.solo.io/{HTTPBIN} mTLS disabled\n"));
}

#[test]
fn previews_change_nothing() {
    let gloo = Gloo::new("previews");
    let before = gloo.upstream(HTTPBIN);
    let line = |mark: &str| format!("upstream.gloo.solo.io/{HTTPBIN} mTLS enabled ({mark})\n");

    let client = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--dry-run"]);
    assert_eq!((client.code, client.stdout), (Some(0), line("dry run")));
    let server = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--dry-run=server"]);
    assert_eq!((server.code, server.stdout), (Some(0), line("server dry run")));
    let check = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--check"]);
    assert_eq!((check.code, check.stdout), (Some(3), line("dry run")));
    let diff = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--diff"]);
    assert_eq!(diff.code, Some(0));
    assert!(diff.stdout.starts_with(&format!("--- live/upstream.gloo.solo.io/{HTTPBIN}\n+++ merged/")), "{diff:?}");
    let added: Vec<_> = diff.stdout.lines().skip(2).filter(|line| line.starts_with(['+', '-'])).collect();
    assert_eq!(
        added,
        [
            "+  sslConfig:",
            "+    alpnProtocols:",
            "+    - istio",
            "+    sds:",
            "+      certificatesSecretName: istio_server_cert",
            "+      clusterName: gateway_proxy_sds",
            "+      targetUri: 127.0.0.1:8234",
            "+      validationContextName: istio_validation_context",
        ]
    );
    let all = gloo.run(&["disable-mtls", "-u", HTTPBIN, "--check"]);
    assert_eq!(
        (all.code, all.stdout.as_str()),
        (Some(0), format!("upstream.gloo.solo.io/{HTTPBIN} mTLS already disabled\n").as_str())
    );
    assert_eq!(gloo.upstream(HTTPBIN), before);
}

#[test]
fn tls_that_is_not_istios_is_shown_and_kept_until_it_is_given_up() {
    let gloo = Gloo::new("foreign");
    let before = gloo.upstream("payments-api");
    for command in ["enable-mtls", "disable-mtls"] {
        let refused = gloo.run(&[command, "-u", "payments-api"]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
        let wanted = format!(
            "{}error: upstream.gloo.solo.io/payments-api: has TLS settings not managed by Istio; nothing changed\n  \
             sslConfig:\n    secretRef:\n      name: payments-client\n      namespace: {}\n    sni: api.payments.example\n  \
             hint: --overwrite replaces them\n",
            gloo.context_line(),
            gloo.namespace
        );
        assert_eq!(
            refused.stderr,
            wanted.replace("replaces them", if command == "enable-mtls" { "replaces them" } else { "removes them" })
        );
        let result = document(&gloo.run(&[command, "-u", "payments-api", "-o", "json"]));
        assert_eq!(result["results"][0]["reason"], "foreignTls");
        assert_eq!(result["results"][0]["outcome"], "refused");
    }
    assert_eq!(gloo.upstream("payments-api"), before);

    let unasked = gloo.run(&["enable-mtls", "-u", "payments-api", "--overwrite"]);
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    assert_eq!(gloo.upstream("payments-api"), before);
    let replaced = gloo.run(&["enable-mtls", "-u", "payments-api", "--overwrite", "--yes"]);
    assert_eq!(replaced.code, Some(0), "{replaced:?}");
    assert_eq!(kept(&gloo.upstream("payments-api")), kept(&with_istio(&before)));
}

#[test]
fn what_an_istio_ssl_config_lacks_is_added_and_what_it_has_beside_stays() {
    let gloo = Gloo::new("partial");
    let sds =
        json!({"certificatesSecretName": "istio_server_cert", "validationContextName": "istio_validation_context"});
    gloo.merge(HTTPBIN, &json!({"spec": {"sslConfig": {"sni": "mine", "sds": sds}}}));
    let before = gloo.upstream(HTTPBIN);
    let enabled = gloo.run(&["enable-mtls", "-u", HTTPBIN]);
    assert_eq!(enabled.code, Some(0));
    assert!(enabled.stdout.contains("mTLS enabled (added spec.sslConfig.alpnProtocols"), "{enabled:?}");
    let mut wanted = with_istio(&before);
    wanted["spec"]["sslConfig"]["sni"] = json!("mine");
    assert_eq!(kept(&gloo.upstream(HTTPBIN)), kept(&wanted));
    let disabled = gloo.run(&["disable-mtls", "-u", HTTPBIN]);
    assert_eq!(disabled.stdout, format!("upstream.gloo.solo.io/{HTTPBIN} mTLS disabled (with its sni)\n"));
}

#[test]
fn a_name_that_is_not_there_says_what_is_near_and_the_others_are_done() {
    let gloo = Gloo::new("absent");
    let alone = gloo.run(&["enable-mtls", "-u", "default-htpbin-8000"]);
    assert_eq!((alone.code, alone.stdout.as_str()), (Some(4), ""));
    assert_eq!(
        alone.stderr,
        format!(
            "{}error: upstream.gloo.solo.io/default-htpbin-8000: not found in {}\n  near: {HTTPBIN}, default-plain-8080\n  looked in {}",
            gloo.context_line(),
            gloo.namespace,
            gloo.context_line()
        )
    );
    let several = gloo.run(&["enable-mtls", "-u", "nothing-like-it,default-httpbin-8000", "-u", "default-plain-8080"]);
    assert_eq!(several.code, Some(1), "{several:?}");
    assert!(several.stdout.contains(&format!("{HTTPBIN} mTLS enabled")), "{several:?}");
    assert!(several.stdout.contains("default-plain-8080 mTLS enabled"), "{several:?}");
    assert!(several.stderr.contains("2 enabled, 1 not found (3 Upstreams, "), "{several:?}");

    let fine = gloo.run(&["enable-mtls", "-u", "nothing-like-it", "--ignore-not-found"]);
    assert_eq!((fine.code, fine.stdout.as_str()), (Some(0), ""));
    assert!(fine.stderr.contains("upstream.gloo.solo.io/nothing-like-it: not found"), "{fine:?}");
}

#[test]
fn a_name_in_another_namespace_is_hinted_at_and_taken_when_it_is_given() {
    let (here, there) = (Gloo::new("here"), Gloo::new("there"));
    there.add(&json!({"metadata": {"name": "only-there-80"}, "spec": {"kube": {}}}));
    // Near in this namespace, exactly so in another: the latter is what was meant.
    here.add(&json!({"metadata": {"name": "only-there-81"}, "spec": {"kube": {}}}));
    let absent = here.run(&["enable-mtls", "-u", "only-there-80"]);
    assert_eq!(absent.code, Some(4));
    assert!(absent.stderr.contains(&format!("hint: it is in namespace {0}: -n {0}\n", there.namespace)), "{absent:?}");
    assert!(absent.stderr.contains("near: only-there-81"), "{absent:?}");

    let typo = here.run(&["enable-mtls", "-u", &format!("x{}/only-there-80", there.namespace)]);
    assert_eq!(typo.code, Some(4), "{typo:?}");
    assert!(typo.stderr.contains(&format!("there is no namespace x{0}, near: {0}", there.namespace)), "{typo:?}");
    for command in
        [&["istio", "inject"][..], &["upgrade-values"], &["proxy", "logs"], &["istio", "describe", "upstream", "x"]]
    {
        let typo = here.sandbox.run(&[command, &["-n", &format!("x{}", there.namespace)]].concat());
        assert_eq!(typo.code, Some(4), "{typo:?}");
        let said = format!("there is no namespace x{}", there.namespace);
        assert!(typo.stderr.contains(&said), "{command:?}: {typo:?}");
    }

    let name = format!("{}/only-there-80", there.namespace);
    let taken = here.run(&["enable-mtls", "-u", &name]);
    assert_eq!(taken.code, Some(0));
    assert_eq!(taken.stdout, format!("upstream.gloo.solo.io/{name} mTLS enabled\n"));
    let named = here.run(&["disable-mtls", "-u", &name, "-o", "name"]);
    assert_eq!(named.stdout, format!("upstream.gloo.solo.io/{name}\n"));
    let fed = here.run(&["disable-mtls", "-u", named.stdout.trim()]);
    assert_eq!(fed.stdout, format!("upstream.gloo.solo.io/{name} mTLS already disabled\n"));
}

#[test]
fn an_upstream_without_a_spec_is_refused() {
    let gloo = Gloo::new("no-spec");
    gloo.add(&json!({"metadata": {"name": "bare"}}));
    for command in ["enable-mtls", "disable-mtls"] {
        let refused = gloo.run(&[command, "-u", "bare"]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
        assert!(
            refused.stderr.contains("error: upstream.gloo.solo.io/bare: has no spec; nothing changed"),
            "{refused:?}"
        );
    }
}
