//! A small blocking client with the requests that fixtures and assertions need.

use std::{collections::HashMap, path::Path, sync::Mutex, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use kube::{
    Api, Client, Config, Error,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, ValidationDirective},
    client::{Body, ConfigExt},
    config::{KubeConfigOptions, Kubeconfig},
    core::GroupVersionKind,
    discovery::{self, ApiCapabilities, ApiResource, Scope},
};
use serde_json::Value;
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};
use tower::{BoxError, Layer, ServiceExt};

use super::parts::wait_for;

const FIELD_MANAGER: &str = "stage";
const PATIENCE: Duration = Duration::from_mins(3);

/// Blocking access to one API server. For plain `#[test]` functions, not for async ones.
///
/// A kind is written with its apiVersion: `v1/Pod`, `gloo.solo.io/v1/Upstream`. The namespace is empty for an object
/// without one.
pub struct StageApi {
    runtime: Runtime,
    client: Client,
    kinds: Mutex<HashMap<GroupVersionKind, (ApiResource, ApiCapabilities)>>,
}

impl StageApi {
    pub fn connect(kubeconfig: &Path) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(client(kubeconfig))?;
        Ok(Self { runtime, client, kinds: Mutex::default() })
    }

    /// Runs async code with a client on the runtime of this connection.
    pub fn run<F: Future>(&self, work: impl FnOnce(Client) -> F) -> F::Output {
        self.runtime.block_on(work(self.client.clone()))
    }

    /// The answer to a request, with a timeout.
    fn answer<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T> {
        Ok(self.runtime.block_on(async { timeout(PATIENCE, request).await })??)
    }

    /// Whether the API server reports that it is ready.
    pub fn is_ready(&self) -> bool {
        let request = http::Request::get("/readyz").body(Vec::new()).expect("a constant request");
        self.answer(self.client.request_text(request)).is_ok_and(|answer| answer == "ok")
    }

    /// Applies every document of a YAML text, with its status if it has one, and waits until new kinds are served.
    pub fn apply(&self, manifests: &str) -> Result<()> {
        documents(manifests)?.iter().try_for_each(|object| {
            self.apply_one(object)
                .with_context(|| format!("cannot apply {}/{}", object["kind"], object["metadata"]["name"]))
        })
    }

    /// Has the API server validate an object strictly, as a dry run of `kubectl apply --validate=strict`.
    pub fn validate_strictly(&self, object: &Value) -> Result<()> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = format!("{}/{}", text(&object["apiVersion"]), text(&object["kind"]));
        let (resource, capabilities) = self.resolve(&kind)?;
        let api = self.api(&resource, &capabilities, &text(&object["metadata"]["namespace"]))?;
        let field_validation = Some(ValidationDirective::Strict);
        let parameters = PatchParams { dry_run: true, field_validation, ..PatchParams::apply(FIELD_MANAGER).force() };
        let patch = Patch::Apply(object);
        self.answer(api.patch(&text(&object["metadata"]["name"]), &parameters, &patch)).map(drop)
    }

    fn apply_one(&self, object: &Value) -> Result<()> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = format!("{}/{}", text(&object["apiVersion"]), text(&object["kind"]));
        let (name, namespace) = (text(&object["metadata"]["name"]), text(&object["metadata"]["namespace"]));
        let (resource, capabilities) = self.resolve(&kind)?;
        let api = self.api(&resource, &capabilities, &namespace)?;
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        self.answer(async {
            api.patch(&name, &parameters, &Patch::Apply(object)).await?;
            let own_status = capabilities.subresources.iter().any(|(resource, _)| resource.plural == "status");
            if own_status && object.get("status").is_some() {
                api.patch_status(&name, &parameters, &Patch::Apply(object)).await?;
            }
            Ok::<_, Error>(())
        })?;
        if resource.kind == "CustomResourceDefinition" {
            wait_for(&format!("{name} is established"), PATIENCE, || {
                let definition = self.get(&kind, "", &name)?;
                Ok(definition.filter(|definition| has_condition(definition, "Established")))
            })?;
        }
        Ok(())
    }

    /// Creates many objects, several at a time; each with the path of its kind's list.
    pub fn create_all(&self, objects: Vec<(String, Value)>) -> Result<()> {
        const AT_ONCE: usize = 16;
        self.run(|client| async move {
            let post = |(path, object): (String, Value)| {
                let request = http::Request::post(path)
                    .header("content-type", "application/json")
                    .body(object.to_string().into_bytes());
                let client = client.clone();
                async move {
                    client.request_text(request?).await?;
                    anyhow::Ok(())
                }
            };
            stream::iter(objects).map(post).buffer_unordered(AT_ONCE).try_collect().await
        })
    }

    /// One object; `None` if it does not exist.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Result<Option<Value>> {
        let api = self.api_of(kind, namespace)?;
        let found = self.answer(api.get_opt(name))?;
        found.map(|object| Ok(serde_json::to_value(object)?)).transpose()
    }

    /// All objects of a kind in a namespace.
    pub fn list(&self, kind: &str, namespace: &str) -> Result<Vec<Value>> {
        let api = self.api_of(kind, namespace)?;
        let all = ListParams::default();
        // The first lists of a newly defined kind are answered with 429.
        let found = wait_for(kind, PATIENCE, || {
            match self.runtime.block_on(async { timeout(PATIENCE, api.list(&all)).await })? {
                Err(Error::Api(status)) if status.code == 429 => Ok(None),
                found => Ok(Some(found?)),
            }
        })?;
        found.items.into_iter().map(|object| Ok(serde_json::to_value(object)?)).collect()
    }

    /// Merges a patch into an object, with another field manager than the program under test.
    pub fn merge(&self, kind: &str, namespace: &str, name: &str, patch: &Value) -> Result<()> {
        let api = self.api_of(kind, namespace)?;
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        self.answer(api.patch(name, &parameters, &Patch::Merge(patch)))?;
        Ok(())
    }

    pub fn delete(&self, kind: &str, namespace: &str, name: &str) -> Result<()> {
        let api = self.api_of(kind, namespace)?;
        self.answer(api.delete(name, &DeleteParams::default()))?;
        Ok(())
    }

    /// Waits until an object exists and meets the condition, and returns it.
    pub fn wait(&self, kind: &str, namespace: &str, name: &str, so: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_for(&format!("{kind} {namespace}/{name} as expected"), PATIENCE, || {
            Ok(self.get(kind, namespace, name)?.filter(&so))
        })
    }

    /// Waits until all Deployments of a namespace are available in their latest version.
    pub fn wait_available(&self, namespace: &str) -> Result<()> {
        wait_for(&format!("Deployments in {namespace} available"), PATIENCE, || {
            Ok(self.list("apps/v1/Deployment", namespace)?.iter().all(is_rolled_out).then_some(()))
        })
    }

    fn api_of(&self, kind: &str, namespace: &str) -> Result<Api<DynamicObject>> {
        let (resource, capabilities) = self.resolve(kind)?;
        self.api(&resource, &capabilities, namespace)
    }

    fn api(
        &self,
        resource: &ApiResource,
        capabilities: &ApiCapabilities,
        namespace: &str,
    ) -> Result<Api<DynamicObject>> {
        let namespaced = capabilities.scope == Scope::Namespaced;
        ensure!(namespaced != namespace.is_empty(), "{}: namespace {namespace:?}", resource.kind);
        let client = self.client.clone();
        Ok(if namespaced { Api::namespaced_with(client, namespace, resource) } else { Api::all_with(client, resource) })
    }

    fn resolve(&self, kind: &str) -> Result<(ApiResource, ApiCapabilities)> {
        let wanted = parse_kind(kind)?;
        let known = || self.kinds.lock().expect("no holder of this lock panics");
        if let Some(found) = known().get(&wanted) {
            return Ok(found.clone());
        }
        // A definition is established shortly before discovery lists it.
        let found = wait_for(&format!("{kind} is served"), Duration::from_mins(1), || {
            Ok(self.answer(discovery::pinned_kind(&self.client, &wanted)).ok())
        })?;
        known().insert(wanted, found.clone());
        Ok(found)
    }
}

/// An async client for a kubeconfig, without retries, and with connections that do not wait for delayed
/// acknowledgements (kube's own do, 40 ms per request).
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config =
        Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &KubeConfigOptions::default()).await?;
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let authenticate = config.auth_layer()?.context("the kubeconfig has a token")?;
    let service = HttpClient::builder(TokioExecutor::new()).build::<_, Body>(connector).map_err(BoxError::from);
    let service = config.base_uri_layer().layer(authenticate.layer(service));
    Ok(Client::new(service, config.default_namespace))
}

/// The documents of a YAML text without the empty ones.
pub fn documents(manifests: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_yaml::from_multiple(manifests)?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Whether a condition of this type is true.
pub fn has_condition(object: &Value, condition: &str) -> bool {
    object["status"]["conditions"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one["type"] == condition && one["status"] == "True"))
}

fn is_rolled_out(deployment: &Value) -> bool {
    let (wanted, status) = (&deployment["spec"]["replicas"], &deployment["status"]);
    status["observedGeneration"] == deployment["metadata"]["generation"]
        && status["updatedReplicas"] == *wanted
        && status["availableReplicas"] == *wanted
        && status["replicas"] == *wanted
        && has_condition(deployment, "Available")
}

fn parse_kind(kind: &str) -> Result<GroupVersionKind> {
    match kind.split('/').collect::<Vec<_>>()[..] {
        [version, kind] => Ok(GroupVersionKind::gvk("", version, kind)),
        [group, version, kind] => Ok(GroupVersionKind::gvk(group, version, kind)),
        _ => bail!("{kind}: not APIVERSION/KIND"),
    }
}
