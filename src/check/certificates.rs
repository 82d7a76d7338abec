//! Checks the certificates that the gateways use towards the mesh: expired, about to expire, or of another root.

use super::{Check, FORWARD, Finding, Look, codes};
use crate::command::kubectl;
use crate::model::{ObjectRef, kinds};

/// Time in seconds. istio-proxy renews at half of a day, so an hour before the end it has tried for eleven hours.
const SOON: i64 = 3600;

pub(crate) const CHECK: Check = Check {
    title: "certificates",
    word: "certificates",
    codes: &[&codes::CERTIFICATE_EXPIRED, &codes::CERTIFICATE_NEAR_END, &codes::CERTIFICATE_ROOT],
    kinds: &[&kinds::POD, &kinds::CONFIG_MAP],
    beyond: FORWARD,
    run,
};

fn run(look: &Look<'_>) -> Vec<Finding> {
    // Marks the pods that were queried and their root certificate as read.
    look.in_namespace(&kinds::POD, look.gloo());
    look.in_namespace(&kinds::CONFIG_MAP, look.gloo());
    let Some(certificates) = look.beyond(&look.world.certificates) else { return Vec::new() };
    let mut found = Vec::new();
    for certificate in certificates {
        let pod = ObjectRef::new(&kinds::POD, certificate.namespace.as_str(), certificate.pod.as_str());
        match certificate.left {
            left if left <= 0 => {
                let message = format!("the certificate expired {} ago", span(-left));
                found.push(Finding::new(&codes::CERTIFICATE_EXPIRED, &pod, message));
            }
            left if left < SOON => {
                let message = format!("the certificate expires in {}", span(left));
                found.push(Finding::new(&codes::CERTIFICATE_NEAR_END, &pod, message));
            }
            _ => {}
        }
        if certificate.is_of_the_mesh == Some(false) {
            let message = "it trusts another root than the one in istio-ca-root-cert";
            found.push(Finding::new(&codes::CERTIFICATE_ROOT, &pod, message));
        }
    }
    let hint = |finding: Finding| {
        let hint =
            kubectl("logs").value(&finding.object.name).fixed("-c istio-proxy -n").value(&finding.object.namespace);
        let workload = look.workload_of(&finding.object);
        finding.hint(hint).decided_by(workload)
    };
    found.into_iter().map(hint).collect()
}

fn span(seconds: i64) -> String {
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
