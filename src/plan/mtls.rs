//! Istio's mutual TLS on an Upstream: whether it is changed, and in which fields.

pub(crate) mod advice;

use serde_json::{Value, json};

use super::advice::Advice;
use super::backend::{self, Backend};
use super::effect::Wanted;
use super::fields::{self, UnknownField};
use super::gateway::AutoMtls;
use super::outcome::{Decision, Objection};
use super::path::identity::{self, SwitchedPolicy};
use super::path::{Facts, Switched, guard, of_upstream};
use super::peer::Sent;
use super::policy::{Caution, OtherTls, Picked};
use super::ssl_config::{Tls, additions, completions, files_to_sds, istio_ssl_config, tls_of};
use super::{GatewayNeed, PerObject, Unread, Wants, Words};
use crate::command::flag;
use crate::edit::{Edit, json as edited};
use crate::error::Reason;
use crate::model::{FieldPath, Kind, Object, kinds};

/// The requested state of mTLS on the Upstreams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MtlsWish {
    Enable,
    Disable,
}

impl MtlsWish {
    /// Returns `enable` or `disable`.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }

    /// Returns `enabled` or `disabled`.
    pub(crate) fn done(self) -> &'static str {
        match self {
            Self::Enable => "enabled",
            Self::Disable => "disabled",
        }
    }
}

/// The options of the command line that affect the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    pub wish: MtlsWish,
    pub other_tls: OtherTls,
    pub caution: Caution,
}

/// What the decision depends on in addition to the Upstream itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UpstreamContext {
    pub far_end: FarEnd,
    /// The switches of auto-mTLS.
    pub settings: Result<Switched, Unread>,
}

/// The destination of an Upstream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FarEnd {
    /// Not read, because the Upstream is from a manifest.
    Unseen,
    /// A Service of Gloo, Istio or Kubernetes: `kube-system/kube-dns`.
    System(String),
    /// The destination that follows from the type of an Upstream in a manifest, without pods.
    Type(Box<Facts>),
    Path(Box<Facts>),
}

fn ssl_path() -> FieldPath {
    FieldPath::keys(&["spec", "sslConfig"])
}

impl UpstreamContext {
    /// Creates the context of an object in a manifest, of which nothing else is read.
    pub(crate) fn unseen() -> Self {
        Self { far_end: FarEnd::Unseen, settings: Err("only a file was read".into()) }
    }

    /// Creates the context of an Upstream in a manifest. Its type shows the destination. Its pods are not read.
    pub(crate) fn of_manifest(upstream: &Object, gloo_namespace: &str) -> Self {
        let far_end = match backend::destination(&upstream.value, gloo_namespace) {
            Backend::System(service) => FarEnd::System(service),
            Backend::Decided(behind) => FarEnd::Type(Box::new(Facts::bare(upstream.into(), behind, Ok(Vec::new())))),
            Backend::Service { .. } => FarEnd::Unseen,
        };
        Self { far_end, ..Self::unseen() }
    }

    /// Returns whether Settings turn auto-mTLS on.
    pub(crate) fn auto_mtls(&self) -> AutoMtls {
        self.settings.as_ref().map_or(AutoMtls::Unknown, Switched::auto_mtls)
    }

    /// Returns the facts of the path, if they were read.
    pub(crate) fn path(&self) -> Option<&Facts> {
        match &self.far_end {
            FarEnd::Type(facts) | FarEnd::Path(facts) => Some(facts),
            FarEnd::Unseen | FarEnd::System(_) => None,
        }
    }

    /// Returns the facts of the path after these edits of the Upstream.
    pub(crate) fn path_after(&self, upstream: &Object, edits: &[Edit]) -> Option<Facts> {
        let value = edited::apply(&upstream.value, edits).ok()?;
        let after = Object { reference: upstream.reference.clone(), value };
        Some(self.path()?.sending(of_upstream(&after, &self.settings).0))
    }

    /// Returns why the destination may not accept Istio's TLS after these edits.
    fn against_tls(&self, upstream: &Object, edits: &[Edit]) -> Option<Objection> {
        match &self.far_end {
            FarEnd::Unseen => None,
            FarEnd::System(service) => {
                let what = format!("service {service} is not an application");
                Some(Objection::new(Reason::SystemService, what).hint(flag("--force").text(" accepts it anyway")))
            }
            FarEnd::Type(_) | FarEnd::Path(_) => {
                let (before, after) = (self.path_after(upstream, &[])?, self.path_after(upstream, edits)?);
                guard::against_tls(&after).or_else(|| guard::against_denial(&before, &after))
            }
        }
    }

    /// Returns why requests may fail after these edits.
    pub(crate) fn against(&self, upstream: &Object, edits: &[Edit]) -> Option<Objection> {
        let (before, after) = (self.path_after(upstream, &[])?, self.path_after(upstream, edits)?);
        guard::against(&before, &after).or_else(|| guard::against_denial(&before, &after))
    }

    /// Returns the authorization policies that start or stop to match a gateway with this change of the Upstream.
    pub(crate) fn switched(&self, before: &Object, after: &Object) -> Vec<SwitchedPolicy> {
        let sending = |upstream: &Object| Some(self.path()?.sending(of_upstream(upstream, &self.settings).0));
        match (sending(before), sending(after)) {
            (Some(before), Some(after)) => identity::switched(&before, &after),
            _ => Vec::new(),
        }
    }
}

impl PerObject for Policy {
    fn kind(&self) -> &'static Kind {
        &kinds::UPSTREAM
    }

    fn words(&self) -> Words {
        Words {
            command: match self.wish {
                MtlsWish::Enable => "istio enable-mtls",
                MtlsWish::Disable => "istio disable-mtls",
            },
            done: self.wish.done(),
            flags: if self.other_tls == OtherTls::Replace { &["--overwrite"] } else { &[] },
        }
    }

    fn risks(&self) -> Vec<&'static str> {
        let mut risks = Vec::new();
        risks
            .extend((self.other_tls == OtherTls::Replace).then_some("TLS settings not managed by Istio (--overwrite)"));
        risks.extend((self.caution == Caution::Forced).then_some("Upstreams that may answer 503 afterwards (--force)"));
        risks
    }

    fn wants(&self) -> Wants {
        match self.wish {
            MtlsWish::Enable => Wants { peer: Some(Sent::MutualTls), gateway: GatewayNeed::Always },
            MtlsWish::Disable => Wants { peer: Some(Sent::Plaintext), gateway: GatewayNeed::Never },
        }
    }

    fn decide(&self, object: &Object, found: Picked, around: &UpstreamContext) -> Decision {
        decide(object, found, *self, around)
    }

    fn guarded(&self) -> Option<Caution> {
        Some(self.caution)
    }

    fn expects(&self, before: &Object) -> Option<Wanted> {
        Some(match (self.wish, tls_of(&before.value)) {
            (MtlsWish::Enable, _) => Wanted::Istio,
            (MtlsWish::Disable, Tls::Other(_)) if self.other_tls == OtherTls::Replace => Wanted::Plain,
            (MtlsWish::Disable, _) => Wanted::NotIstio,
        })
    }

    fn by_hand(&self) -> Vec<String> {
        match self.wish {
            MtlsWish::Enable => {
                let config = crate::yaml::write(&json!({"spec": {"sslConfig": istio_ssl_config()}}));
                config.lines().map(str::to_owned).collect()
            }
            MtlsWish::Disable => vec!["remove spec.sslConfig".to_owned()],
        }
    }

    fn advise(&self, object: &Object, around: &UpstreamContext) -> Vec<Advice> {
        advice::on_upstream(self.wish, object, around)
    }
}

/// Decides for one Upstream.
pub(crate) fn decide(upstream: &Object, found: Picked, policy: Policy, around: &UpstreamContext) -> Decision {
    if !upstream.value["spec"].is_object() {
        return leave(found, Objection::new(Reason::NoSpec, "has no spec; nothing changed"));
    }
    let misspelt = fields::misspelt(upstream);
    match misspelt.iter().all(|it| it.is_below(&["sslConfig", "ssl_config"])) {
        _ if misspelt.is_empty() => decide_as_written(upstream, found, policy, around),
        true => decide_corrected(upstream, &misspelt, found, policy, around),
        false => leave(found, fields::objection(&misspelt)),
    }
}

fn decide_as_written(upstream: &Object, found: Picked, policy: Policy, around: &UpstreamContext) -> Decision {
    match policy.wish {
        MtlsWish::Enable => enable(upstream, found, policy, around),
        MtlsWish::Disable => disable(upstream, found, policy, around),
    }
}

/// Decides for an Upstream whose TLS settings have names that the CRD does not have. Istio's settings get the names of
/// the CRD. Others are not changed without `--overwrite`.
fn decide_corrected(
    upstream: &Object,
    misspelt: &[UnknownField],
    found: Picked,
    policy: Policy,
    around: &UpstreamContext,
) -> Decision {
    let corrected = fields::corrected(upstream, misspelt);
    let names: Vec<_> = fields::outermost(misspelt).map(ToString::to_string).collect();
    let renamed = |edits: Vec<Edit>, message: String| Decision::Change {
        edits: fields::renames(upstream, misspelt).into_iter().chain(edits).collect(),
        message: match policy.wish {
            MtlsWish::Enable => format!("{message}, replaced {}", names.join(", ")),
            MtlsWish::Disable => message,
        },
    };
    match decide_as_written(&corrected, found, policy, around) {
        Decision::Change { edits, message } => renamed(edits, message),
        Decision::Unchanged { .. } => renamed(Vec::new(), format!("mTLS {}", policy.wish.done())),
        Decision::Skip(why) | Decision::Refuse(why) if why.reason == Reason::ForeignTls => {
            leave(found, fields::objection(misspelt))
        }
        objection => objection,
    }
}

fn enable(upstream: &Object, found: Picked, policy: Policy, around: &UpstreamContext) -> Decision {
    let change = match tls_of(&upstream.value) {
        Tls::Istio(_) => match completions(&upstream.value["spec"]) {
            edits if edits.is_empty() => return Decision::Unchanged { message: "mTLS already enabled".into() },
            edits => Decision::Change { message: format!("mTLS enabled ({})", completed(upstream, &edits)), edits },
        },
        Tls::IstioFiles(_) => Decision::Change {
            edits: files_to_sds(&upstream.value["spec"]),
            message: "mTLS enabled (replaced Istio's certificate files by SDS)".into(),
        },
        Tls::Other(config) if policy.other_tls == OtherTls::Keep => return leave(found, foreign(policy.wish, config)),
        Tls::Other(_) => Decision::Change {
            edits: vec![Edit::set(ssl_path(), istio_ssl_config())],
            message: "mTLS enabled (replaced TLS settings not managed by Istio)".into(),
        },
        Tls::Absent => {
            Decision::Change { edits: vec![Edit::set(ssl_path(), istio_ssl_config())], message: "mTLS enabled".into() }
        }
    };
    held_back(found, policy, change, |edits| around.against_tls(upstream, edits))
}

/// Returns what the edits do: `added spec.sslConfig.sds.clusterName, changed spec.sslConfig.alpnProtocols`.
fn completed(upstream: &Object, edits: &[Edit]) -> String {
    let (changed, added): (Vec<_>, Vec<_>) =
        edits.iter().partition(|edit| edit.path.get(&upstream.value).is_some_and(|value| !value.is_null()));
    let words = |word: &str, edits: &[&Edit]| {
        let paths: Vec<_> = edits.iter().map(|edit| edit.path.to_string()).collect();
        (!paths.is_empty()).then(|| format!("{word} {}", paths.join(", ")))
    };
    [words("added", &added), words("changed", &changed)].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Skips a selected Upstream if there is an objection.
fn held_back(
    found: Picked,
    policy: Policy,
    change: Decision,
    objection: impl FnOnce(&[Edit]) -> Option<Objection>,
) -> Decision {
    match &change {
        Decision::Change { edits, .. } if is_held_back(found, policy) => {
            objection(edits).map_or(change, Decision::Skip)
        }
        _ => change,
    }
}

fn disable(upstream: &Object, found: Picked, policy: Policy, around: &UpstreamContext) -> Decision {
    let message = match tls_of(&upstream.value) {
        Tls::Absent => return Decision::Unchanged { message: "mTLS already disabled".into() },
        Tls::Other(config) if policy.other_tls == OtherTls::Keep => return leave(found, foreign(policy.wish, config)),
        Tls::Other(_) => "mTLS disabled (removed TLS settings not managed by Istio)".into(),
        Tls::Istio(config) | Tls::IstioFiles(config) => match additions(config).as_slice() {
            [] => "mTLS disabled".to_owned(),
            others => format!("mTLS disabled (with its {})", others.join(", ")),
        },
    };
    let change = Decision::Change { edits: vec![Edit::remove(ssl_path())], message };
    held_back(found, policy, change, |edits| around.against(upstream, edits))
}

fn is_held_back(found: Picked, policy: Policy) -> bool {
    found == Picked::Selected && policy.caution == Caution::Careful
}

fn foreign(wish: MtlsWish, config: &Value) -> Objection {
    let hint = match wish {
        MtlsWish::Enable => flag("--overwrite").text(" replaces them"),
        MtlsWish::Disable => flag("--overwrite").text(" removes them"),
    };
    let mut objection =
        Objection::new(Reason::ForeignTls, "has TLS settings not managed by Istio; nothing changed").hint(hint);
    let shown = crate::edit::mask::masked(config);
    objection.details.push("sslConfig:".into());
    objection.details.extend(crate::yaml::write(&shown).lines().map(|line| format!("  {line}")));
    objection
}

fn leave(found: Picked, objection: Objection) -> Decision {
    match found {
        Picked::Named => Decision::Refuse(objection),
        Picked::Selected => Decision::Skip(objection),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::json;
    use crate::model::kinds::UPSTREAM;
    use crate::plan::path::Behind;
    use crate::plan::path::fixture::{around, meshed, plain, pods, switched};
    use crate::plan::peer::Mode;
    use crate::plan::ssl_config::{CERTIFICATE, SDS_CLUSTER, VALIDATION};

    fn upstream(spec: &Value) -> Object {
        Object::new(&UPSTREAM, json!({"metadata": {"name": "a", "namespace": "gloo-system"}, "spec": spec}))
    }

    fn policy(wish: MtlsWish) -> Policy {
        Policy { wish, other_tls: OtherTls::Keep, caution: Caution::Careful }
    }

    fn in_the_mesh() -> UpstreamContext {
        around(pods(vec![meshed(Mode::Permissive), meshed(Mode::Permissive)]))
    }

    fn applied(upstream: &Object, decision: &Decision) -> Value {
        let Decision::Change { edits, .. } = decision else { panic!("not a change: {decision:?}") };
        json::apply(&upstream.value, edits).unwrap()
    }

    #[test]
    fn enabling_writes_exactly_the_documented_ssl_config() {
        let it = upstream(&json!({"kube": {"serviceName": "httpbin"}, "mine": 1}));
        let decision = decide(&it, Picked::Named, policy(MtlsWish::Enable), &in_the_mesh());
        assert_eq!(
            applied(&it, &decision)["spec"].to_string(),
            concat!(
                r#"{"kube":{"serviceName":"httpbin"},"mine":1,"sslConfig":{"alpnProtocols":["istio"],"#,
                r#""sds":{"certificatesSecretName":"istio_server_cert","clusterName":"gateway_proxy_sds","#,
                r#""targetUri":"127.0.0.1:8234","validationContextName":"istio_validation_context"}}}"#
            )
        );
    }

    #[test]
    fn enabling_twice_changes_nothing_the_second_time() {
        let it = upstream(&json!({"kube": {}}));
        let once =
            Object::new(&UPSTREAM, applied(&it, &decide(&it, Picked::Named, policy(MtlsWish::Enable), &in_the_mesh())));
        assert_eq!(
            decide(&once, Picked::Named, policy(MtlsWish::Enable), &in_the_mesh()),
            Decision::Unchanged { message: "mTLS already enabled".into() }
        );
    }

    #[test]
    fn disabling_after_enabling_gives_back_what_was_there() {
        let it = upstream(&json!({"kube": {}}));
        let on =
            Object::new(&UPSTREAM, applied(&it, &decide(&it, Picked::Named, policy(MtlsWish::Enable), &in_the_mesh())));
        let off = applied(&on, &decide(&on, Picked::Named, policy(MtlsWish::Disable), &in_the_mesh()));
        assert_eq!(off, it.value);
        let off = Object::new(&UPSTREAM, off);
        assert!(matches!(
            decide(&off, Picked::Named, policy(MtlsWish::Disable), &in_the_mesh()),
            Decision::Unchanged { message } if message == "mTLS already disabled"
        ));
    }

    #[test]
    fn somebody_elses_tls_is_refused_when_named_skipped_in_a_sweep_and_replaced_when_asked() {
        let it = upstream(&json!({"sslConfig": {"secretRef": {"name": "payments-client"}, "sni": "api"}}));
        for wish in [MtlsWish::Enable, MtlsWish::Disable] {
            let Decision::Refuse(objection) = decide(&it, Picked::Named, policy(wish), &in_the_mesh()) else {
                panic!()
            };
            assert_eq!(objection.reason, Reason::ForeignTls);
            assert!(objection.details.iter().any(|line| line.contains("payments-client")), "{objection:?}");
            assert!(objection.hint.unwrap().to_string().contains("--overwrite"));
            assert!(matches!(decide(&it, Picked::Selected, policy(wish), &in_the_mesh()), Decision::Skip(_)));
        }
        let replace = Policy { other_tls: OtherTls::Replace, ..policy(MtlsWish::Enable) };
        assert_eq!(
            applied(&it, &decide(&it, Picked::Named, replace, &in_the_mesh()))["spec"]["sslConfig"],
            istio_ssl_config()
        );
    }

    #[test]
    fn an_sds_block_without_cluster_and_target_is_istios_and_is_completed() {
        let it = upstream(&json!({"sslConfig": {
            "sds": {"certificatesSecretName": CERTIFICATE, "validationContextName": VALIDATION}, "sni": "mine"}}));
        let after = applied(&it, &decide(&it, Picked::Named, policy(MtlsWish::Enable), &in_the_mesh()));
        assert_eq!(after["spec"]["sslConfig"]["sds"], istio_ssl_config()["sds"]);
        assert_eq!(after["spec"]["sslConfig"]["sni"], "mine");
        assert_eq!(
            applied(&it, &decide(&it, Picked::Named, policy(MtlsWish::Disable), &in_the_mesh()))["spec"],
            json!({})
        );
    }

    #[test]
    fn istios_alpn_is_completed_and_h2_stays_where_gloo_sends_http2() {
        let enabled = |alpn: Value, http2: bool| {
            let mut config = istio_ssl_config();
            config["alpnProtocols"] = alpn;
            let it = upstream(&json!({"kube": {}, "useHttp2": http2, "sslConfig": config}));
            let decision = decide(&it, Picked::Selected, policy(MtlsWish::Enable), &in_the_mesh());
            let after = match decision {
                Decision::Unchanged { .. } => it.value,
                change => applied(&it, &change),
            };
            after["spec"]["sslConfig"]["alpnProtocols"].clone()
        };
        for (alpn, with_http1, with_http2) in [
            (Value::Null, json!(["istio"]), json!(["istio"])),
            (json!([]), json!(["istio"]), json!(["istio"])),
            (json!(["h2"]), json!(["istio"]), json!(["istio", "h2"])),
            (json!(["h2", "http/1.1"]), json!(["istio", "http/1.1"]), json!(["istio", "h2", "http/1.1"])),
            (json!(["h2", "istio"]), json!(["istio"]), json!(["h2", "istio"])),
            (json!(["istio-h2", "h2"]), json!(["istio-h2"]), json!(["istio-h2", "h2"])),
        ] {
            assert_eq!((enabled(alpn.clone(), false), enabled(alpn, true)), (with_http1, with_http2));
        }
        let sds = istio_ssl_config()["sds"].clone();
        let with_h2 = json!({"alpnProtocols": ["istio", "h2"], "sds": sds});
        for spec in [
            json!({"sslConfig": {"alpnProtocols": ["istio-h2"], "sds": sds}}),
            json!({"sslConfig": with_h2, "useHttp2": true}),
            json!({"sslConfig": with_h2, "protocolSelection": "USE_DOWNSTREAM_PROTOCOL"}),
            json!({"sslConfig": with_h2, "kube": {"serviceSpec": {"grpcJsonTranscoder": {}}}}),
        ] {
            let it = upstream(&spec);
            let decision = decide(&it, Picked::Named, policy(MtlsWish::Enable), &in_the_mesh());
            assert!(matches!(decision, Decision::Unchanged { .. }), "{decision:?}");
        }
    }

    #[test]
    fn istios_certificate_files_become_sds_without_overwrite_and_are_disabled_as_istios() {
        let files = |directory: &str| {
            let path = |name: &str| format!("{directory}/{name}");
            json!({"sslConfig": {"sni": "mine", "sslFiles": {
                "tlsCert": path("cert-chain.pem"), "tlsKey": path("key.pem"), "rootCa": path("root-cert.pem")}}})
        };
        for directory in ["/etc/istio-certs", "/etc/istio-output-certs", "/etc/certs"] {
            let it = upstream(&files(directory));
            let after = applied(&it, &decide(&it, Picked::Selected, policy(MtlsWish::Enable), &in_the_mesh()));
            let mut wanted = istio_ssl_config();
            wanted["sni"] = json!("mine");
            assert_eq!(after["spec"]["sslConfig"], wanted, "{directory}");
            let off = decide(&it, Picked::Named, policy(MtlsWish::Disable), &in_the_mesh());
            assert_eq!(applied(&it, &off)["spec"], json!({}));
        }
        let mut with_another_root = files("/etc/istio-certs");
        with_another_root["sslConfig"]["sslFiles"]["rootCa"] = json!("/etc/ca.pem");
        for spec in [files("/etc/tls"), files("/etc/istio-certs/../tls"), with_another_root] {
            assert!(matches!(tls_of(&json!({"spec": spec})), Tls::Other(_)), "{spec}");
        }
    }

    #[test]
    fn names_that_the_crd_does_not_have_are_replaced_in_istios_tls_and_refused_elsewhere() {
        let snake = json!({"alpn_protocols": ["istio"], "sds": {
            "target_uri": "127.0.0.1:8234", "certificates_secret_name": CERTIFICATE, "cluster_name": SDS_CLUSTER}});
        for spec in [json!({"kube": {}, "ssl_config": snake}), json!({"kube": {}, "sslConfig": snake})] {
            let it = upstream(&spec);
            let on = applied(&it, &decide(&it, Picked::Selected, policy(MtlsWish::Enable), &in_the_mesh()));
            assert_eq!(on["spec"], json!({"kube": {}, "sslConfig": istio_ssl_config()}), "{spec}");
            let off = applied(&it, &decide(&it, Picked::Selected, policy(MtlsWish::Disable), &in_the_mesh()));
            assert_eq!(off["spec"], json!({"kube": {}}), "{spec}");
        }
        let both = upstream(&json!({"sslConfig": {
            "alpn_protocols": ["istio"], "alpnProtocols": ["istio"], "sds": istio_ssl_config()["sds"]}}));
        let on = applied(&both, &decide(&both, Picked::Named, policy(MtlsWish::Enable), &in_the_mesh()));
        assert_eq!(on["spec"], json!({"sslConfig": istio_ssl_config()}));
        let refused = [
            json!({"kube": {"service_name": "cart"}, "ssl_config": snake}),
            json!({"ssl_config": {"secret_ref": {"name": "payments-client"}}}),
            json!({"disable_istio_auto_mtls": true}),
        ];
        for spec in refused {
            for wish in [MtlsWish::Enable, MtlsWish::Disable] {
                let Decision::Refuse(why) = decide(&upstream(&spec), Picked::Named, policy(wish), &in_the_mesh())
                else {
                    panic!("{spec}")
                };
                assert_eq!(why.reason, Reason::UnknownField, "{spec}");
                let swept = decide(&upstream(&spec), Picked::Selected, policy(wish), &in_the_mesh());
                assert!(matches!(swept, Decision::Skip(_)), "{spec}");
            }
        }
    }

    #[test]
    fn another_sds_server_is_somebody_elses() {
        for sds in [
            json!({"certificatesSecretName": CERTIFICATE, "clusterName": "other"}),
            json!({"certificatesSecretName": CERTIFICATE, "targetUri": "10.0.0.1:8234"}),
            json!({"certificatesSecretName": "other", "clusterName": SDS_CLUSTER}),
        ] {
            assert!(matches!(tls_of(&json!({"spec": {"sslConfig": {"sds": sds}}})), Tls::Other(_)));
        }
        assert!(matches!(tls_of(&json!({"spec": {"sslConfig": {}}})), Tls::Other(_)));
    }

    #[test]
    fn a_sweep_takes_only_what_can_work_and_a_name_takes_all() {
        let it = upstream(&json!({"kube": {}}));
        let system = UpstreamContext { far_end: FarEnd::System("kube-system/kube-dns".into()), ..in_the_mesh() };
        let cases = [
            (around(Behind::Outside { kind: "static".into() }), Reason::NotKubernetes),
            (system, Reason::SystemService),
            (around(pods(vec![meshed(Mode::Permissive), plain("shop/a")])), Reason::NoSidecar),
            (around(pods(vec![])), Reason::NoPods),
            (around(Behind::Unknown("not allowed to list pods".into())), Reason::Unknown),
        ];
        for (around, reason) in cases {
            let Decision::Skip(objection) = decide(&it, Picked::Selected, policy(MtlsWish::Enable), &around) else {
                panic!("{around:?} was taken")
            };
            assert_eq!(objection.reason, reason);
            let forced = Policy { caution: Caution::Forced, ..policy(MtlsWish::Enable) };
            assert!(matches!(decide(&it, Picked::Selected, forced, &around), Decision::Change { .. }));
            assert!(matches!(decide(&it, Picked::Named, policy(MtlsWish::Enable), &around), Decision::Change { .. }));
        }
    }

    #[test]
    fn offline_where_pods_cannot_be_seen_type_and_ssl_config_decide() {
        let it = upstream(&json!({"kube": {}}));
        let around = UpstreamContext::unseen();
        assert!(matches!(decide(&it, Picked::Selected, policy(MtlsWish::Enable), &around), Decision::Change { .. }));
    }

    #[test]
    fn a_sweep_does_not_take_mtls_from_under_a_strict_peer_unless_auto_mtls_takes_over() {
        let it = upstream(&json!({"kube": {}, "sslConfig": istio_ssl_config()}));
        let mut around = around(pods(vec![meshed(Mode::Strict)]));
        let Decision::Skip(objection) = decide(&it, Picked::Selected, policy(MtlsWish::Disable), &around) else {
            panic!()
        };
        assert_eq!(objection.reason, Reason::StrictPeer);
        assert!(matches!(decide(&it, Picked::Named, policy(MtlsWish::Disable), &around), Decision::Change { .. }));
        around.settings = Ok(switched(true));
        assert!(matches!(decide(&it, Picked::Selected, policy(MtlsWish::Disable), &around), Decision::Change { .. }));
    }

    #[test]
    fn a_sweep_sends_no_mutual_tls_to_a_peer_that_takes_none() {
        let it = upstream(&json!({"kube": {}}));
        let around = around(pods(vec![meshed(Mode::Disable)]));
        let Decision::Skip(objection) = decide(&it, Picked::Selected, policy(MtlsWish::Enable), &around) else {
            panic!()
        };
        assert_eq!(objection.reason, Reason::DisabledPeer);
        assert_eq!(objection.message, "its peer is DISABLE (shop/a, namespace): 503 with mTLS");
        let forced = Policy { caution: Caution::Forced, ..policy(MtlsWish::Enable) };
        assert!(matches!(decide(&it, Picked::Selected, forced, &around), Decision::Change { .. }));
        assert!(matches!(decide(&it, Picked::Named, policy(MtlsWish::Enable), &around), Decision::Change { .. }));
        let on = upstream(&json!({"kube": {}, "sslConfig": istio_ssl_config()}));
        assert!(matches!(decide(&on, Picked::Selected, policy(MtlsWish::Disable), &around), Decision::Change { .. }));
    }

    #[test]
    fn an_upstream_without_spec_is_refused() {
        let it = Object::new(&UPSTREAM, json!({"metadata": {"name": "a"}}));
        for wish in [MtlsWish::Enable, MtlsWish::Disable] {
            let Decision::Refuse(objection) = decide(&it, Picked::Named, policy(wish), &in_the_mesh()) else {
                panic!()
            };
            assert_eq!(objection.reason, Reason::NoSpec);
        }
    }
}
