//! No command that writes causes a 503 without being told to: it is refused, and the refusal prints an order of
//! commands that gets there. Each is run as it is printed.

use anyhow::Result;
use serde_json::{Value, json};

use super::{SETUP, SHOP, UPSTREAM, document, mode, plane, run, sandbox, ssl_config};
use crate::stage::{GLOO, Injector, Plane};
use crate::support::Output;

/// The refusal's document, after its exit code and reason were held.
fn refused(plane: &Plane, words: &[&str]) -> Result<Value> {
    let before = (ssl_config(plane)?, mode(plane, SHOP)?);
    for preview in [&["--dry-run"][..], &["--yes"]] {
        let output = run(plane, &[words, preview, &["-o", "json"]].concat());
        let document = document(&output)?;
        let row = document["results"].as_array().and_then(|rows| rows.iter().find(|row| row["outcome"] == "refused"));
        let reason = row.map_or(&document["error"]["reason"], |row| &row["reason"]);
        assert_eq!(
            (output.code, reason.as_str()),
            (Some(1), Some("wouldBreak")),
            "{words:?} {preview:?}: {document:#}"
        );
        assert_eq!((ssl_config(plane)?, mode(plane, SHOP)?), before, "{words:?}");
    }
    Ok(document(&run(plane, &[words, &["--yes", "-o", "json"]].concat()))?["results"][0].clone())
}

/// The commands of a refusal, in their order, run as they are printed.
fn run_hint(plane: &Plane, words: &[&str]) -> Vec<String> {
    let output = run(plane, &[words, &["--yes"]].concat());
    let hint = output
        .stderr
        .lines()
        .find_map(|line| line.trim().strip_prefix("hint: first: "))
        .unwrap_or_else(|| panic!("{output:#?}"));
    let commands = hint.split("; ").next().unwrap_or_default().split(", then ");
    let commands: Vec<String> = commands.map(|command| command.trim_start_matches("gloo-rs ").to_owned()).collect();
    for command in &commands {
        let words: Vec<_> = command.split(' ').chain(["--yes"]).collect();
        done(&sandbox(plane).run(&words), command);
    }
    commands
}

fn done(output: &Output, words: &str) {
    assert_eq!(output.code, Some(0), "{words}: {output:#?}");
}

#[test]
fn what_would_turn_a_200_into_a_503_is_refused_and_the_printed_order_gets_there() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    let setup = [&SETUP[..], &["--yes"]].concat();
    done(&run(&plane, &setup), "setup");

    // Auto-mTLS carries the request, and its end would be plaintext to STRICT pods.
    done(&run(&plane, &["auto-mtls", "enable", "--yes"]), "auto-mtls enable");
    done(&run(&plane, &["disable-mtls", "-u", UPSTREAM, "--yes"]), "disable-mtls");
    let off = ["auto-mtls", "disable"];
    let row = refused(&plane, &off)?;
    assert!(row["details"].to_string().contains(UPSTREAM), "{row:#}");
    assert_eq!(run_hint(&plane, &off), ["istio peer-auth permissive -n shop"]);
    done(&run(&plane, &[&off[..], &["--yes"]].concat()), "auto-mtls disable");

    // Pods that leave the mesh take no TLS, which the Upstream sends.
    done(&run(&plane, &["enable-mtls", "-u", UPSTREAM, "--yes"]), "enable-mtls");
    let unenroll = ["unenroll", SHOP];
    refused(&plane, &unenroll)?;
    done(&run(&plane, &["disable-mtls", "-u", UPSTREAM, "--yes"]), "disable-mtls");
    done(&run(&plane, &[&unenroll[..], &["--yes"]].concat()), "unenroll");

    // Pods that come into a STRICT namespace take plaintext no more.
    done(&run(&plane, &["peer-auth", "strict", "-n", SHOP, "--yes"]), "strict");
    let enroll = ["enroll", SHOP, "--revision", "1-28"];
    refused(&plane, &enroll)?;
    let order = run_hint(&plane, &enroll);
    assert_eq!(
        order,
        [
            "istio peer-auth permissive -n shop",
            "istio enroll shop --revision 1-28",
            "istio enable-mtls -n gloo-system -u shop-cart-80",
            "istio peer-auth strict -n shop",
        ]
    );
    assert_eq!(mode(&plane, SHOP)?.as_deref(), Some("STRICT"));
    Ok(())
}

#[test]
fn a_named_change_that_turns_a_200_into_a_503_is_refused_too() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    // No pod has a sidecar, and neither has the gateway.
    let enable = ["enable-mtls", "-u", UPSTREAM];
    refused(&plane, &enable)?;
    plane.api().apply(
        "{apiVersion: gloo.solo.io/v1, kind: Upstream, metadata: {name: payments, namespace: gloo-system}, \
         spec: {static: {hosts: [{addr: payments.example, port: 80}]}}}",
    )?;
    let both = document(&run(&plane, &["enable-mtls", "-u", "payments", "-u", UPSTREAM, "-o", "json"]))?;
    let outcomes: Vec<_> = both["results"].as_array().into_iter().flatten().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, ["changed", "refused"], "{both:#}");

    done(&run(&plane, &[&SETUP[..], &["--yes"]].concat()), "setup");
    done(&run(&plane, &["peer-auth", "strict", "-n", SHOP, "--yes"]), "strict");
    let disable = ["disable-mtls", "-u", UPSTREAM];
    refused(&plane, &disable)?;
    let uninject = ["uninject", "--include-upstreams"];
    let output = run(&plane, &[&uninject[..], &["--yes", "-o", "json"]].concat());
    let refusal = document(&output)?;
    assert_eq!((output.code, &refusal["error"]["reason"]), (Some(1), &json!("wouldBreak")), "{refusal:#}");

    // With auto-mTLS it may go, and may not opt out after that.
    done(&run(&plane, &["auto-mtls", "enable", "--yes"]), "auto-mtls enable");
    done(&run(&plane, &disable), "disable-mtls under auto-mTLS");
    let opt_out = ["auto-mtls", "disable", "-u", UPSTREAM];
    refused(&plane, &opt_out)?;
    assert_eq!(run_hint(&plane, &opt_out), ["istio peer-auth permissive -n shop"]);
    done(&run(&plane, &opt_out), "auto-mtls disable -u");

    // Whoever says so may.
    done(&run(&plane, &["peer-auth", "strict", "-n", SHOP, "--force", "--yes"]), "strict --force");
    done(&run(&plane, &["auto-mtls", "enable", "-u", UPSTREAM]), "auto-mtls enable -u");
    let forced = run(&plane, &[&opt_out[..], &["--force", "--yes"]].concat());
    done(&forced, "auto-mtls disable -u --force");
    assert!(forced.stderr.contains("requests that work now will get 503s (--force)"), "{forced:#?}");
    Ok(())
}

/// A Gloo of its own in `gloo2`, without sidecars and with auto-mTLS off, which reads routes of these namespaces.
fn another_gloo(plane: &Plane, watched: &str) -> Result<()> {
    let manifests = GLOO.replace("watchNamespaces: [gloo-system]", &format!("watchNamespaces: [{watched}]"));
    plane.api().apply(&manifests.replace("gloo-system", "gloo2").replace("OTHER", "gloo-system"))?;
    plane.api().wait_available("gloo2")
}

#[test]
fn gateways_of_another_gloo_count_where_it_reads_the_route() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    done(&run(&plane, &[&SETUP[..], &["--yes"]].concat()), "setup");
    done(&run(&plane, &["auto-mtls", "enable", "--yes"]), "auto-mtls enable");
    done(&run(&plane, &["disable-mtls", "-u", UPSTREAM, "--yes"]), "disable-mtls");
    done(&run(&plane, &["peer-auth", "permissive", "-n", SHOP, "--yes"]), "permissive");
    // The route is in gloo-system, and its Gateway there is not one that gloo2 reads; its own serves every route.
    another_gloo(&plane, "gloo2, OTHER")?;
    let strict = ["peer-auth", "strict", "-n", SHOP, "--yes", "-o", "json"];
    let output = run(&plane, &strict);
    let document = document(&output)?;
    let row = &document["results"][0];
    assert_eq!((output.code, &row["reason"]), (Some(1), &json!("gatewayPlaintext")), "{document:#}");
    let ways = row["details"].to_string();
    assert!(ways.contains("(Gloo in gloo2)") && ways.matches("upstream ").count() == 1, "{document:#}");

    another_gloo(&plane, "gloo2")?;
    done(&run(&plane, &strict), "strict, where gloo2 does not read the route");
    Ok(())
}
