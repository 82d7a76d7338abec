//! Namespaces in manifests: only the label is changed, because a manifest has no pods.

use super::guard::{self, GlooNamespace, Installed};
use super::label;
use crate::command::{flag, gloo_rs};
use crate::error::Reason;
use crate::model::{Kind, Object, kinds};
use crate::plan::advice::{Advice, Code};
use crate::plan::istiod::{DEFAULT, Istiod, REVISION_LABEL};
use crate::plan::mtls::UpstreamContext;
use crate::plan::outcome::{Decision, Objection};
use crate::plan::pod::DATAPLANE_MODE;
use crate::plan::policy::Picked;
use crate::plan::revisions::{INJECTION_LABEL, bond};
use crate::plan::{GatewayNeed, PerObject, Wants, Words};

/// The change of each namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OnNamespace {
    Bind {
        /// The requested revision or tag.
        names: Option<String>,
        gloo_namespace: String,
        /// The namespace of istiod, if none is in the manifests.
        istio_namespace: String,
        /// The istiods in the manifests. The only one is chosen for a namespace without a revision.
        istiods: Vec<Istiod>,
        gloo: GlooNamespace,
    },
    /// Puts it into the ambient mesh.
    Ambient {
        /// The namespace of istiod.
        istio_namespace: String,
    },
    Release,
}

impl PerObject for OnNamespace {
    fn kind(&self) -> &'static Kind {
        &kinds::NAMESPACE
    }

    fn words(&self) -> Words {
        match self {
            Self::Bind { .. } => Words { command: "istio enroll", done: "enrolled", flags: &[] },
            Self::Ambient { .. } => Words { command: "istio enroll --ambient", done: "enrolled", flags: &[] },
            Self::Release => Words { command: "istio unenroll", done: "unenrolled", flags: &[] },
        }
    }

    fn risks(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn wants(&self) -> Wants {
        Wants { peer: None, gateway: GatewayNeed::Never }
    }

    fn decide(&self, namespace: &Object, _: Picked, _: &UpstreamContext) -> Decision {
        let (names, gloo_namespace, istio_namespace, istiods, gloo) = match self {
            Self::Bind { names, gloo_namespace, istio_namespace, istiods, gloo } => {
                (names, gloo_namespace, istio_namespace, istiods, gloo)
            }
            Self::Ambient { istio_namespace } => {
                let why = guard::against_ambient(namespace, std::slice::from_ref(istio_namespace));
                return why.map_or_else(|| label::capture(namespace), Decision::Refuse);
            }
            Self::Release => return label::release(namespace),
        };
        let mut of_istio: Vec<_> = istiods.iter().map(|istiod| istiod.namespace.clone()).collect();
        of_istio.push(istio_namespace.clone());
        if let Some(why) = guard::against(namespace, Installed { gloo: gloo_namespace, istiods: &of_istio }, *gloo) {
            return Decision::Refuse(why);
        }
        let bound = bond(&namespace.value).map(|(_, names)| names.to_owned());
        match (names.clone().or(bound), &istiods[..]) {
            (Some(names), _) => label::bind(namespace, &names),
            (None, [istiod]) => label::bind(namespace, &istiod.revision),
            (None, several) => {
                let message = match several {
                    [] => "nothing in it says which revision",
                    _ => "the manifests have several istiod revisions, and none is chosen",
                };
                let details = several.iter().map(Istiod::shown).collect();
                let why = Objection { details, ..Objection::new(Reason::NeedsFlag, message) };
                Decision::Refuse(why.hint(flag("--revision").text(" REVISION")))
            }
        }
    }

    fn by_hand(&self) -> Vec<String> {
        match self {
            Self::Bind { names, .. } => match names.as_deref() {
                Some(DEFAULT) => {
                    vec!["metadata:".to_owned(), "  labels:".to_owned(), format!("    {INJECTION_LABEL}: enabled")]
                }
                names => {
                    let names = names.unwrap_or("REVISION");
                    vec!["metadata:".to_owned(), "  labels:".to_owned(), format!("    {REVISION_LABEL}: \"{names}\"")]
                }
            },
            Self::Ambient { .. } => {
                vec!["metadata:".to_owned(), "  labels:".to_owned(), format!("    {DATAPLANE_MODE}: ambient")]
            }
            Self::Release => {
                let all = format!("{INJECTION_LABEL}, {REVISION_LABEL} and {DATAPLANE_MODE}");
                vec![format!("remove {all} from metadata.labels")]
            }
        }
    }

    fn advise(&self, namespace: &Object, _: &UpstreamContext) -> Vec<Advice> {
        let name = &namespace.reference.name;
        // istio-cni captures running pods, and lets go of them.
        let has_sidecars = match self {
            Self::Bind { .. } => true,
            Self::Ambient { .. } => false,
            Self::Release => bond(&namespace.value).is_some(),
        };
        if !has_sidecars {
            return Vec::new();
        }
        let command = self.words().command;
        let note = Advice::note(Code::StalePods, format!("pods of {name} change only after a restart"))
            .hint(gloo_rs(command).value(name).after("once it is applied: "));
        vec![note.about(&namespace.reference)]
    }
}
