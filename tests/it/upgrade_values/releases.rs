//! Which release, and which of its revisions.

use anyhow::Result;

use super::{REVISION, Shop, open_source};
use crate::stage;

#[test]
fn a_release_is_found_among_others_and_several_are_listed() -> Result<()> {
    let shop = Shop::new("several")?;
    let other = shop.sandbox.dir().join("other");
    shop.sandbox.write("other/Chart.yaml", "apiVersion: v2\nname: other\nversion: 0.1.0\n");
    shop.install("aaa", &other, "{}\n")?;
    let none = shop.run(&[]);
    assert_eq!(none.code, Some(4));
    assert!(none.stderr.contains("there: aaa (chart other-0.1.0)"), "{}", none.stderr);
    let named = shop.run(&["--release", "aaa"]);
    assert_eq!(named.code, Some(1));
    assert!(named.stderr.contains("its chart is other, not Gloo's"), "{}", named.stderr);

    shop.install("edge", &open_source(), "mine: 1\n")?;
    let found = shop.done(&REVISION)?;
    assert!(found.stderr.contains("helm upgrade edge gloo"), "{}", found.stderr);
    let missing = shop.run(&["--release", "egde"]);
    assert_eq!(missing.code, Some(4));
    assert!(missing.stderr.contains("near: edge"), "{}", missing.stderr);

    // A second one of the same chart: only its record, since its objects would be the same.
    let record = shop.record("edge", 1)?;
    let second = |revision| shop.record_as(&record, "second", revision);
    shop.put_record("second", 1, None, &second(1)?)?;
    let several = shop.run(&[]);
    assert_eq!(several.code, Some(1));
    for words in ["several releases of Gloo's chart", "\n  edge (revision 1, chart gloo-1.17.7)\n"] {
        assert!(several.stderr.contains(words), "{}", several.stderr);
    }

    // Labels are missing on it, so its record tells its state; a pending one beside it is said.
    shop.put_record("second", 2, Some("pending-upgrade"), &second(2)?)?;
    let pending = shop.done(&["--release", "second", "--revision", "1-28"])?;
    assert!(pending.stderr.contains("revision 2 is pending-upgrade"), "{}", pending.stderr);
    let refused = shop.run(&["--release", "second", "--revision", "1-28", "--apply", "--yes"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("Helm refuses a second upgrade"), "{}", refused.stderr);
    shop.put_record("third", 1, None, "bm90IGEgcmVjb3Jk")?;
    let broken = shop.run(&["--release", "third"]);
    assert_eq!(broken.code, Some(1));
    assert!(broken.stderr.contains("not a record of Helm's"), "{}", broken.stderr);
    Ok(())
}

#[test]
fn a_superseded_revision_is_taken_where_it_is_named() -> Result<()> {
    let shop = Shop::with(stage::helm_4(), "superseded")?;
    shop.install("gloo", &open_source(), "mine: first\n")?;
    shop.upgrade("gloo", &open_source(), "mine: second\n")?;
    shop.upgrade("gloo", &open_source(), "mine: third\n")?;
    let usual = shop.done(&REVISION)?;
    assert!(usual.stdout.contains("mine: third\n"), "{}", usual.stdout);
    assert!(usual.stderr.contains("revision 3, deployed,") && !usual.stderr.contains("warning: revision"));
    for release in [&[][..], &["--release", "gloo"]] {
        let first = shop.done(&[&REVISION[..], &["--release-revision", "1"], release].concat())?;
        assert!(first.stdout.contains("mine: first\n"), "{}", first.stdout);
        assert!(first.stderr.contains("revision 1, superseded,"), "{}", first.stderr);
    }
    let none = shop.run(&["--release", "gloo", "--release-revision", "9"]);
    assert_eq!(none.code, Some(4), "{}", none.stderr);
    Ok(())
}

#[test]
fn a_release_that_was_never_deployed_has_the_values_of_its_newest_revision() -> Result<()> {
    let shop = Shop::new("pending")?;
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    let record = shop.record("gloo", 1)?;
    shop.plane.api().delete("v1/Secret", &shop.namespace, "sh.helm.release.v1.gloo.v1")?;
    shop.put_record("gloo", 1, Some("failed"), &record)?;
    let output = shop.done(&REVISION)?;
    assert!(output.stderr.contains("no revision of release gloo is deployed"), "{}", output.stderr);
    assert!(output.stdout.contains("mine: 1\n"), "{}", output.stdout);
    Ok(())
}

#[test]
fn the_config_map_driver_is_read_and_told_to_helm() -> Result<()> {
    for helm in [stage::helm(), stage::helm_4()] {
        let shop = Shop::with(helm, "driver")?.noting()?;
        shop.sandbox.write("mine.yaml", "mine: 1\n");
        let chart = open_source();
        let driver = [("HELM_DRIVER", "configmap")];
        shop.helm_with(&["install", "gloo", super::text(&chart)?, "-f", "mine.yaml", "--wait"], &driver)?;
        shop.watch_own_namespace()?;
        let output = shop.done(&REVISION)?;
        assert!(output.stdout.contains("mine: 1\n") && output.stdout.contains("istioIntegration"), "{}", output.stdout);
        assert!(output.stderr.contains("\n  HELM_DRIVER=configmap helm upgrade gloo gloo -n "), "{}", output.stderr);
        shop.done(&["--revision", "1-28", "--chart", super::text(&chart)?, "--apply", "--yes"])?;
        assert!(shop.helm_with(&["get", "values", "gloo"], &driver)?.contains("istioDiscoveryAddress"));
    }
    Ok(())
}
