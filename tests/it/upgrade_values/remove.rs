//! `--remove` with the release's history at hand.

use anyhow::{Context, Result};
use serde_json::json;

use super::{REVISION, Shop, open_source, text};
use crate::stage;

const TAGGED: &str = "global:\n  istioIntegration:\n    enabled: false\n  glooMtls:\n    istioProxy:\n      image:\n        tag: 1.20.0\n";

#[test]
fn remove_brings_back_what_was_there_before_istio() -> Result<()> {
    let shop = Shop::new("history")?;
    shop.install("gloo", &open_source(), TAGGED)?;
    let before = shop.values("gloo")?;
    let merged = shop.done(&REVISION)?;
    shop.upgrade("gloo", &open_source(), &merged.stdout)?;
    shop.upgrade("gloo", &open_source(), &format!("{}more: 1\n", merged.stdout))?;
    let removed = shop.done(&["--remove"])?;
    assert!(removed.stderr.contains("1.28.3 -> 1.20.0 (the release before Istio)"), "{}", removed.stderr);
    shop.upgrade("gloo", &open_source(), &removed.stdout)?;
    let mut after = shop.values("gloo")?;
    assert_eq!(after.as_object_mut().context("a map")?.shift_remove("more"), Some(json!(1)));
    assert_eq!(after, before);
    Ok(())
}

#[test]
fn a_release_without_values_has_none_again() -> Result<()> {
    for helm in [stage::helm(), stage::helm_4()] {
        let shop = Shop::with(helm, "no-values")?;
        shop.install("gloo", &open_source(), "")?;
        let chart = open_source();
        let apply = ["--chart", text(&chart)?, "--apply", "--yes"];
        shop.done(&[&REVISION[..], &apply].concat())?;
        assert_eq!(shop.containers("gateway-proxy")?.len(), 3);
        let printed = shop.done(&["--remove"])?;
        // Helm keeps the values there are where it is given none.
        assert!(printed.stderr.contains("-f gloo-gateway.yaml --reset-values\n"), "{}", printed.stderr);
        shop.done(&[&["--remove"], &apply[..]].concat())?;
        assert_eq!(shop.containers("gateway-proxy")?.len(), 1);
        assert_eq!(shop.settings()?["enableAutoMtls"], false);
    }
    Ok(())
}

#[test]
fn a_revision_that_cannot_be_read_is_passed_over_and_said() -> Result<()> {
    let shop = Shop::new("unreadable")?;
    shop.install("gloo", &open_source(), TAGGED)?;
    let first = shop.record("gloo", 1)?;
    let merged = shop.done(&REVISION)?;
    for _ in 0..2 {
        shop.upgrade("gloo", &open_source(), &merged.stdout)?;
    }
    shop.put_record("gloo", 2, Some("superseded"), "bm90IGEgcmVjb3Jk")?;
    let removed = shop.done(&["--remove"])?;
    assert!(removed.stderr.contains("1.28.3 -> 1.20.0 (the release before Istio)"), "{}", removed.stderr);
    assert!(removed.stderr.contains("note: revision 2 cannot be read"), "{}", removed.stderr);

    shop.put_record("gloo", 1, Some("superseded"), "bm90IGEgcmVjb3Jk")?;
    let blind = shop.done(&["--remove"])?;
    assert!(
        blind.stderr.contains("revisions 2, 1 cannot be read: values from before Istio are not restored"),
        "{}",
        blind.stderr
    );
    assert!(blind.stderr.contains("1.28.3 -> (unset) (--remove)"), "{}", blind.stderr);
    // With the first one whole again its values come back.
    shop.put_record("gloo", 1, Some("superseded"), &first)?;
    assert!(shop.done(&["--remove"])?.stdout.contains("1.20.0"));
    Ok(())
}

#[test]
fn a_null_of_the_release_before_istio_comes_back() -> Result<()> {
    let shop = Shop::new("null")?;
    shop.install(
        "gloo",
        &open_source(),
        "mine: 1\nglobal:\n  glooMtls:\n    istioProxy: null\n  istioIntegration:\n    disableAutoinjection: null\n",
    )?;
    let before = shop.values("gloo")?;
    let merged = shop.done(&REVISION)?;
    assert!(
        merged.stderr.contains("global.glooMtls.istioProxy is null, which removes the chart's default"),
        "{}",
        merged.stderr
    );
    shop.upgrade("gloo", &open_source(), &merged.stdout)?;
    let removed = shop.done(&["--remove"])?;
    shop.upgrade("gloo", &open_source(), &removed.stdout)?;
    assert_eq!(shop.values("gloo")?, before);
    Ok(())
}
