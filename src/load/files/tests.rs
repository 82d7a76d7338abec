use std::os::unix::fs::symlink;

use super::*;

fn tree() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn put(root: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn find_paths(paths: &[&Path]) -> Result<FileReader, Failure> {
    find(&paths.iter().map(|path| FileSource::Path(path.to_path_buf())).collect::<Vec<_>>())
}

fn read(paths: &[&Path]) -> Vec<Result<LoadedFile, Failure>> {
    let mut files = find_paths(paths).unwrap();
    std::iter::from_fn(|| files.next(&mut io::empty())).collect()
}

/// The texts as file name and text. Refused files as `!` and the file name.
fn summary(root: &Path, loaded: Vec<Result<LoadedFile, Failure>>) -> Vec<String> {
    let short = |name: String| name.strip_prefix(&format!("{}/", shown(root))).unwrap_or(&name).to_owned();
    loaded
        .into_iter()
        .map(|loaded| match loaded.unwrap() {
            LoadedFile::Text(text) => format!("{}={}", short(text.name), text.text),
            LoadedFile::Encrypted { name, .. } => format!("*{}", short(name)),
            LoadedFile::PassedOver { name, .. } => format!("-{}", short(name)),
            LoadedFile::Refused { name, .. } => format!("!{}", short(name)),
        })
        .collect()
}

#[test]
fn a_directory_gives_its_manifests_in_order_and_no_hidden_directory() {
    let root = tree();
    for name in ["b.yml", "a/z.yaml", "a/y.json", "c.txt", ".git/x.yaml", "a.yaml", "d.yaml.bak"] {
        put(root.path(), name, b"k");
    }
    assert_eq!(summary(root.path(), read(&[root.path()])), ["a/y.json=k", "a/z.yaml=k", "a.yaml=k", "b.yml=k"]);
}

#[test]
fn a_named_file_may_have_any_name_and_is_read_once() {
    let root = tree();
    let file = put(root.path(), "x.txt", "\u{feff}k".as_bytes());
    symlink(&file, root.path().join("link.txt")).unwrap();
    let loaded = read(&[&file, &root.path().join("link.txt"), &file]);
    assert_eq!(summary(root.path(), loaded), ["x.txt=\u{feff}k"]);
    assert!(find_paths(&[&file]).unwrap().is_single());
    assert!(!find_paths(&[root.path()]).is_ok_and(|files| files.is_single()));
}

#[test]
fn a_named_link_is_read_at_its_target() {
    let root = tree();
    let file = put(root.path(), "real/x.yaml", b"k");
    let link = root.path().join("link.yaml");
    symlink(&file, &link).unwrap();
    match &read(&[&link])[..] {
        [Ok(LoadedFile::Text(text))] => {
            assert_eq!(text.name, shown(&link));
            assert_eq!(text.file.as_deref(), Some(fs::canonicalize(&file).unwrap().as_path()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn links_out_of_a_directory_are_reported_and_loops_end() {
    let (root, outside) = (tree(), tree());
    put(root.path(), "a.yaml", b"k");
    put(outside.path(), "o.yaml", b"secret");
    symlink(outside.path().join("o.yaml"), root.path().join("file.yaml")).unwrap();
    symlink(outside.path(), root.path().join("dir")).unwrap();
    symlink(root.path(), root.path().join("loop")).unwrap();
    symlink(root.path().join("self.yaml"), root.path().join("self.yaml")).unwrap();
    symlink(root.path().join("a.yaml"), root.path().join("inside.yaml")).unwrap();
    assert_eq!(summary(root.path(), read(&[root.path()])), ["a.yaml=k", "!dir", "!file.yaml", "!self.yaml"]);
}

#[test]
fn what_is_missing_or_no_file_fails_with_its_name() {
    let root = tree();
    let message = |path: &Path| find_paths(&[path]).unwrap_err().message;
    let missing = root.path().join("no");
    assert_eq!(message(&missing), format!("{}: cannot read it: no such file or directory", shown(&missing)));
    assert_eq!(message(root.path()), format!("{}: no manifest in it", shown(root.path())));
    let socket = root.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(message(&socket), format!("{}: not a regular file", shown(&socket)));
    assert_eq!(message(Path::new("/dev/zero")), "/dev/zero: not a regular file");
    assert_eq!(find_paths(&[&missing]).unwrap_err().exit, Exit::Failed);
}

#[test]
fn what_is_not_text_is_refused_by_name_and_passed_over_in_a_directory() {
    let root = tree();
    let latin = put(root.path(), "latin.yaml", b"a: 1\nb: \xe9\n");
    let binary = put(root.path(), "bin.yaml", b"\x7fELF\0");
    let named = |path: &Path| read(&[path]).remove(0).unwrap_err().message;
    assert!(named(&latin).starts_with(&format!("{}: not UTF-8 (line 2)", shown(&latin))));
    assert_eq!(named(&binary), format!("{}: binary, not a manifest", shown(&binary)));
    assert_eq!(summary(root.path(), read(&[root.path()])), ["-bin.yaml", "-latin.yaml"]);
}

#[test]
fn a_file_above_the_limit_is_refused_with_the_limit() {
    let root = tree();
    let path = root.path().join("large.yaml");
    File::create(&path).unwrap().set_len(LIMIT + 1).unwrap();
    let message = read(&[&path]).remove(0).unwrap_err().message;
    assert!(message.ends_with("larger than 256 MiB, the limit of one file"), "{message}");
}

#[test]
fn standard_input_is_read_where_it_is_named_and_only_once() {
    let arguments = |names: &[&str]| sources(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(arguments(&["-", "-"]).unwrap_err().exit, Exit::Usage);
    assert_eq!(arguments(&[""]).unwrap_err().exit, Exit::Usage);
    let mut files = find(&arguments(&["-"]).unwrap()).unwrap();
    assert!(files.is_single());
    match files.next(&mut "k: 1".as_bytes()) {
        Some(Ok(LoadedFile::Text(text))) => assert_eq!((text.name.as_str(), text.text.as_str()), ("-", "k: 1")),
        other => panic!("{other:?}"),
    }
    assert!(files.next(&mut io::empty()).is_none());
}

#[test]
fn an_encrypted_file_is_told_by_name_and_passed_over_in_a_directory() {
    let root = tree();
    let file = put(root.path(), "a.yaml", b"\0GITCRYPT\0\x01\x02");
    assert_eq!(summary(root.path(), read(&[&file])), ["*a.yaml"]);
    assert_eq!(summary(root.path(), read(&[root.path()])), ["-a.yaml"]);
}

#[test]
fn utf_16_with_a_mark_is_text() {
    let root = tree();
    let text = "\u{feff}a: \u{e9}\n";
    let file = put(root.path(), "a.yaml", &Encoding::Utf16LittleEndian.bytes(text));
    match &read(&[&file])[..] {
        [Ok(LoadedFile::Text(read))] => {
            assert_eq!((read.text.as_str(), read.encoding), (text, Encoding::Utf16LittleEndian));
        }
        other => panic!("{other:?}"),
    }
}
