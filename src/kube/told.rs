//! Reports the failure of a request, with the cluster, the user and the proxy that were used.

use super::Session;
use super::failure::{ApiCause, ApiError, TlsFault, one_line};
use crate::command::Hint;
use crate::error::{Exit, Failure};

impl ApiError {
    /// The failure as it is reported to a person or a script.
    #[must_use]
    pub fn into_failure(self, session: &Session) -> Failure {
        let mut failure = Failure::new(self.exit(), self.reason(), self.line(session.server()));
        let place = session.place();
        failure.causes.clone_from(&self.causes);
        match &self.cause {
            ApiCause::NotFound | ApiCause::NoNamespace | ApiCause::NoCrd => {
                failure = failure.detail(session.looked());
            }
            ApiCause::Forbidden { rule: Some(rule), .. } => {
                if let Some(user) = &rule.user {
                    failure = failure.detail(format!("as {}", one_line(user)));
                }
                failure = failure.detail(place).hint(Hint::allowing(rule.as_ref().clone()));
            }
            ApiCause::Credentials(inner) => {
                failure.details.clone_from(&inner.details);
                failure.hints.clone_from(&inner.hints);
                failure.causes.clone_from(&inner.causes);
                failure = failure.detail(place);
            }
            _ => failure = failure.detail(place),
        }
        let is_of_login = matches!(self.cause, ApiCause::Credentials(_));
        let wire = !is_of_login && (self.exit() == Exit::NoAnswer || matches!(self.cause, ApiCause::BadAnswer(_)));
        if let Some(via) = session.via().filter(|_| wire) {
            failure = failure.detail(format!("through the proxy {via}"));
        }
        let refused = matches!(self.cause, ApiCause::Unauthorized | ApiCause::Forbidden { .. });
        if let Some(withheld) = session.withheld().filter(|_| refused) {
            return failure.detail(withheld.to_string()).hint("write https:// in the kubeconfig's server");
        }
        if self.cause == ApiCause::Tls(TlsFault::UnknownAuthority) && !session.has_authority() {
            return failure.hint(
                "the cluster has no certificate-authority in the kubeconfig, so this machine's trust store was used",
            );
        }
        match self.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
