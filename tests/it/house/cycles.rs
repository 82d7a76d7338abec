//! No two files need each other: whoever reads one of them can start at the bottom.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Item, UseTree, Visibility};

use super::names::named;
use super::{files_below, read};

/// A file as a module: what it names, and what it shows of others under its own name.
struct Module {
    file: String,
    names: BTreeSet<String>,
    shown: BTreeMap<String, String>,
}

/// `src/plan/mtls.rs` is `crate::plan::mtls`.
fn module(file: &str) -> String {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" { "crate".to_owned() } else { format!("crate::{}", path.replace('/', "::")) }
}

/// A source without its tests.
fn code(file: &str) -> String {
    read(file).split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

fn modules() -> BTreeMap<String, Module> {
    let is_code = |file: &String| !file.ends_with("/tests.rs") && !file.contains("/tests/");
    let files = files_below("src", ".rs").into_iter().filter(is_code);
    let read = files.map(|file| {
        let (module, source) = (module(&file), code(&file));
        let shown = shown(&source, &module);
        (module.clone(), Module { names: named(&source, &module), file, shown })
    });
    read.collect()
}

/// `pub use mode::Effective` shows `Effective` of `mode`.
fn shown(source: &str, module: &str) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    for item in syn::parse_file(source).unwrap_or_else(|error| panic!("{module}: {error}")).items {
        if let Item::Use(item) = item
            && !matches!(item.vis, Visibility::Inherited)
        {
            leaves(&item.tree, "", &mut |path, name| {
                let (first, rest) = path.split_once("::").unwrap_or((path, ""));
                let path = match first {
                    "crate" => path.to_owned(),
                    "self" => format!("{module}::{rest}"),
                    "super" => format!("{}::{rest}", module.rsplit_once("::").expect("a file is below the root").0),
                    _ => format!("{module}::{path}"),
                };
                shown.insert(name.to_owned(), path);
            });
        }
    }
    shown
}

fn leaves(tree: &UseTree, above: &str, see: &mut dyn FnMut(&str, &str)) {
    let below = |name: &dyn ToString| {
        if above.is_empty() { name.to_string() } else { format!("{above}::{}", name.to_string()) }
    };
    match tree {
        UseTree::Path(path) => leaves(&path.tree, &below(&path.ident), see),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, above, see)),
        UseTree::Name(name) => see(&below(&name.ident), &name.ident.to_string()),
        UseTree::Rename(name) => see(&below(&name.ident), &name.rename.to_string()),
        UseTree::Glob(_) => {}
    }
}

/// The module in which what a path names is written, if this crate has it.
fn home(path: &str, modules: &BTreeMap<String, Module>) -> Option<String> {
    let mut module = path;
    let mut next = None;
    while !modules.contains_key(module) {
        let (outer, name) = module.rsplit_once("::")?;
        (module, next) = (outer, Some(name));
    }
    match next.and_then(|name| modules[module].shown.get(name)) {
        Some(shown) => home(shown, modules),
        None => Some(module.to_owned()),
    }
}

/// Every set of files in which each needs the other, directly or through more.
fn cycles() -> Vec<Vec<String>> {
    let modules = modules();
    let needs = |module: &str| -> BTreeSet<String> {
        let names = modules[module].names.iter().filter_map(|name| home(name, &modules));
        // A folder's `mod.rs` has what its files share, and names them: those two are read together.
        let is_above = |home: &str| module == home || module.starts_with(&format!("{home}::"));
        names.filter(|home| !is_above(home)).collect()
    };
    let direct: BTreeMap<_, _> = modules.keys().map(|module| (module.clone(), needs(module))).collect();
    let reach = |from: &str| {
        let mut reached = BTreeSet::new();
        let mut open: Vec<_> = direct[from].iter().collect();
        while let Some(module) = open.pop() {
            if reached.insert(module.as_str()) {
                open.extend(&direct[module]);
            }
        }
        reached
    };
    let reached: BTreeMap<_, _> = direct.keys().map(|module| (module.as_str(), reach(module))).collect();
    let mut cycles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (module, beyond) in &reached {
        let circle: Vec<_> = beyond.iter().filter(|other| reached[*other].contains(module)).collect();
        if circle.len() > 1 {
            let edges = circle.iter().map(|one| {
                let to: Vec<_> = direct[**one].iter().filter(|to| circle.contains(&&to.as_str())).cloned().collect();
                format!("{} -> {}", modules[**one].file, to.join(", "))
            });
            cycles.insert(edges.collect());
        }
    }
    cycles.into_iter().collect()
}

#[test]
fn no_two_files_need_each_other() {
    let cycles = cycles();
    let told: Vec<_> = cycles.iter().map(|cycle| cycle.join("\n  ")).collect();
    assert!(cycles.is_empty(), "{} cycles:\n- {}", cycles.len(), told.join("\n- "));
}
