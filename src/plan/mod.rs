//! What is to be done, decided from values alone: no I/O, no clock, no environment.

pub mod address;
pub mod advice;
pub mod backend;
pub mod gateway;
pub mod mtls;
pub mod nearest;
pub mod outcome;
pub mod owner;
pub mod peer;
pub mod proxy_name;
