//! One type name, one concept: no two types that other files can see have the same name.

use std::collections::BTreeMap;

use syn::{Item, Visibility};

use super::{files_below, read};

/// The types of a file that other files can see.
fn visible(items: &[Item], found: &mut Vec<String>) {
    for item in items {
        let (name, visibility) = match item {
            Item::Struct(it) => (&it.ident, &it.vis),
            Item::Enum(it) => (&it.ident, &it.vis),
            Item::Trait(it) => (&it.ident, &it.vis),
            Item::Type(it) => (&it.ident, &it.vis),
            Item::Mod(it) => {
                let is_test = it.ident == "tests";
                it.content.iter().filter(|_| !is_test).for_each(|(_, items)| visible(items, found));
                continue;
            }
            _ => continue,
        };
        if !matches!(visibility, Visibility::Inherited) {
            found.push(name.to_string());
        }
    }
}

#[test]
fn a_type_that_other_files_see_has_a_name_of_its_own() {
    let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files_below("src", ".rs").into_iter().filter(|file| !file.contains("/tests")) {
        let mut found = Vec::new();
        visible(&syn::parse_file(&read(&file)).unwrap().items, &mut found);
        for name in found {
            by_name.entry(name).or_default().push(file.clone());
        }
    }
    assert!(by_name.len() > 500, "only {} names were found", by_name.len());
    let shared: Vec<_> = by_name.iter().filter(|(_, files)| files.len() > 1).collect();
    assert!(shared.is_empty(), "{shared:#?}");
}
