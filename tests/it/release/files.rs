//! The files beside the archive: checksums, bill of materials, what package managers read.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::{TARGET, VERSION, dist, name, succeeds};
use crate::house::read;
use crate::stage::documents;

/// Name, version and checksum of each package.
type Packages = BTreeSet<(String, String, Option<String>)>;

/// Every package of Cargo.lock.
fn locked() -> Packages {
    let lock = read("Cargo.lock");
    let field = |block: &str, name: &str| {
        let start = format!("{name} = \"");
        block.lines().find_map(|line| Some(line.strip_prefix(&start)?.trim_end_matches('"').to_owned()))
    };
    let blocks = lock.split("[[package]]\n").skip(1);
    let packages: Packages = blocks
        .map(|block| (field(block, "name").unwrap(), field(block, "version").unwrap(), field(block, "checksum")))
        .collect();
    assert_eq!(packages.len(), lock.matches("\nname = ").count());
    packages
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

fn file(name: &str) -> String {
    std::fs::read_to_string(dist().join(name)).unwrap()
}

/// The checksum of the archive by a tool of its own.
fn checksum() -> String {
    let printed = succeeds(Command::new("sha256sum").arg(dist().join(name() + ".tar.gz")));
    printed.split(' ').next().unwrap().to_owned()
}

#[test]
fn the_checksums_are_of_every_file() {
    succeeds(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(dist()));
    let listed: BTreeSet<_> = file("SHA256SUMS").lines().map(|line| line[66..].to_owned()).collect();
    let entries =
        std::fs::read_dir(dist()).unwrap().map(|entry| text(&Value::from(entry.unwrap().file_name().to_str())));
    assert_eq!(listed, entries.filter(|name| name != "SHA256SUMS").collect());
}

#[test]
fn the_bill_of_materials_is_the_lock_file() {
    let bill: Value = serde_json::from_str(&file(&format!("gloo-rs-{VERSION}.cdx.json"))).unwrap();
    assert_eq!((bill["bomFormat"].as_str(), bill["specVersion"].as_str()), (Some("CycloneDX"), Some("1.6")));
    let ours = &bill["metadata"]["component"];
    let components: Vec<_> = bill["components"].as_array().unwrap().iter().chain([ours]).collect();
    let packages: Packages = components
        .iter()
        .map(|it| (text(&it["name"]), text(&it["version"]), it["hashes"][0]["content"].as_str().map(str::to_owned)))
        .collect();
    assert_eq!(packages, locked());
    assert_eq!(components.len(), packages.len());

    let references: BTreeSet<_> = components.iter().map(|it| text(&it["bom-ref"])).collect();
    let edges: BTreeMap<_, BTreeSet<_>> = bill["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (text(&it["ref"]), it["dependsOn"].as_array().unwrap().iter().map(text).collect()))
        .collect();
    assert_eq!(edges.keys().cloned().collect::<BTreeSet<_>>(), references);
    assert!(edges.values().flatten().all(|it| references.contains(it)));
    assert!(edges[&text(&ours["bom-ref"])].iter().any(|it| it.starts_with("pkg:cargo/kube@")));

    let scope = |name: &str| components.iter().find(|it| it["name"] == name).unwrap()["scope"].as_str();
    for (name, expected) in [("kube-client", "required"), ("serde-saphyr", "required"), ("proptest", "excluded")] {
        assert_eq!(scope(name), Some(expected), "{name}");
    }
}

#[test]
fn the_krew_manifest_names_the_archive_its_checksum_and_a_program_in_it() {
    let manifest = documents(&file("gloo.yaml")).unwrap().remove(0);
    assert_eq!((manifest["kind"].as_str(), manifest["metadata"]["name"].as_str()), (Some("Plugin"), Some("gloo")));
    assert_eq!(manifest["spec"]["version"], format!("v{VERSION}"));
    let is_ours = |it: &&Value| it["uri"].as_str().is_some_and(|uri| uri.ends_with(&format!("/{}.tar.gz", name())));
    let platform = manifest["spec"]["platforms"].as_array().unwrap().iter().find(is_ours).expect("this archive");
    assert_eq!(platform["sha256"], checksum());
    let (os, _) = platform_of(TARGET);
    assert_eq!(platform["selector"]["matchLabels"]["os"], os);
    let top = super::scratch("krew");
    super::unpacked(&top);
    for file in platform["files"].as_array().unwrap() {
        let from = text(&file["from"]);
        assert!(top.join(&from).is_file(), "{from}");
    }
    assert_eq!(platform["bin"], "gloo-rs");
}

fn platform_of(target: &str) -> (&str, &str) {
    let os = if target.contains("linux") { "linux" } else { "darwin" };
    (os, target.split('-').next().unwrap())
}

#[test]
fn the_formula_names_the_archive_its_checksum_and_files_in_it() {
    let formula = file("gloo-rs.rb");
    let quoted = |word: &str| {
        let start = format!("{word} \"");
        formula
            .lines()
            .filter_map(|line| Some(line.trim().strip_prefix(&start)?.split('"').next()?.to_owned()))
            .collect::<Vec<_>>()
    };
    let at = quoted("url").iter().position(|url| url.ends_with(&format!("/{}.tar.gz", name()))).expect("this archive");
    assert_eq!(quoted("sha256")[at], checksum());
    assert!(!formula.contains('@') && formula.matches("\n  if ").count() == 1, "{formula}");
    let top = super::unpacked(&super::scratch("homebrew"));
    for word in ["bin.install", "bash_completion.install", "zsh_completion.install", "fish_completion.install"] {
        let [file] = quoted(word).try_into().unwrap();
        assert!(top.join(&file).is_file(), "{file}");
    }
}

#[test]
fn what_cargo_binstall_reads_leads_to_the_archive_and_the_program_in_it() {
    let manifest = file("gloo-rs.binstall.toml");
    assert!(!manifest.contains('@'), "{manifest}");
    let metadata = cargo_metadata(&manifest);
    let package = &metadata["packages"][0];
    assert_eq!((package["name"].as_str(), package["version"].as_str()), (Some("gloo-rs"), Some(VERSION)));
    assert_eq!(package["targets"][0]["name"], "gloo-rs");
    let ours = &package["metadata"]["binstall"];
    let url = text(&ours["overrides"][TARGET]["pkg-url"]);
    assert!(url.starts_with("https://") && url.ends_with(&format!("/{}.tar.gz", name())), "{url}");
    assert!(
        manifest.contains(&format!("# {}\n[package.metadata.binstall.overrides.{TARGET}]", checksum())),
        "{manifest}"
    );
    let filled =
        [("name", "gloo-rs"), ("bin", "gloo-rs"), ("version", VERSION), ("target", TARGET), ("binary-ext", "")];
    let program =
        filled.iter().fold(text(&ours["bin-dir"]), |text, (name, with)| text.replace(&format!("{{ {name} }}"), with));
    let top = super::scratch("binstall");
    super::unpacked(&top);
    assert!(top.join(&program).is_file(), "{program}");
    assert_eq!(ours["pkg-fmt"], "tgz");
}

/// A manifest as Cargo itself reads it.
fn cargo_metadata(manifest: &str) -> Value {
    let top = super::scratch("binstall-manifest");
    std::fs::create_dir(top.join("src")).unwrap();
    std::fs::write(top.join("src/main.rs"), "fn main() {}\n").unwrap();
    std::fs::write(top.join("Cargo.toml"), format!("{manifest}\n[workspace]\n")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    let printed =
        succeeds(cargo.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(&top));
    serde_json::from_str(&printed).unwrap()
}

#[test]
fn the_script_that_is_released_is_ours_with_the_address() {
    let ours = read("install.sh");
    let with_address: Vec<_> =
        file("install.sh").lines().filter(|line| !ours.lines().any(|it| it == *line)).map(str::to_owned).collect();
    let [line] = with_address.try_into().unwrap();
    assert!(line.starts_with("url='https://") && line.ends_with('\''), "{line}");
}
