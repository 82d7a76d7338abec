//! The pods behind a destination: some take no TLS of Istio's, others require it.

use super::super::pod::{self, OPTED_OUT};
use crate::command::{CommandLine, Hint, gloo_rs};

/// Why a pod takes no TLS of Istio's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoSidecar {
    /// It was created without a sidecar. In an enrolled namespace, a new pod gets one.
    Enrollable,
    /// It gets no sidecar, whatever its namespace's labels are: the reason.
    Barred(&'static str),
    /// It is in the ambient mesh.
    Ambient,
}

/// What decides how a backend is fixed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BackendFix {
    /// The namespace of the pods.
    pub namespace: Option<String>,
    /// The value for `--revision` of `istio enroll`. `None` if the command finds the istiod itself.
    pub revision: Option<String>,
    /// The pods that take no TLS of Istio's and are not known to be unready.
    pub without: Vec<NoSidecar>,
    /// The command after which the pods that require mutual TLS accept plaintext as well. `None` if no pod requires it.
    pub opens: Option<CommandLine>,
    /// The value for `-u`. `None` if the destination is no Upstream.
    pub upstream: Option<String>,
}

impl BackendFix {
    /// The command that brings the pods into the mesh. `None` if none does: pods of an ambient namespace are in the mesh.
    pub(crate) fn enrolls(&self) -> Option<Hint> {
        let command = gloo_rs("istio enroll").value(self.namespace.as_deref()?);
        let enroll = match &self.revision {
            Some(revision) => command.with("--revision", revision),
            None => command,
        };
        match self.without.iter().find(|pod| !matches!(pod, NoSidecar::Barred(_))).or(self.without.first()) {
            _ if self.without.contains(&NoSidecar::Ambient) => None,
            Some(NoSidecar::Barred(why)) if *why == OPTED_OUT => {
                Some(enroll.after(format!("{why}: remove that, then ")))
            }
            Some(NoSidecar::Barred(_)) => None,
            _ => Some(enroll.into()),
        }
    }

    /// Whether new pods of the namespace are in the mesh once it is enrolled.
    fn is_enrollable(&self) -> bool {
        self.without.contains(&NoSidecar::Enrollable) && !self.without.contains(&NoSidecar::Ambient)
    }

    /// The fix if Istio's TLS is sent, and some pods do not take it. Pods that require mutual TLS must not be sent
    /// plaintext: their policy comes first.
    pub(crate) fn of_refused_tls(&self) -> Option<Hint> {
        if self.is_enrollable() {
            return self.enrolls();
        }
        let upstream = self.upstream.as_ref()?;
        let command = self.opens.clone().unwrap_or_else(|| pod::plaintext(upstream));
        Some(match self.without.first() {
            Some(NoSidecar::Barred(why)) => pod::unbarred(why, command),
            _ => command.into(),
        })
    }

    /// The fix if plaintext is sent, and some pods require mutual TLS. `enables` sends Istio's TLS to all of them, so the
    /// pods that take none must be able to first.
    pub(crate) fn of_refused_plaintext(&self, enables: Hint) -> Hint {
        match &self.opens {
            // Auto-mTLS sends to each pod what it takes.
            _ if self.without.is_empty() || self.upstream.is_none() => enables,
            _ if self.is_enrollable() => match self.enrolls() {
                Some(enroll) => enroll.text(", then ").and(enables),
                None => enables,
            },
            Some(opens) => opens.clone().into(),
            None => enables,
        }
    }
}
