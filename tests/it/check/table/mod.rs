//! Every code, where it is found and where it must not be: in files and on a real API server.

mod cluster;
mod files;

use gloo_rs::exports::check::codes;

use super::world::{self, Cluster};
use crate::house;

/// Whether there is a row in which a code is found, and one that looks alike and has it not.
fn both(fires: impl Iterator<Item = Option<bool>>) -> bool {
    let fires: Vec<_> = fires.flatten().collect();
    fires.contains(&true) && fires.contains(&false)
}

#[test]
fn every_code_and_its_neighbour_are_in_files_or_the_table_says_why_files_cannot_tell() {
    let rows = world::rows();
    for code in codes::ALL {
        let firing: Vec<_> = rows.iter().filter(|row| row.fires(code.id) == Some(true)).collect();
        let is_out = !firing.is_empty() && firing.iter().all(|row| row.fires_in_files(code.id).is_none());
        let is_in = both(rows.iter().map(|row| row.fires_in_files(code.id)));
        assert!(is_out || is_in, "{} has no row, or no neighbour, in files", code.id);
    }
}

#[test]
fn every_code_and_its_neighbour_are_on_a_real_api_server_or_the_table_names_the_test_that_has_them() {
    let rows = world::rows();
    let in_cluster: Vec<_> = rows.iter().filter(|row| row.in_cluster().is_some()).collect();
    for code in codes::ALL {
        let elsewhere = rows.iter().filter(|row| row.fires(code.id) == Some(true)).find_map(|row| match &row.cluster {
            Cluster::ProvenBy(test) => Some(test),
            _ => None,
        });
        match elsewhere {
            None => {
                let is_in = both(in_cluster.iter().map(|row| row.fires(code.id)));
                assert!(is_in, "{} has no row, or no neighbour, in the cluster", code.id);
            }
            Some(test) => {
                let (file, function) = test.split_once(": ").unwrap();
                let source = house::read(file);
                let (_, body) =
                    source.split_once(&format!("#[test]\nfn {function}()")).unwrap_or_else(|| panic!("{test}"));
                let body = body.split("#[test]").next().unwrap_or_default();
                assert!(body.contains(code.id), "{test} has no {}", code.id);
            }
        }
    }
}
