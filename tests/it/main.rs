//! The integration tests, one binary, so that one link serves them all and one plane most of them.

// Helpers of tests are tests too; clippy sees only the functions themselves.
#![allow(clippy::unwrap_used)]

#[path = "../stage/mod.rs"]
mod stage;
mod support;

mod auto_mtls;
mod broken;
mod cases;
mod check;
mod command_line;
mod completion;
mod deploy;
mod describe;
mod encodings;
mod enroll;
mod files_interrupted;
mod fleet;
mod helm_told;
mod hints;
mod hostile_api;
mod hostile_items;
mod house;
mod in_pod;
mod inject;
mod inside;
mod kube_plugin;
mod kube_proxy;
mod kube_session;
mod kube_tls;
mod kubeconfig;
mod manners;
mod mesh;
mod mtls;
mod pair_self;
mod peer_auth;
mod progress;
mod progressive;
mod proxy_address;
mod proxy_plane;
mod rbac;
mod release;
mod report;
mod setup;
mod shells;
mod signals;
mod snapshot;
mod stage_injector;
mod stage_self;
mod steps;
mod tour;
mod transaction;
mod upgrade_values;
mod values_limits;
mod values_round_trip;
mod values_sources;
mod verify;
mod version;
mod written_files;
