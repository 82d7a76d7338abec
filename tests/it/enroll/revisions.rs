//! Which istiod: named, kept, the only one, by tag, moved, gone.

use anyhow::Result;
use serde_json::json;

use super::{Bench, assert_said, meshed, plain};

#[test]
fn a_namespace_moves_from_one_revision_to_the_other_and_keeps_it() -> Result<()> {
    let bench = Bench::with_web("move")?;
    assert_eq!(bench.run("enroll NS --revision OLD").code, Some(0));
    let output = bench.run("enroll NS --revision NEW");
    let said = format!(
        "namespace/{} enrolled (istio.io/rev={new}, was istio.io/rev={old})\ndeployment.apps/web restarted ({old} -> {new})\n",
        bench.apps,
        new = bench.new.name,
        old = bench.old.name
    );
    assert_eq!((output.code, &output.stdout), (Some(0), &said), "{output:#?}");
    assert_eq!(bench.shape("web")?, [meshed(&bench.new)]);

    // The default istiod is there too: nobody asked for that one.
    let versions = bench.versions()?;
    assert_eq!(bench.run("enroll NS").code, Some(0));
    assert_eq!(bench.versions()?, versions);
    Ok(())
}

#[test]
fn a_tag_that_moved_takes_its_workloads_with_it_and_leaves_the_label() -> Result<()> {
    let bench = Bench::with_web("tag")?;
    let tag = bench.tag(&bench.old)?;
    let output = bench.run(&format!("enroll NS --revision {tag}"));
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!((bench.labels()?, bench.shape("web")?), (json!({"istio.io/rev": tag}), vec![meshed(&bench.old)]));

    bench.tag(&bench.new)?;
    let version = bench.versions()?.0;
    let output = bench.run("enroll NS");
    let said = format!(
        "namespace/{} already enrolled (istio.io/rev={tag})\ndeployment.apps/web restarted ({} -> {})\n",
        bench.apps, bench.old.name, bench.new.name
    );
    assert_eq!((output.code, &output.stdout), (Some(0), &said), "{output:#?}");
    assert_eq!(bench.shape("web")?, [meshed(&bench.new)]);
    assert_eq!(bench.versions()?.0, version);
    Ok(())
}

#[test]
fn the_default_istiod_has_a_label_of_its_own_and_never_both_stand() -> Result<()> {
    let bench = Bench::with_web("default")?;
    assert_eq!(bench.run("enroll NS --revision OLD").code, Some(0));
    let output = bench.run("enroll NS --revision default");
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!(bench.labels()?, json!({"istio-injection": "enabled"}));
    assert_eq!(bench.shape("web")?, [(Some("default".to_owned()), "2/2".to_owned())]);

    bench.label(&json!({"istio.io/rev": bench.old.name}))?;
    let output = bench.run("enroll NS");
    let was = format!("enrolled (istio-injection=enabled, was istio.io/rev={})\n", bench.old.name);
    assert!(output.code == Some(0) && output.stdout.contains(&was), "{output:#?}");
    assert_eq!(bench.labels()?, json!({"istio-injection": "enabled"}));

    bench.label(&json!({"istio.io/rev": bench.old.name}))?;
    assert_eq!(bench.run("unenroll NS --yes").code, Some(0));
    assert_eq!((bench.labels()?, bench.shape("web")?), (json!({}), vec![plain()]));
    Ok(())
}

#[test]
fn where_nothing_has_chosen_several_revisions_are_listed() -> Result<()> {
    let bench = Bench::with_own_istiods("several-revisions")?;
    bench.deploy("web", &json!({}))?;
    let versions = bench.versions()?;
    let output = bench.run("enroll NS --istio-namespace MESH");
    let said =
        ["several istiod revisions, and none is chosen", &bench.old.name, &bench.new.name, "hint: --revision REVISION"];
    assert_said(&output, 1, &said);
    let output = bench.run("enroll NS --istio-namespace MESH --revision 9-99");
    assert_said(&output, 4, &["no istiod of revision or tag 9-99", &bench.old.name]);
    bench.label(&json!({"istio.io/rev": "gone"}))?;
    let output = bench.run("enroll NS --istio-namespace MESH");
    assert_said(&output, 4, &["is bound by istio.io/rev=gone, which no istiod here has", "hint: --revision REVISION"]);
    bench.label(&json!({"istio.io/rev": null}))?;
    assert_eq!(bench.versions()?.1, versions.1);

    let only = bench.plane().api();
    only.delete("apps/v1/Deployment", bench.istio_namespace(), &format!("istiod-{}", bench.new.name))?;
    let output = bench.run("enroll NS --istio-namespace MESH");
    assert_eq!(output.code, Some(0), "the only one needs no choice: {output:#?}");
    assert_eq!(bench.shape("web")?, [meshed(&bench.old)]);
    Ok(())
}
