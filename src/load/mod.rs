//! The only reads: what stands around an object in the cluster, and files.

pub mod absence;
pub mod around_release;
pub mod chart;
pub mod checked;
pub mod dangling;
pub mod dump_file;
pub mod enrolment;
pub mod files;
pub mod gateways;
pub mod harm;
pub mod istio;
pub mod log;
pub mod mesh_certificates;
pub mod named_file;
pub mod names;
pub mod plaintext;
pub mod policies;
pub mod posture;
pub mod proxy_pods;
pub mod release;
pub mod served;
pub mod snapshot;
pub mod streamed;
pub mod suppressions;
pub mod survey;
pub mod witness;
