//! The auth provider `oidc` of a kubeconfig: whether its token can be used or renewed, and why not. kube renews it.

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use ::kube::client::AuthError;
use ::kube::client::oidc_errors::{Error as OidcError, RefreshError};
use ::kube::config::AuthProviderConfig;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use serde_json::Value;

use super::failure::{ApiCause, TlsFault};
use super::kubeconfig_file::refused;
use super::tls::{cause_of, chain};
use crate::bounded;
use crate::error::{Exit, Failure, Reason};

/// The base64 of a JWT.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// A token that expires within this time is not sent.
pub(super) const MARGIN: Duration = Duration::from_secs(10);
/// What kube needs to renew a token. client-go can do without the secret of the client.
const TO_RENEW: [&str; 4] = ["idp-issuer-url", "refresh-token", "client-id", "client-secret"];
const LOG_IN: &str = "log in again; the identity provider's tool writes a new id-token into the kubeconfig";

/// A user of the provider whose token is valid, or can be renewed as far as the kubeconfig shows.
pub(super) struct OidcUser {
    /// `the OIDC token of user h (issuer https://idp.example)`
    token: String,
    is_expired: bool,
    /// Why the token could not be renewed, after the first try.
    failed: OnceLock<Failure>,
}

impl OidcUser {
    /// Reads the token. Sends nothing.
    ///
    /// # Errors
    /// The token is missing or is not a JWT, or it has expired and cannot be renewed.
    pub(super) fn open(provider: &AuthProviderConfig, user: &str) -> Result<Self, Failure> {
        let text = |key: &str| provider.config.get(key).map(String::as_str).filter(|text| !text.is_empty());
        let issuer = text("idp-issuer-url").unwrap_or("unknown");
        let token = format!("the OIDC token of user {user} (issuer {issuer})");
        let Some(jwt) = text("id-token") else {
            return Err(
                refused(format!("user {user}: auth-provider oidc has no id-token (issuer {issuer})")).hint(LOG_IN)
            );
        };
        let expires = expiry(jwt).ok_or_else(|| {
            refused(format!("{token} is not a JWT with an expiry"))
                .hint("id-token must be the ID token that the identity provider issued; log in again to get one")
        })?;
        let is_expired = Timestamp::now().as_second() + MARGIN.as_secs().cast_signed() >= expires;
        let missing = TO_RENEW.into_iter().find(|key| text(key).is_none());
        match missing.filter(|_| is_expired) {
            None => Ok(Self { token, is_expired, failed: OnceLock::new() }),
            Some(missing) => {
                let message = format!("{token} has expired and cannot be renewed: no {missing}");
                Err(Failure::new(Exit::SaidNo, Reason::Unauthorized, message).hint(LOG_IN))
            }
        }
    }

    /// Checks that the token is not known to be impossible to renew.
    ///
    /// # Errors
    /// Why an earlier request could not renew it.
    pub(super) fn usable(&self) -> Result<(), Failure> {
        self.failed.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Whether the next request renews the token first.
    pub(super) fn is_expired(&self) -> bool {
        self.is_expired
    }

    /// The failure if nothing answered in time while the token was renewed.
    pub(super) fn silent(&self, after: Duration) -> Failure {
        let message = format!("{} has expired, and it was not renewed within {after:?}", self.token);
        Failure::new(Exit::NoAnswer, Reason::Timeout, message)
            .hint("check that the identity provider can be reached from here; --timeout waits longer")
    }

    /// The failure if `error` says that the token could not be renewed; `None` for any other error.
    pub(super) fn failure(&self, error: &(dyn Error + 'static)) -> Option<Failure> {
        let refresh = chain(error).into_iter().find_map(|error| match error.downcast_ref()? {
            AuthError::Oidc(OidcError::Refresh(refresh)) => Some(refresh),
            _ => None,
        })?;
        let failure = |exit, reason, why: String| {
            Failure::new(exit, reason, format!("{} has expired, and {why}", self.token)).caused_by(error)
        };
        let failure = match refresh {
            RefreshError::InvalidURI(_) | RefreshError::HttpError(_) => {
                failure(Exit::Failed, Reason::Kubeconfig, "its issuer is not a URL".to_owned())
            }
            RefreshError::HyperError(_) | RefreshError::HyperUtilError(_) => match cause_of(error) {
                ApiCause::Tls(fault) => {
                    let hint = if fault == TlsFault::UnknownAuthority { UNKNOWN_AUTHORITY } else { LOG_IN };
                    failure(Exit::NoAnswer, Reason::Tls, format!("there is no TLS with the issuer: {}", fault.why()))
                        .hint(hint)
                }
                ApiCause::Unreachable { why, .. } => {
                    failure(Exit::NoAnswer, Reason::Unreachable, format!("there is no connection to the issuer: {why}"))
                        .hint("check that the identity provider is up and can be reached from here, or log in again")
                }
                _ => failure(Exit::NoAnswer, Reason::Unreachable, "the issuer did not answer".to_owned()),
            },
            refused => {
                failure(Exit::SaidNo, Reason::Unauthorized, format!("the issuer did not renew it: {}", answer(refused)))
                    .hint(LOG_IN)
            }
        };
        Some(self.failed.get_or_init(|| failure).clone())
    }
}

const UNKNOWN_AUTHORITY: &str = "only the trust store of this machine is used for the issuer; an exec plugin, such as kubelogin, can use another CA";

/// What the issuer answered, without the text of the answer, which may contain a token.
fn answer(error: &RefreshError) -> String {
    match error {
        RefreshError::RequestFailed(status) => format!("status {}", status.as_u16()),
        RefreshError::AuthorizationFailure => "it refused the refresh token or the client".to_owned(),
        RefreshError::NoIdTokenReceived => "its answer has no id_token".to_owned(),
        _ => "its answer is not one of an OpenID provider".to_owned(),
    }
}

/// When a JWT expires, in seconds since 1970; `None` if the text is not a JWT with an expiry.
fn expiry(jwt: &str) -> Option<i64> {
    let claims = BASE64.decode(jwt.split('.').nth(1)?).ok()?;
    let claims: Value = bounded::inside(&claims)?;
    #[expect(clippy::cast_possible_truncation, reason = "a time with a fraction is a time")]
    claims["exp"].as_i64().or_else(|| claims["exp"].as_f64().map(|seconds| seconds as i64))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.sig", BASE64.encode(claims))
    }

    fn open(config: &[(&str, &str)]) -> Result<OidcUser, Failure> {
        let config: HashMap<_, _> =
            config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        OidcUser::open(&AuthProviderConfig { name: "oidc".to_owned(), config, other: BTreeMap::new() }, "h")
    }

    #[test]
    fn a_token_that_cannot_be_used_or_renewed_is_reported_with_user_and_issuer() {
        let (old, valid) = (jwt(r#"{"exp": 1700000000}"#), jwt(r#"{"exp": 4843639092.5}"#));
        let issuer = ("idp-issuer-url", "https://idp.example");
        let all = [issuer, ("refresh-token", "secret"), ("client-id", "kube"), ("client-secret", "secret")];
        assert!(!open(&[("id-token", &valid)]).ok().unwrap().is_expired());
        assert!(open(&[&all[..], &[("id-token", &old)]].concat()).ok().unwrap().is_expired());
        let table: [(&[_], _, _, _); 5] = [
            (&all, Exit::Failed, Reason::Kubeconfig, "has no id-token"),
            (&[issuer, ("id-token", "secret")], Exit::Failed, Reason::Kubeconfig, "is not a JWT"),
            (&[issuer, ("id-token", "a.secret.c")], Exit::Failed, Reason::Kubeconfig, "is not a JWT"),
            (&[issuer, ("id-token", &old)], Exit::SaidNo, Reason::Unauthorized, "no refresh-token"),
            (
                &[&all[..3], &[("id-token", old.as_str())]].concat(),
                Exit::SaidNo,
                Reason::Unauthorized,
                "no client-secret",
            ),
        ];
        for (config, exit, reason, why) in table {
            let failure = open(config).err().unwrap();
            assert_eq!((failure.exit, failure.reason), (exit, reason), "{why}");
            let message = &failure.message;
            assert!(
                message.contains(why) && message.contains("user h") && message.contains("https://idp.example"),
                "{message}"
            );
            assert!(!format!("{failure:?}").contains("secret,") && !failure.hints.is_empty());
        }
        assert!(open(&[("id-token", &old)]).err().unwrap().message.contains("issuer unknown"));
    }

    #[test]
    fn why_a_token_was_not_renewed_is_the_issuers_answer() {
        let user =
            || OidcUser { token: "the OIDC token of user h".to_owned(), is_expired: true, failed: OnceLock::new() };
        let of = |error: RefreshError| {
            let user = user();
            let failure = user.failure(&AuthError::Oidc(OidcError::Refresh(error))).unwrap();
            assert_eq!(user.usable().unwrap_err().message, failure.message, "the next request does not try again");
            failure
        };
        let refused = of(RefreshError::AuthorizationFailure);
        assert_eq!((refused.exit, refused.reason), (Exit::SaidNo, Reason::Unauthorized));
        assert!(
            refused.message.ends_with("did not renew it: it refused the refresh token or the client"),
            "{}",
            refused.message
        );
        let bad = of(RefreshError::InvalidURI("a b".parse::<http::Uri>().unwrap_err()));
        assert_eq!((bad.exit, bad.reason), (Exit::Failed, Reason::Kubeconfig));
        let user = user();
        assert!(user.failure(&std::io::Error::other("x")).is_none() && user.usable().is_ok());
    }
}
