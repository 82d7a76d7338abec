//! Reads the policies of the mesh, in the version that Istio serves, and finds the root namespace.

use serde_json::Value;

use super::istio;
use super::unread::{unread, why};
use crate::error::Failure;
use crate::kube::{ApiCause, ApiError, Freshness, Query, Scope, Session};
pub(crate) use crate::model::names::ISTIO_SYSTEM;
use crate::model::{Kind, kinds};
use crate::plan::Unread;
use crate::plan::peer::{self, Policies};

/// The versions of each kind of policy, the newest first. Istio 1.22 introduced `v1`. Earlier versions serve only
/// `v1beta1`, later ones both.
const VERSIONS: [[&Kind; 2]; 2] = [
    [&kinds::PEER_AUTHENTICATION, &kinds::PEER_AUTHENTICATION_BETA],
    [&kinds::AUTHORIZATION_POLICY, &kinds::AUTHORIZATION_POLICY_BETA],
];

/// The version of a kind that Istio before 1.22 serves.
pub(super) fn older(kind: &Kind) -> Option<&'static Kind> {
    VERSIONS.into_iter().find_map(|[newest, oldest]| (*newest == *kind).then_some(oldest))
}

/// The policies, as far as they could be read.
#[derive(Debug)]
pub(crate) struct Mesh {
    /// The version that the API server has.
    pub kind: &'static Kind,
    pub all: Vec<Value>,
    pub root: Root,
    /// Why policies of other namespaces than the requested one are missing.
    pub partial: Option<Unread>,
    /// Whether those of the root namespace are included.
    has_root: bool,
}

/// The root namespace, whose policies apply to the whole mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Root {
    Known(String),
    /// It is unknown, so Istio's default is assumed.
    Guessed {
        why: Unread,
    },
    /// The control planes have different ones.
    Several(Vec<String>),
}

impl Root {
    /// Its name, or the most likely one.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Guessed { .. } => ISTIO_SYSTEM,
            Self::Several(names) => names.iter().find(|name| *name == ISTIO_SYSTEM).unwrap_or(&names[0]),
        }
    }

    /// Its name, or the most likely one if control planes have different ones.
    ///
    /// # Errors
    /// It is unknown.
    pub(crate) fn told(self) -> Result<String, Unread> {
        match self {
            Self::Guessed { why } => {
                let message = format!("which namespace holds the mesh-wide policies is unknown: {}", why.why);
                Err(Unread { why: message, ..why })
            }
            told => Ok(told.name().to_owned()),
        }
    }
}

impl Mesh {
    /// Why the mesh-wide policies are missing.
    pub(crate) fn hidden(&self) -> Option<&Unread> {
        self.partial.as_ref().filter(|_| !self.has_root)
    }

    /// The policies as input of a plan.
    pub(crate) fn policies(&self) -> Policies<'_> {
        Policies { all: &self.all, root_namespace: self.root.name() }
    }
}

/// The policies of a scope, and the version in which they were read.
///
/// # Errors
/// Why they could not be listed.
pub(crate) async fn list(
    session: &Session,
    scope: Scope<'_>,
    freshness: Freshness,
) -> Result<(&'static Kind, Vec<Value>), ApiError> {
    of_kind(session, VERSIONS[0], scope, Query { freshness, ..Query::default() }).await
}

/// The authorization policies of the mesh.
///
/// # Errors
/// Why they could not be listed.
pub(super) async fn authorization(session: &Session, freshness: Freshness) -> Result<Vec<Value>, ApiError> {
    let query = Query { freshness, ..Query::default() };
    of_kind(session, VERSIONS[1], Scope::All, query).await.map(|(_, all)| all)
}

async fn of_kind(
    session: &Session,
    [newest, oldest]: [&'static Kind; 2],
    scope: Scope<'_>,
    query: Query,
) -> Result<(&'static Kind, Vec<Value>), ApiError> {
    match session.list_all(newest, scope, query.clone()).await {
        Err(error) if error.cause == ApiCause::NoCrd => match session.list_all(oldest, scope, query).await {
            Ok(all) => Ok((oldest, all)),
            // Neither version exists: the failure for the newer one has the current API name.
            Err(older) => Err(if older.cause == ApiCause::NoCrd { error } else { older }),
        },
        read => read.map(|all| (newest, all)),
    }
}

/// Every policy. If these may not be listed, those of one namespace and of the root namespace.
///
/// # Errors
/// Not even those of that namespace may be listed.
pub(crate) async fn read(session: &Session, root: Root, namespace: Option<&str>) -> Result<Mesh, Failure> {
    let everywhere = match list(session, Scope::All, Freshness::Now).await {
        Ok((kind, all)) => return Ok(Mesh { kind, all, root, partial: None, has_root: true }),
        Err(error) => error,
    };
    let Some(namespace) = namespace.filter(|_| matches!(everywhere.cause, ApiCause::Forbidden { .. })) else {
        return Err(everywhere.into_failure(session));
    };
    let own = list(session, Scope::Namespace(namespace), Freshness::Now).await;
    let (kind, mut all) = own.map_err(|error| error.into_failure(session))?;
    if namespace == root.name() {
        return Ok(Mesh { kind, all, root, partial: Some(unread(session, everywhere)), has_root: true });
    }
    let partial = match list(session, Scope::Namespace(root.name()), Freshness::Now).await {
        Ok((_, of_mesh)) => {
            all.extend(of_mesh);
            None
        }
        Err(error) => Some(unread(session, error)),
    };
    let has_root = partial.is_none();
    Ok(Mesh { kind, all, root, partial, has_root })
}

/// The root namespace according to the control planes, or to the mesh configuration if they may not be listed.
pub(crate) async fn root(session: &Session, said: Option<&str>) -> Root {
    if let Some(said) = said {
        return Root::Known(said.to_owned());
    }
    let why = match istio::root_namespaces(session).await {
        Ok(names) => {
            let mut names: Vec<_> = names.into_iter().collect();
            match (names.pop(), names.is_empty()) {
                (Some(only), true) => return Root::Known(only),
                (Some(last), false) => {
                    names.push(last);
                    return Root::Several(names);
                }
                (None, _) => "no istiod is in the cluster".into(),
            }
        }
        Err(failure) => Unread::from(failure.message),
    };
    let query = Query::labelled(crate::plan::istiod::REVISION_LABEL);
    match session.list_all(&kinds::CONFIG_MAP, Scope::Namespace(ISTIO_SYSTEM), query).await {
        Ok(maps) => peer::root_namespace(&maps).map_or(Root::Guessed { why }, Root::Known),
        Err(error) => Root::Guessed { why: format!("{why}; {}", self::why(&error)).into() },
    }
}
