use std::cell::Cell;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use rustix::fs::XattrFlags;

use super::*;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(root.path().join(name), text).unwrap();
    }
    root
}

#[expect(clippy::unnecessary_wraps, reason = "it is what asks whether to go on")]
fn go() -> Result<(), Failure> {
    Ok(())
}

fn names(root: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn text(root: &Path, name: &str) -> String {
    fs::read_to_string(root.join(name)).unwrap()
}

#[test]
fn nothing_is_replaced_before_the_commit_and_siblings_go_when_dropped() {
    let root = tree(&[("a", "old")]);
    let mut staging = Staging::default();
    staging.stage(&root.path().join("a"), b"new", Print::of_bytes(b"old")).unwrap();
    assert_eq!((staging.staged.len(), text(root.path(), "a").as_str(), names(root.path()).len()), (1, "old", 2));
    drop(staging);
    assert_eq!(names(root.path()), ["a"]);
}

#[test]
fn a_commit_replaces_all_and_keeps_modes_and_links() {
    let root = tree(&[("a", "old"), ("b", "old")]);
    let (a, b, link) = (root.path().join("a"), root.path().join("b"), root.path().join("link"));
    fs::set_permissions(&a, fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&b, &link).unwrap();
    let mut staging = Staging::default();
    staging.stage(&a, b"new a", Print::of_bytes(b"old")).unwrap();
    staging.stage(&link, b"new b", Print::of_bytes(b"old")).unwrap();
    assert_eq!(staging.commit(&go).unwrap().len(), 2);
    assert_eq!((text(root.path(), "a"), text(root.path(), "b")), ("new a".into(), "new b".into()));
    assert_eq!(fs::metadata(&a).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names(root.path()), ["a", "b", "link"]);
}

#[test]
fn a_file_that_somebody_changed_is_not_written_and_no_other_either() {
    let root = tree(&[("a", "old"), ("b", "old")]);
    let mut staging = Staging::default();
    staging.stage(&root.path().join("a"), b"new", Print::of_bytes(b"old")).unwrap();
    staging.stage(&root.path().join("b"), b"new", Print::of_bytes(b"old")).unwrap();
    fs::write(root.path().join("b"), "OLD").unwrap();
    let halted = staging.commit(&go).unwrap_err();
    assert_eq!((halted.done.len(), halted.not_done.len()), (0, 2));
    assert!(halted.failure.message.ends_with("b: changed by another process since it was read; not written"));
    assert_eq!((text(root.path(), "a"), text(root.path(), "b")), ("old".into(), "OLD".into()));
    assert_eq!(names(root.path()), ["a", "b"]);
    let refused = Staging::default().stage(&root.path().join("b"), b"new", Print::of_bytes(b"old"));
    assert_eq!(refused.unwrap_err().reason, Reason::File);
}

/// Three files, of which the second cannot be replaced by a rename, not even by root.
fn blocked() -> (tempfile::TempDir, Staging) {
    let root = tree(&[("a", "old"), ("b", "old"), ("c", "old")]);
    let mut staging = Staging::default();
    for name in ["a", "b", "c"] {
        staging.stage(&root.path().join(name), b"new", Print::of_bytes(b"old")).unwrap();
    }
    fs::create_dir(root.path().join("dir")).unwrap();
    staging.staged[1].sibling = TempPath::try_from_path(root.path().join("dir")).unwrap();
    (root, staging)
}

fn short(files: &[PathBuf]) -> Vec<&str> {
    files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect()
}

#[test]
fn a_rename_that_fails_rolls_back_those_before_it() {
    let (root, staging) = blocked();
    let before = fs::metadata(root.path().join("a")).unwrap().ino();
    let halted = staging.commit(&go).unwrap_err();
    assert_eq!((halted.rolled_back, halted.done.len(), short(&halted.not_done)), (1, 0, vec!["b", "c"]));
    for name in ["a", "b", "c"] {
        assert_eq!(text(root.path(), name), "old");
    }
    assert_eq!(fs::metadata(root.path().join("a")).unwrap().ino(), before);
    assert_eq!(names(root.path()), ["a", "b", "c", "dir"]);
}

#[test]
fn a_panic_at_each_rename_rolls_back_those_before_it() {
    for panics_at in 0..3 {
        let root = tree(&[("a", "old"), ("b", "old"), ("c", "old")]);
        let mut staging = Staging::default();
        for name in ["a", "b", "c"] {
            staging.stage(&root.path().join(name), b"new", Print::of_bytes(b"old")).unwrap();
        }
        let renamed = Cell::new(0);
        let put = |staged: Staged| {
            assert_ne!(renamed.get(), panics_at, "a fault of the test");
            renamed.set(renamed.get() + 1);
            staged.put()
        };
        let halted = staging.commit_by(&go, &put).unwrap_err();
        assert_eq!((halted.rolled_back, halted.done.len(), halted.not_done.len()), (panics_at, 0, 3 - panics_at));
        assert_eq!(halted.failure.reason, Reason::Bug);
        assert!(["a", "b", "c"].iter().all(|name| text(root.path(), name) == "old"), "{panics_at}");
        assert_eq!(names(root.path()), ["a", "b", "c"]);
    }
}

#[test]
fn what_cannot_be_rolled_back_is_named() {
    let files = ["a", "b", "c"].map(PathBuf::from);
    let root = tree(&[("old", "old")]);
    let gone = TempPath::try_from_path(root.path().join("gone")).unwrap();
    let halted = rolled_back(&files, 2, vec![None, Some(gone)], failure("b failed".to_owned()));
    assert_eq!((halted.rolled_back, short(&halted.done), short(&halted.not_done)), (0, vec!["a", "b"], vec!["c"]));
}

#[test]
fn a_stop_before_the_first_rename_leaves_every_file_and_no_sibling() {
    for polls in 0..4 {
        let root = tree(&[("a", "old"), ("b", "old"), ("c", "old")]);
        let mut staging = Staging::default();
        for name in ["a", "b", "c"] {
            staging.stage(&root.path().join(name), b"new", Print::of_bytes(b"old")).unwrap();
        }
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            if asked.get() > polls { Err(failure("stopped".to_owned())) } else { Ok(()) }
        };
        let halted = staging.commit(&stop).unwrap_err();
        assert_eq!((halted.done.len(), halted.rolled_back, halted.not_done.len()), (0, 0, 3), "{polls}");
        assert_eq!(
            (text(root.path(), "a").as_str(), names(root.path())),
            ("old", vec!["a".into(), "b".into(), "c".into()])
        );
    }
}

#[test]
fn a_file_with_other_hard_links_is_refused_and_stays() {
    let root = tree(&[("a", "old")]);
    fs::hard_link(root.path().join("a"), root.path().join("b")).unwrap();
    let failure = Staging::default().stage(&root.path().join("a"), b"new", Print::of_bytes(b"old")).unwrap_err();
    assert!(failure.message.ends_with("a: has 2 hard links; not written"), "{failure}");
    assert_eq!((text(root.path(), "b").as_str(), names(root.path()).len()), ("old", 2));
}

#[test]
fn extended_attributes_are_those_of_the_old_file() {
    let root = tree(&[("a", "old")]);
    let a = root.path().join("a");
    let set = |name: &str, value: &[u8]| rustix::fs::setxattr(&a, name, value, XattrFlags::empty()).unwrap();
    set("user.origin", b"git");
    set("user.empty", b"");
    replaced(&a);
    assert_eq!((attribute(&a, "user.origin"), attribute(&a, "user.empty")), (Some(b"git".into()), Some(Vec::new())));
    assert_eq!(text(root.path(), "a"), "new");
}

#[test]
fn an_access_control_list_is_that_of_the_old_file() {
    let root = tree(&[("a", "old")]);
    let a = root.path().join("a");
    let list = acl(0o6, 0o4);
    rustix::fs::setxattr(&a, ACCESS, &list, XattrFlags::empty()).unwrap();
    let mode = fs::metadata(&a).unwrap().mode();
    replaced(&a);
    assert_eq!((attribute(&a, ACCESS), fs::metadata(&a).unwrap().mode()), (Some(list), mode));
}

#[test]
fn a_file_without_an_access_control_list_gets_none_from_its_directory() {
    let root = tree(&[("a", "old")]);
    let a = root.path().join("a");
    fs::set_permissions(&a, fs::Permissions::from_mode(0o640)).unwrap();
    rustix::fs::setxattr(root.path(), "system.posix_acl_default", &acl(0o7, 0o7), XattrFlags::empty()).unwrap();
    replaced(&a);
    assert_eq!(attribute(&a, ACCESS), None);
    assert_eq!(fs::metadata(&a).unwrap().mode() & 0o7777, 0o640);
}

#[test]
fn a_mode_that_changes_after_staging_is_not_overwritten() {
    let root = tree(&[("a", "old")]);
    let a = root.path().join("a");
    let mut staging = Staging::default();
    staging.stage(&a, b"new", Print::of_bytes(b"old")).unwrap();
    fs::set_permissions(&a, fs::Permissions::from_mode(0o600)).unwrap();
    let halted = staging.commit(&go).unwrap_err();
    assert!(halted.failure.message.ends_with("a: changed by another process since it was read; not written"));
    assert_eq!(fs::metadata(&a).unwrap().mode() & 0o777, 0o600);
}

const ACCESS: &str = "system.posix_acl_access";

/// An access control list in the kernel's format: owner, the user 12345, the group, the mask, others.
fn acl(user: u16, mask: u16) -> Vec<u8> {
    const NO_ID: u32 = u32::MAX;
    let entries: [(u16, u16, u32); 5] =
        [(0x01, 0o6, NO_ID), (0x02, user, 12_345), (0x04, 0o4, NO_ID), (0x10, mask, NO_ID), (0x20, 0, NO_ID)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend(tag.to_le_bytes().into_iter().chain(rights.to_le_bytes()).chain(id.to_le_bytes()));
    }
    list
}

fn attribute(file: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1024];
    let len = rustix::fs::getxattr(file, name, &mut value[..]).ok()?;
    value.truncate(len);
    Some(value)
}

fn replaced(file: &Path) {
    let mut staging = Staging::default();
    staging.stage(file, b"new", Print::of_bytes(b"old")).unwrap();
    staging.commit(&go).unwrap();
}

#[test]
fn a_new_file_is_private_and_never_replaces_one() {
    let root = tree(&[("old", "old")]);
    let new = root.path().join("new");
    create_private(&new, b"secret").unwrap();
    assert_eq!(text(root.path(), "new"), "secret");
    assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o600);
    let failure = create_private(&root.path().join("old"), b"x").unwrap_err();
    assert!(failure.message.ends_with("old: already exists; not written"), "{failure}");
    assert_eq!((text(root.path(), "old"), names(root.path()).len()), ("old".into(), 2));
}

#[test]
fn a_whole_file_is_created_as_usual_and_replaced_with_its_mode_through_its_link() {
    let root = tree(&[("old", "old")]);
    let path = |name: &str| root.path().join(name);
    write_whole(&path("new"), b"text").unwrap();
    fs::write(path("usual"), "").unwrap();
    let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((text(root.path(), "new"), mode("new")), ("text".into(), mode("usual")));
    fs::set_permissions(path("old"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink(path("old"), path("link")).unwrap();
    write_whole(&path("link"), b"later").unwrap();
    assert_eq!((text(root.path(), "old"), mode("old")), ("later".into(), 0o640));
    assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
    let failure = write_whole(&path("no/file"), b"x").unwrap_err();
    assert_eq!(failure.exit, Exit::Failed);
    assert_eq!(names(root.path()), ["link", "new", "old", "usual"], "nothing is left behind");
}

#[test]
fn a_file_that_is_not_there_cannot_be_staged() {
    let root = tree(&[]);
    let failure = Staging::default().stage(&root.path().join("no"), b"", Print::of_bytes(b"")).unwrap_err();
    assert!(failure.message.ends_with("no: cannot write it: no such file or directory"), "{failure}");
}

#[test]
fn what_cannot_be_written_fails_before_anything_changed() {
    let root = tree(&[("a", "old")]);
    let mut staging = Staging::default();
    staging.stage(&root.path().join("a"), b"new", Print::of_bytes(b"old")).unwrap();
    assert_eq!(staging.stage(root.path(), b"new", Print::of_bytes(b"")).unwrap_err().exit, Exit::Failed);
    assert_eq!(text(root.path(), "a"), "old");
}

#[test]
fn prints_differ_where_bytes_do() {
    assert_eq!(Print::of_bytes(b"a"), Print::of_bytes(b"a"));
    assert_ne!(Print::of_bytes(b"a"), Print::of_bytes(b"b"));
    assert_ne!(Print::of_bytes(b""), Print::of_bytes(b"\0"));
}
