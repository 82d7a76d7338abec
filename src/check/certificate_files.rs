//! Finds Upstreams that present Istio's certificate from files. Envoy does not read the files again when the certificate
//! is renewed.

use super::{Finding, backend_namespace, codes};
use crate::command::gloo_rs;
use crate::model::Object;
use crate::plan::mtls::advice::typed;
use crate::plan::ssl_config::{Tls, tls_of};

pub(super) fn run(upstreams: &[&Object]) -> Vec<Finding> {
    upstreams.iter().filter_map(|upstream| of_upstream(upstream)).collect()
}

fn of_upstream(upstream: &Object) -> Option<Finding> {
    let Tls::IstioFiles(config) = tls_of(&upstream.value) else { return None };
    let message = "Envoy does not read Istio's certificate files again: 503 after 24 hours, until the gateway restarts";
    let files = config["sslFiles"].as_object().into_iter().flatten();
    let files = files.filter_map(|(key, path)| Some(format!("spec.sslConfig.sslFiles.{key}: {}", path.as_str()?)));
    let fix = gloo_rs("istio enable-mtls").with("-u", typed(&upstream.reference));
    let finding = Finding::new(&codes::CERTIFICATE_FILES, &upstream.reference, message).details(files).hint(fix);
    Some(finding.decided_by(backend_namespace(upstream)))
}
