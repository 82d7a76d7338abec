//! Warnings and notes: what an operator should know but what does not make a command fail.

use super::Unread;
use super::Words;
use super::owner::Owner;
use super::path::Cause;
use crate::command::{Hint, flag, gloo_rs};
use crate::error::Reason;
use crate::model::{ObjectRef, kinds};

/// Declares the closed list of codes: the variant, its name in the JSON, what it means.
macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// What a warning or a note is about: a closed list, listed in `docs/output.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])* $variant,)* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in the JSON.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means, for the docs.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*).trim_ascii(),)* }
            }
        }
    };
}

codes! {
    /// No gateway proxy has the `sds` and `istio-proxy` sidecars.
    NoGatewaySidecars = "noGatewaySidecars",
    /// No gateway's bootstrap has the cluster `gateway_proxy_sds`.
    NoSdsCluster = "noSdsCluster",
    /// Auto-mTLS already covers the Upstream.
    AutoMtls = "autoMtls",
    /// Pods behind the Upstream have no sidecar.
    NoSidecar = "noSidecar",
    /// No pod is behind the Upstream.
    NoPods = "noPods",
    /// The Upstream is not a Kubernetes Service.
    NotKubernetes = "notKubernetes",
    /// The pods accept only mutual TLS.
    StrictPeer = "strictPeer",
    /// The pods do not accept mutual TLS.
    DisabledPeer = "disabledPeer",
    /// Something else manages the object and may undo the change.
    Owner = "owner",
    /// Something could not be read.
    Unknown = "unknown",
    /// A flag or an environment variable has no effect here.
    NoEffect = "noEffect",
    /// The connection to the API server has no TLS, so the kubeconfig's credentials are not sent.
    NoCredentials = "noCredentials",
    /// The connection to the API server is not encrypted, or the server's certificate is not verified.
    Insecure = "insecure",
    /// The address is reachable only from inside the cluster.
    InsideOnly = "insideOnly",
    /// The address is a node's internal one, reachable only from the nodes' network.
    NodesOnly = "nodesOnly",
    /// The load balancer does not serve the port at one of its addresses.
    PortNotServed = "portNotServed",
    /// A file, or a part of it, was skipped.
    PassedOver = "passedOver",
    /// Comments inside replaced or removed text are not kept.
    LostComments = "lostComments",
    /// The server could not be reached.
    NoServer = "noServer",
    /// Helm is run without its wait, which would not end before its deadline.
    HelmWait = "helmWait",
    /// No istiod has the address that the gateway uses.
    IstiodGone = "istiodGone",
    /// The istiod is not ready, or a tag points to one that is not.
    IstiodNotReady = "istiodNotReady",
    /// A tag has no Service of its own.
    TagWithoutService = "tagWithoutService",
    /// The sidecar's image is older than the running version.
    OldImage = "oldImage",
    /// A pull secret that gloo has is missing at the gateway.
    PullSecret = "pullSecret",
    /// Pods run on another revision than their namespace names.
    StalePods = "stalePods",
    /// There is another policy of the same level, and Istio uses only the older one.
    ShadowedPolicy = "shadowedPolicy",
    /// Istio ignores a part of a policy.
    IgnoredPart = "ignoredPart",
    /// A narrower policy, or a port, keeps another mode.
    KeepsMode = "keepsMode",
    /// An `AuthorizationPolicy` starts or stops to match the gateway's requests.
    AuthorizationMatch = "authorizationMatch",
    /// Pods have no sidecar, so no policy applies to them.
    OutOfReach = "outOfReach",
    /// Clients without a sidecar get no answer any more. They were not searched for.
    PlainClients = "plainClients",
    /// An Upstream that no route names would get 503s.
    UnroutedUpstream = "unroutedUpstream",
    /// A restart leaves too few pods for a while.
    Interruption = "interruption",
    /// Something was only partly done and is completed.
    Completed = "completed",
    /// Auto-mTLS may break an Upstream.
    MayHarm = "mayHarm",
    /// Something refers to the cluster that is removed.
    Dangling = "dangling",
    /// The chart is old and lacks what current charts have.
    OldChart = "oldChart",
    /// A value that was set explicitly is kept.
    Explicit = "explicit",
    /// A key was null, which removes the chart's own value. That value is restored.
    NullBack = "nullBack",
    /// A value makes another value ineffective.
    Swallowed = "swallowed",
    /// No template uses a value.
    Unread = "unread",
    /// A value is deprecated.
    Deprecated = "deprecated",
    /// Helm's hook jobs will hang.
    HookHangs = "hookHangs",
    /// Helm will conflict with what was changed in the cluster.
    HelmConflict = "helmConflict",
    /// Helm is run with the same user, and needs rights of its own.
    HelmRights = "helmRights",
    /// The cluster differs from the values.
    Differs = "differs",
    /// The output contains secrets.
    Secret = "secret",
    /// The latest revision of the release is not the deployed one.
    ReleaseState = "releaseState",
    /// Helm does not upgrade CRDs.
    Crds = "crds",
    /// Envoy refused the last update of a resource.
    Rejected = "rejected",
    /// Nothing matches the request.
    Nothing = "nothing",
    /// A certificate is valid for less time than requested.
    Expiring = "expiring",
    /// Envoy waits for something.
    Warming = "warming",
    /// A pod is not ready. It is read anyway, or skipped.
    NotReady = "notReady",
    /// A header that is not part of the values was removed.
    Header = "header",
    /// A suppression of findings has expired, or matches no finding.
    Suppression = "suppression",
}

impl Code {
    /// Returns the code of a cause: the code of its reason, which has the same name.
    pub fn for_cause(cause: Cause) -> Self {
        Self::for_reason(cause.row().reason)
    }

    /// Returns the code that has the same name as the reason.
    pub fn for_reason(reason: Reason) -> Self {
        Self::ALL.iter().copied().find(|code| code.name() == reason.name()).unwrap_or(Self::Unknown)
    }
}

/// The severity of an [`Advice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    Warning,
    Note,
}

/// A warning or a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    pub weight: Weight,
    pub code: Code,
    pub message: String,
    pub details: Vec<String>,
    pub hint: Option<Hint>,
    pub object: Option<ObjectRef>,
}

impl Advice {
    /// Creates a warning with one line.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { weight: Weight::Warning, code, message: message.into(), details: Vec::new(), hint: None, object: None }
    }

    /// Creates a note with one line.
    pub fn note(code: Code, message: impl Into<String>) -> Self {
        Self { weight: Weight::Note, ..Self::warning(code, message) }
    }

    /// Creates a note about something that could not be read. It has no object, because the same reason often holds for
    /// many objects.
    pub fn unknown(what: &str, why: &Unread) -> Self {
        let note = Self::note(Code::Unknown, format!("{what}: {why}"));
        match &why.rule {
            Some(rule) => note.hint(Hint::allowing(rule.as_ref().clone())),
            None => note,
        }
    }

    /// Adds lines below the message.
    #[must_use]
    pub fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// Sets what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the object that the advice is about.
    #[must_use]
    pub fn about(mut self, object: &ObjectRef) -> Self {
        self.object = Some(object.clone());
        self
    }
}

/// Returns the advice about another writer of a changed object, and about how to make the change last.
pub(crate) fn on_owner(words: Words, object: &ObjectRef, owner: &Owner) -> Advice {
    // For the Settings object, the switches are in the chart's values.
    let (what, which, lasting) = match object.kind == &kinds::SETTINGS {
        true => (
            "Settings",
            "",
            gloo_rs("upgrade-values").of_installation(&object.namespace).after("change the release's values as well: "),
        ),
        false => ("this Upstream", "-u ...", Hint::from("change the chart's template or values as well")),
    };
    let again = gloo_rs(words.command).fixed(which).fixed("-f PATH --write");
    let advice = match owner {
        Owner::ArgoCd { .. } | Owner::Flux { .. } => {
            Advice::warning(Code::Owner, format!("{owner} manages {what} and will undo the change"))
                .hint(again.after("change it in Git: "))
        }
        Owner::Helm { .. } => {
            Advice::warning(Code::Owner, format!("{owner} manages {what}; its next upgrade may undo the change"))
                .hint(lasting)
        }
        Owner::Discovery => Advice::note(
            Code::Owner,
            "Gloo's discovery made this Upstream; it keeps this setting while the Service exists",
        ),
    };
    advice.about(object)
}

/// Returns the note for a dry run that could not test the write.
pub(crate) fn on_untried(object: &ObjectRef) -> Advice {
    Advice::note(Code::Unknown, format!("{object}: not validated (a webhook does not support dry run)")).about(object)
}

/// Returns at most ten lines, and a last line with the number of the others.
pub(crate) fn some_of(lines: impl ExactSizeIterator<Item = String>) -> Vec<String> {
    const SHOWN: usize = 10;
    let more = lines.len().saturating_sub(SHOWN);
    let mut shown: Vec<_> = lines.take(SHOWN).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown
}

/// Returns the note for Settings that could not be read.
pub(crate) fn on_settings(why: &Unread) -> Advice {
    let advice = Advice::unknown("whether auto-mTLS is on is unknown", why);
    if advice.hint.is_some() {
        advice
    } else {
        advice.hint(flag("--gloo-namespace").text(" sets the namespace of Gloo"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_called_what_they_are_and_named_by_no_upstreams_flag() {
        let words = Words { command: "istio auto-mtls enable", done: "enabled", flags: &[] };
        let settings = ObjectRef::new(&kinds::SETTINGS, "gloo-system", "default");
        let said = on_owner(words, &settings, &Owner::ArgoCd { application: "edge".into() });
        assert_eq!(said.message, "Argo CD application edge manages Settings and will undo the change");
        let hint = "change it in Git: gloo-rs istio auto-mtls enable -f PATH --write";
        assert_eq!(said.hint, Some(hint.into()));
    }
}
