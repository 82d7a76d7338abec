//! No command that writes causes a 503 without being told to: it is refused, and the refusal prints an order of
//! commands that gets there. Each is run as it is printed.

use anyhow::Result;
use serde_json::Value;

use super::{SETUP, SHOP, UPSTREAM, document, mode, plane, run, sandbox, ssl_config};
use crate::stage::{Injector, Plane};
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

    // STRICT pods, and the gateway would send plaintext.
    let disable = ["disable-mtls", "-u", UPSTREAM];
    let row = refused(&plane, &disable)?;
    assert!(row["details"].to_string().contains("shop-cart-80"), "{row:#}");
    assert_eq!(run_hint(&plane, &disable), ["istio peer-auth permissive -n shop"]);
    done(&run(&plane, &[&disable[..], &["--yes"]].concat()), "disable-mtls");

    // Auto-mTLS carries it now, and its end would be plaintext again.
    done(&run(&plane, &["auto-mtls", "enable", "--yes"]), "auto-mtls enable");
    done(&run(&plane, &["peer-auth", "strict", "-n", SHOP, "--yes"]), "strict");
    let off = ["auto-mtls", "disable"];
    refused(&plane, &off)?;
    let opt_out = ["auto-mtls", "disable", "-u", UPSTREAM];
    refused(&plane, &opt_out)?;
    assert_eq!(run_hint(&plane, &off), ["istio peer-auth permissive -n shop"]);
    done(&run(&plane, &[&off[..], &["--yes"]].concat()), "auto-mtls disable");

    // Pods without sidecars take no TLS.
    done(&run(&plane, &["unenroll", SHOP, "--yes"]), "unenroll");
    let enable = ["enable-mtls", "-u", UPSTREAM];
    refused(&plane, &enable)?;
    done(&run(&plane, &[&enable[..], &["--force", "--yes"]].concat()), "--force");
    assert_ne!(ssl_config(&plane)?, Value::Null);
    done(&run(&plane, &[&disable[..], &["--yes"]].concat()), "disable-mtls");

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
