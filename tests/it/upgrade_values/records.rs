//! Records as somebody may have left them.

use anyhow::Result;

use super::{REVISION, Shop, open_source};

#[test]
fn a_release_whose_newest_record_is_broken_says_which_and_another_may_be_taken() -> Result<()> {
    let shop = Shop::new("broken-record")?;
    shop.install("gloo", &open_source(), "mine: 1\n")?;
    shop.upgrade("gloo", &open_source(), "mine: 2\n")?;
    let data = shop.record("gloo", 2)?;
    for broken in ["bm90IGEgcmVjb3Jk", &data[..data.len() / 2 / 4 * 4]] {
        shop.put_record("gloo", 2, Some("deployed"), broken)?;
        let output = shop.run(&[&REVISION[..], &["--release", "gloo"]].concat());
        assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{}", output.stderr);
        assert!(
            output.stderr.contains("secret/sh.helm.release.v1.gloo.v2: not a record of Helm's"),
            "{}",
            output.stderr
        );
        assert!(output.stderr.contains("--release-revision N"), "{}", output.stderr);
    }
    let first = shop.done(&[&REVISION[..], &["--release", "gloo", "--release-revision", "1"]].concat())?;
    assert!(first.stdout.contains("mine: 1\n"), "{}", first.stdout);
    Ok(())
}
