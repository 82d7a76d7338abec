//! Rights that are missing, on a real API server.

use std::time::Duration;

use serde_json::{Value, json};

use super::Shop;
use crate::stage::wait_for;
use crate::support::Output;

const READ: &str = "get,list";

impl Shop {
    /// Whoever only this test knows.
    fn nobody(&self) -> String {
        format!("nobody-{}", self.apps)
    }

    /// Lets nobody do this: `verbs` on `resources` of `group`, in a namespace or everywhere.
    fn allow(&self, namespace: &str, group: &str, resources: &[&str], verbs: &str) {
        let name = format!("{}-{}-{verbs}", self.apps, resources.join("-")).replace(',', "-");
        let (kind, binding) =
            if namespace.is_empty() { ("ClusterRole", "ClusterRoleBinding") } else { ("Role", "RoleBinding") };
        let mut metadata = json!({"name": name});
        if !namespace.is_empty() {
            metadata["namespace"] = json!(namespace);
        }
        let api_version = "rbac.authorization.k8s.io/v1";
        let verbs: Vec<_> = verbs.split(',').collect();
        let rules = json!([{"apiGroups": [group], "resources": resources, "verbs": verbs}]);
        self.apply(&json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "rules": rules}));
        let group = "rbac.authorization.k8s.io";
        self.apply(&json!({
            "apiVersion": api_version, "kind": binding, "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": kind, "name": name},
            "subjects": [{"kind": "User", "name": self.nobody(), "apiGroup": group}],
        }));
    }

    /// Runs as nobody until it says this: authorization follows its objects a moment later.
    fn until(&self, args: &[&str], words: &str) -> Output {
        let nobody = self.nobody();
        let args = [args, &["-n", &self.apps, "--yes", "--as", &nobody, "--root-namespace", "istio-system"]].concat();
        let mut last = None;
        let found = wait_for(words, Duration::from_mins(2), || {
            let output = self.run(&args);
            let found = output.stderr.contains(words) || output.stdout.contains(words);
            last = Some(output.stderr.clone());
            Ok(found.then_some(output))
        });
        found.unwrap_or_else(|error| panic!("{error:#}: {last:?}"))
    }
}

#[test]
fn what_may_not_be_read_is_unknown_and_strict_is_refused() {
    let shop = Shop::new("peer-rights");
    let none = shop.until(&["strict"], "not allowed to list peerauthentications.security.istio.io in");
    assert_eq!(none.code, Some(4), "{none:?}");
    let rule = "{apiGroups: [security.istio.io], resources: [peerauthentications], verbs: [list]}";
    assert!(none.stderr.contains(&format!("a rule of a Role that allows it: {rule}\n")), "{none:?}");

    shop.allow(&shop.apps, "security.istio.io", &["peerauthentications"], READ);
    let strict = shop.until(&["strict"], "whether a gateway would get 503s is unknown: not allowed to list upstreams");
    assert_eq!((strict.code, strict.stdout.as_str()), (Some(1), ""), "{strict:?}");
    assert!(strict.stderr.contains("hint: --force proceeds anyway\n"), "{strict:?}");
    assert!(strict.stderr.contains("not allowed to list virtualservices"), "{strict:?}");
    assert!(strict.stderr.contains("resources: [upstreams], verbs: [list]}"), "{strict:?}");
    let partial = "note: policies elsewhere are unknown: not allowed to list peerauthentications in istio-system\n";
    assert!(strict.stderr.contains(partial), "{strict:?}");

    let forced = shop.until(&["strict", "--force"], "not allowed to create peerauthentications.security.istio.io in");
    assert_eq!((forced.code, forced.stdout.as_str()), (Some(4), ""), "{forced:?}");
    assert!(forced.stderr.contains("verbs: [create]}"), "{forced:?}");
    shop.allow(&shop.apps, "security.istio.io", &["peerauthentications"], "create");
    let done = shop.until(&["strict", "--force"], "created, STRICT for namespace");
    assert_eq!(done.code, Some(0), "{done:?}");

    let remove = shop.until(&["remove"], "whether a gateway would get 503s is unknown");
    assert_eq!(remove.code, Some(1), "what a wider policy says is unknown: {remove:?}");
    let remove = shop.until(&["remove", "--force"], "not allowed to delete peerauthentications.security.istio.io in");
    assert!(remove.stderr.contains("verbs: [delete]}"), "{remove:?}");
    assert_eq!(shop.mode("default").as_deref(), Some("STRICT"));
}

#[test]
fn of_one_namespace_alone_the_modes_are_told_with_what_is_not_known() {
    let shop = Shop::new("peer-rights-get");
    shop.given("n", &json!({"mtls": {"mode": "STRICT"}}));
    shop.allow(&shop.apps, "security.istio.io", &["peerauthentications"], READ);
    let nobody = shop.nobody();
    let args = ["get", "-n", &shop.apps, "--as", &nobody];
    let found = wait_for("the modes", Duration::from_mins(2), || {
        let output = shop.run(&args);
        Ok((output.code == Some(0)).then_some(output))
    });
    let output = found.unwrap();
    assert!(output.stdout.contains(&format!("STRICT  {}/n, namespace\n", shop.apps)), "{output:?}");
    assert!(output.stderr.contains("note: policies elsewhere are unknown"), "{output:?}");
    assert!(output.stderr.contains("note: the root namespace is assumed to be istio-system"), "{output:?}");
    shop.plane.api().delete(super::POLICY, &shop.apps, "n").unwrap();
    let output = shop.run(&[&args[..], &["-o", "json"]].concat());
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    let mode = &document["peerAuthentication"]["modes"][0];
    assert_eq!((output.code, &mode["mode"]), (Some(4), &Value::Null), "the mesh may be STRICT: {output:?}");
    assert!(mode["unknown"].is_string(), "{mode}");
}
