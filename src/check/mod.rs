//! Findings: existing and expected problems, each with a stable code.
//!
//! A check is a value of [`CHECKS`]: its title, what it reads, and a function over a [`Look`], which records what could
//! not be read. A check for which something is unknown reports that and is never OK. Each check has its own file.

mod app_istiods;
mod auto_mtls;
mod certificate_files;
mod certificates;
mod circles;
pub(crate) mod codes;
pub(crate) mod control_plane;
mod deployments;
mod discovery;
mod exposure;
mod fields;
mod gateway_api;
pub(crate) mod groups;
mod helm;
mod in_files;
mod injection;
mod left_out;
pub(crate) mod look;
mod mtls;
mod opted_out;
mod peers;
mod pods;
mod port_modes;
mod prevented;
mod proxies;
mod references;
mod registry;
pub(crate) mod results;
mod settings;
mod sidecars;
mod stale;
mod statuses;
pub(crate) mod suppress;

pub(crate) use certificates::CHECK as CERTIFICATES;
pub(crate) use codes::FindingCode;
pub(crate) use helm::CHECK as HELM;
pub(crate) use look::{Beyond, Look, NotJudged, World};
pub use registry::CHECKS;
pub(crate) use registry::is_named;

use crate::command::Hint;
use crate::model::{Kind, Object, ObjectRef, Spot, Unknown, kinds};

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something does not work, or will not.
    Error,
    /// Something may not work, or not for long.
    Warning,
}

impl Severity {
    /// The name for output, such as `error`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// How urgent a finding is. On a terminal each has a section, in this order, so that the most urgent is read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    CouldBeBetter,
    WillBreak,
    /// Requests get 503s now.
    BrokenNow,
}

impl Section {
    /// All sections, in the order of the output.
    pub const ALL: [Self; 3] = [Self::CouldBeBetter, Self::WillBreak, Self::BrokenNow];

    /// The name in the JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CouldBeBetter => "couldBeBetter",
            Self::WillBreak => "willBreak",
            Self::BrokenNow => "brokenNow",
        }
    }

    /// The heading on a terminal.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::CouldBeBetter => "Could be better",
            Self::WillBreak => "Will break",
            Self::BrokenNow => "503 now",
        }
    }
}

/// A problem that a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: &'static FindingCode,
    /// The severity of its code, or an error if requests get 503s now.
    pub severity: Severity,
    pub section: Section,
    pub object: ObjectRef,
    /// The object that causes it: a policy, a gateway, an istiod, a CRD, a missing target. Otherwise a namespace: that of
    /// the backend, or the object's own. Findings with the same code and cause are one problem.
    pub decided_by: ObjectRef,
    /// One sentence about this object.
    pub message: String,
    /// The evidence, line by line.
    pub details: Vec<String>,
    /// The command that fixes it.
    pub hint: Option<Hint>,
    /// The position of the object in a file.
    pub spot: Option<Spot>,
}

/// Policies, and the workloads of proxies, istiods and Gloo itself. A finding about one of them has no other cause.
const DECIDE_THEMSELVES: [&Kind; 3] = [&kinds::PEER_AUTHENTICATION, &kinds::DEPLOYMENT, &kinds::DAEMON_SET];

/// The namespace of the pods behind an Upstream. Without a Service it is the Upstream's own.
fn backend_namespace(upstream: &Object) -> ObjectRef {
    let of_service = upstream.value["spec"]["kube"]["serviceNamespace"].as_str().filter(|name| !name.is_empty());
    ObjectRef::new(&kinds::NAMESPACE, "", of_service.unwrap_or(&upstream.reference.namespace))
}

impl Finding {
    /// A finding with one line.
    pub fn new(code: &'static FindingCode, object: &ObjectRef, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity,
            section: code.section(),
            object: object.clone(),
            decided_by: match object.namespace.as_str() {
                "" => object.clone(),
                _ if DECIDE_THEMSELVES.contains(&object.kind) => object.clone(),
                namespace => ObjectRef::new(&kinds::NAMESPACE, "", namespace),
            },
            message: message.into(),
            details: Vec::new(),
            hint: None,
            spot: None,
        }
    }

    /// Marks that requests get 503s now.
    #[must_use]
    pub fn breaks_now(self) -> Self {
        Self { severity: Severity::Error, section: Section::BrokenNow, ..self }
    }

    /// Sets the object that causes it.
    #[must_use]
    pub fn decided_by(self, decided_by: ObjectRef) -> Self {
        Self { decided_by, ..self }
    }

    /// Adds the evidence. Only the first ten lines are kept, with the number of the others.
    #[must_use]
    pub fn details(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        const SHOWN: usize = 10;
        let mut lines = lines.into_iter();
        self.details.extend(lines.by_ref().take(SHOWN));
        let more = lines.count();
        self.details.extend((more > 0).then(|| format!("and {more} more")));
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A permission other than listing the kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    pub verb: &'static str,
    /// The resource in RBAC's form: `pods/portforward`.
    pub resource: &'static str,
}

/// Port forwards into pods. Over WebSocket this is a get, and since Kubernetes 1.35 also a create.
const FORWARD: &[Access] =
    &[Access { verb: "get", resource: "pods/portforward" }, Access { verb: "create", resource: "pods/portforward" }];

/// A check.
pub struct Check {
    /// `Upstreams`, as in `Checking Upstreams... OK`.
    pub title: &'static str,
    /// The word for `--exclude`.
    pub word: &'static str,
    pub codes: &'static [&'static FindingCode],
    /// The kinds that it reads.
    pub kinds: &'static [&'static Kind],
    pub beyond: &'static [Access],
    pub run: fn(&Look<'_>) -> Vec<Finding>,
}

impl Check {
    /// The kinds that it lists, in RBAC's form: all that it does not get by name.
    pub fn lists(&self) -> impl Iterator<Item = String> {
        let resource = |kind: &&Kind| match kind.group {
            "" => kind.plural.to_owned(),
            group => format!("{}.{group}", kind.plural),
        };
        let is_named = |resource: &String| self.beyond.iter().any(|it| it.verb == "get" && it.resource == *resource);
        self.kinds.iter().map(resource).filter(move |resource| !is_named(resource))
    }
}

/// The result of a check.
pub(crate) struct Ran {
    pub check: &'static Check,
    pub findings: Vec<Finding>,
    /// Findings that are suppressed, each with the reason.
    pub suppressed: Vec<(Finding, String)>,
    /// What could not be read.
    pub unknown: Vec<Unknown>,
    /// What of the files could not be judged.
    pub not_judged: Vec<NotJudged>,
    /// Why there was nothing to check.
    pub skipped: Option<String>,
    /// The kinds that it read. A test compares them with the declared ones.
    #[cfg(test)]
    pub read: Vec<&'static Kind>,
    /// Whether it saw any object.
    pub saw_something: bool,
}

impl Ran {
    /// Number of findings of this severity.
    #[must_use]
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// Runs the checks.
#[must_use]
pub(crate) fn run<'w>(world: &'w World<'w>, checks: impl IntoIterator<Item = &'static Check>) -> Vec<Ran> {
    checks.into_iter().map(|check| run_one(world, check)).collect()
}

fn run_one<'w>(world: &'w World<'w>, check: &'static Check) -> Ran {
    let look = Look::new(world);
    let mut findings = (check.run)(&look);
    for finding in &mut findings {
        finding.spot = world.snapshot.spot(&finding.object).cloned();
        finding.hint = finding.hint.take().map(|hint| in_files::hint(hint, finding, world));
    }
    let key = |finding: &Finding| {
        let ObjectRef { namespace, name, .. } = &finding.object;
        (finding.severity, finding.code.id, namespace.clone(), name.clone(), finding.message.clone())
    };
    findings.sort_by_cached_key(key);
    let seen = look.into_seen();
    Ran {
        check,
        findings,
        suppressed: Vec::new(),
        unknown: seen.gaps,
        not_judged: seen.not_judged,
        skipped: seen.skipped,
        #[cfg(test)]
        read: seen.kinds,
        saw_something: seen.saw_something,
    }
}

#[cfg(test)]
mod tests;
