//! Tokens that change during a run: from a file, from an exec plugin. kube handles the other credentials.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ::kube::config::{AuthInfo, ExecAuthCluster};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::Target;
use super::exec::{Credential, Plugin};
use super::kubeconfig::ChosenContext;
use super::kubeconfig_file::refused;
use super::oidc::{MARGIN, OidcUser};
use crate::error::{Failure, plain};
use crate::file;

/// The age after which a token file is read again. The kubelet replaces it before it expires.
const REREAD: Duration = Duration::from_mins(1);

enum Origin {
    /// kube's own layer sends the credentials, if there are any.
    Fixed,
    File(PathBuf),
    Plugin(Box<Plugin>),
    /// kube's own layer sends the token, and renews it.
    Oidc(OidcUser),
}

struct State {
    header: Option<HeaderValue>,
    read: Instant,
    expires: Option<Timestamp>,
}

/// The source of the `Authorization` header.
pub(super) struct Bearer {
    origin: Origin,
    state: Mutex<State>,
}

impl Bearer {
    /// Takes over from `chosen` the credentials that kube handles less well: kube runs a plugin twice, on this thread
    /// and without a deadline, and it sends the newline at the end of a token file.
    pub(super) async fn open(chosen: &mut ChosenContext, target: &Target) -> Result<Self, Failure> {
        let provider = chosen.user.auth_provider.as_ref();
        let oidc = provider.map(|provider| {
            known_provider(&provider.name, &chosen.context)?;
            OidcUser::open(provider, &chosen.user_name)
        });
        let oidc = oidc.transpose()?;
        let user = &mut chosen.user;
        let mut state = State { header: None, read: Instant::now(), expires: None };
        let basic = user.username.is_some() && user.password.is_some();
        let origin = if let Some(oidc) = oidc {
            Origin::Oidc(oidc)
        } else if basic {
            Origin::Fixed
        } else if let Some(path) = user.token_file.take().filter(|path| !path.is_empty()) {
            // In client-go the token file wins over the token in the same user entry.
            user.token = None;
            state.header = Some(read_token(Path::new(&path), &chosen.context)?);
            Origin::File(PathBuf::from(path))
        } else if user.token.is_none()
            && let Some(config) = user.exec.take()
        {
            let cluster =
                if config.provide_cluster_info { ExecAuthCluster::try_from(&chosen.cluster).ok() } else { None };
            let plugin = Plugin { config, cluster, environment: target.environment.clone(), deadline: target.timeout };
            let credential = plugin.run().await?;
            state.accept(&credential, &plugin)?;
            use_certificate(user, credential);
            Origin::Plugin(Box::new(plugin))
        } else {
            user.exec = None;
            Origin::Fixed
        };
        Ok(Self { origin, state: Mutex::new(state) })
    }

    /// The header for the next request.
    pub(super) async fn header(&self) -> Result<Option<HeaderValue>, Failure> {
        let mut state = self.state.lock().await;
        match &self.origin {
            Origin::Fixed => return Ok(None),
            Origin::Oidc(user) => return user.usable().map(|()| None),
            Origin::File(path) if state.read.elapsed() > REREAD => {
                // As in client-go: if the file no longer exists, the last token stays in use.
                if let Ok(header) = read_token(path, "") {
                    state.header = Some(header);
                }
                state.read = Instant::now();
            }
            Origin::Plugin(plugin) if state.expires.is_some_and(|at| Timestamp::now() + MARGIN >= at) => {
                let credential = plugin.run().await?;
                state.accept(&credential, plugin)?;
            }
            _ => {}
        }
        Ok(state.header.clone())
    }

    /// The user whose token kube renews.
    pub(super) fn oidc(&self) -> Option<&OidcUser> {
        if let Origin::Oidc(user) = &self.origin { Some(user) } else { None }
    }

    /// Gets a new token after a request with `refused` was answered with 401. Returns `false` if there is no other
    /// token.
    pub(super) async fn renew(&self, refused: Option<&HeaderValue>) -> Result<bool, Failure> {
        let Origin::Plugin(plugin) = &self.origin else { return Ok(false) };
        let mut state = self.state.lock().await;
        // Another request of this run may have renewed the token while this one waited for the lock.
        if state.header.as_ref() == refused {
            let credential = plugin.run().await?;
            state.accept(&credential, plugin)?;
        }
        Ok(state.header.as_ref() != refused)
    }
}

impl State {
    fn accept(&mut self, credential: &Credential, plugin: &Plugin) -> Result<(), Failure> {
        self.expires = credential.expires;
        self.header = match &credential.token {
            Some(token) => Some(bearer(token).ok_or_else(|| {
                refused(format!("exec plugin {} gave a token that cannot be a header", plugin.name()))
            })?),
            None => None,
        };
        Ok(())
    }
}

/// Checks the legacy auth provider: only `oidc` is supported. For `gcp` kube would run the command named in the
/// kubeconfig without a deadline, and kubectl has removed `gcp` and `azure` in 1.26.
fn known_provider(name: &str, context: &str) -> Result<(), Failure> {
    let bad = |why: &str| refused(format!("context {context}: auth-provider {name} {why}"));
    let removed = "is not supported, as in kubectl since 1.26; nothing was run";
    match name {
        "oidc" => Ok(()),
        "gcp" => Err(bad(removed).hint(
            "use the exec plugin gke-gcloud-auth-plugin: gcloud container clusters get-credentials writes such a kubeconfig",
        )),
        "azure" => Err(bad(removed).hint("use the exec plugin kubelogin: kubelogin convert-kubeconfig writes such a kubeconfig")),
        _ => Err(bad("is not supported").hint("use an exec plugin, or oidc")),
    }
}

fn use_certificate(user: &mut AuthInfo, credential: Credential) {
    let Some((certificate, key)) = credential.certificate else { return };
    user.client_certificate_data = Some(BASE64.encode(certificate));
    user.client_key_data = Some(BASE64.encode(key).into());
}

fn read_token(path: &Path, context: &str) -> Result<HeaderValue, Failure> {
    let bad = |why: &str| refused(format!("context {context}: token file {}: {why}", path.display()));
    let token = file::text(path).map_err(|error| bad(&plain(&error)).caused_by(&error))?;
    if token.trim().is_empty() {
        return Err(bad("empty"));
    }
    bearer(token.trim()).ok_or_else(|| bad("holds what cannot be a header"))
}

fn bearer(token: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}
