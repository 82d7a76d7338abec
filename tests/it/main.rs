//! Integration tests: one binary, one link.

// Helpers of tests are tests too; clippy sees only the functions themselves.
#![allow(clippy::unwrap_used)]

mod kube_plugin;
mod kube_proxy;
mod kube_session;
mod kubeconfig;
mod support;
