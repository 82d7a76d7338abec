//! Which files of the command line are those that a home names.

use super::source::{FileBase, FileReference};
/// Files or references that are equally likely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Clash {
    /// The reference with this index may mean each of these files.
    Files(usize, Vec<usize>),
    /// The file with this index may be each of these references.
    References(usize, Vec<usize>),
}

/// For each reference the index of its file: the one whose path ends most alike. One file is one reference.
///
/// # Errors
/// Several are equally likely.
pub(crate) fn assigned(references: &[FileReference], files: &[&str]) -> Result<Vec<Option<usize>>, Clash> {
    let mut chosen: Vec<Option<usize>> = vec![None; references.len()];
    let most = references.iter().map(|reference| parts(reference).len()).max().unwrap_or_default();
    for score in (1..=most).rev() {
        let is_used = |file: usize, chosen: &[Option<usize>]| chosen.contains(&Some(file));
        let fits = |reference: usize, file: usize, chosen: &[Option<usize>]| {
            let is_free = chosen[reference].is_none() && !is_used(file, chosen);
            is_free && alike(&references[reference], files[file]) == score
        };
        let before = chosen.clone();
        for reference in 0..references.len() {
            let of_reference: Vec<_> = (0..files.len()).filter(|file| fits(reference, *file, &before)).collect();
            let [file] = of_reference[..] else {
                match of_reference.is_empty() {
                    true => continue,
                    false => return Err(Clash::Files(reference, of_reference)),
                }
            };
            let of_file: Vec<_> = (0..references.len()).filter(|other| fits(*other, file, &before)).collect();
            if of_file.iter().any(|other| references[*other] != references[reference]) {
                return Err(Clash::References(file, of_file));
            }
            chosen[reference] = Some(file);
        }
    }
    Ok(chosen)
}

/// The parts of the path of a reference, below the name of its repository.
fn parts(reference: &FileReference) -> Vec<String> {
    let repository = match &reference.base {
        FileBase::Repository(repository) => repository.name(),
        FileBase::Directory(_) | FileBase::Chart => None,
    };
    repository.into_iter().chain(reference.path.split('/').map(str::to_owned)).collect()
}

/// The number of equal parts at the end of both paths.
pub(crate) fn alike(reference: &FileReference, file: &str) -> usize {
    let of_file = file.split('/').rev();
    parts(reference).iter().rev().zip(of_file).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::edit::values::repository::Repository;

    fn of(repository: &str, path: &str) -> FileReference {
        let base = FileBase::Repository(Repository::new(Some(repository)));
        FileReference { path: path.to_owned(), base }
    }

    #[test]
    fn a_file_is_the_reference_whose_path_ends_most_alike() {
        let (prod, dev) =
            (of("https://h/p.git", "envs/prod/values.yaml"), of("https://h/p.git", "envs/dev/values.yaml"));
        let both = [prod.clone(), dev.clone()];
        let table = [
            (&both[..], vec!["/r/envs/dev/values.yaml"], Ok(vec![None, Some(0)])),
            (&both, vec!["/r/envs/dev/values.yaml", "/r/envs/prod/values.yaml"], Ok(vec![Some(1), Some(0)])),
            (&both, vec!["/tmp/values.yaml"], Err(Clash::References(0, vec![0, 1]))),
            (&both[..1], vec!["/tmp/values.yaml"], Ok(vec![Some(0)])),
            (&both[..1], vec!["/tmp/other.yaml"], Ok(vec![None])),
            (&both[..1], vec!["/a/values.yaml", "/b/values.yaml"], Err(Clash::Files(0, vec![0, 1]))),
            // A file is one reference, however often that is named.
            (&[dev.clone(), dev.clone()], vec!["/tmp/values.yaml"], Ok(vec![Some(0), Some(0)])),
        ];
        for (references, files, wanted) in table {
            assert_eq!(assigned(references, &files), wanted, "{files:?}");
        }
        // The name of the repository tells two files of the same path apart.
        let two = [of("https://h/a.git", "values.yaml"), of("https://h/b.git", "values.yaml")];
        assert_eq!(assigned(&two, &["/x/b/values.yaml", "/x/a/values.yaml"]), Ok(vec![Some(1), Some(0)]));
        assert_eq!(assigned(&two, &["/x/b/values.yaml"]), Ok(vec![None, Some(0)]));
    }

    proptest! {
        #[test]
        fn a_file_that_fits_one_reference_best_is_that_one(
            references in prop::collection::vec("[ab]/[ab]/values[.]yaml", 1..4),
            files in prop::collection::btree_set("/(x/)?([ab]/){0,2}values[.]yaml", 1..4),
        ) {
            let references: Vec<_> = references.iter().map(|path| of("https://h/r.git", path)).collect();
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            let Ok(chosen) = assigned(&references, &files) else { return Ok(()) };
            let score = |reference: usize, file: usize| alike(&references[reference], files[file]);
            for (reference, file) in chosen.iter().enumerate().filter_map(|(reference, file)| Some((reference, (*file)?))) {
                // Another reference has it only if it is the same, and a file that fits better has gone to another one.
                for other in (0..references.len()).filter(|other| references[*other] != references[reference]) {
                    prop_assert_ne!(chosen[other], Some(file));
                }
                for better in (0..files.len()).filter(|other| score(reference, *other) > score(reference, file)) {
                    let owner = chosen.iter().position(|chosen| *chosen == Some(better));
                    prop_assert!(owner.is_some_and(|owner| score(owner, better) > score(reference, better)));
                }
            }
            // What is given is used, unless no reference is left.
            let is_left = |reference: &usize| chosen[*reference].is_none();
            let is_unused = |file: &usize| !chosen.contains(&Some(*file));
            prop_assert!((0..references.len()).find(is_left).is_none() || (0..files.len()).find(is_unused).is_none());
        }
    }
}
