//! Hints about objects in files: where a command would change the object in the cluster, the file is changed instead,
//! since the next deployment would undo anything else.

use super::{Finding, World};
use crate::command::{CommandLine, Hint, Program};
use crate::model::{Kind, ObjectRef, Snapshot, Spot, kinds};
use crate::plan::revisions::bond;
use crate::plan::sidecars::bootstrap_name;

/// Commands that change the Upstreams after `-u`.
const OF_UPSTREAMS: [&str; 3] = ["istio enable-mtls", "istio disable-mtls", "istio auto-mtls"];
/// The namespace of a name without one: `-n` of the commands that change Upstreams.
const DEFAULT_NAMESPACE: &str = "gloo-system";
const GATEWAY_PROXY: &str = "gateway-proxy";
/// The name of the standard input among files.
const STDIN: &str = "-";

/// Returns the hint of a finding: commands that change an object of a file get `-f FILE --write`, and where such an
/// object is to be edited by hand, its file and line are named. Commands about objects of the cluster stay.
pub(super) fn hint(hint: Hint, finding: &Finding, world: &World<'_>) -> Hint {
    let places = Places { finding, snapshot: world.snapshot, gloo: world.gloo_namespace };
    hint.each(|command| match places.edited(&command) {
        Some(text) => Hint::from(text),
        None => Hint::from(places.written(command)),
    })
}

struct Places<'f> {
    finding: &'f Finding,
    snapshot: &'f Snapshot,
    /// The namespace of Gloo.
    gloo: &'f str,
}

impl<'f> Places<'f> {
    /// The place of an object in a file. What came through a pipe has none that could be written.
    fn spot(&self, object: &ObjectRef) -> Option<&'f Spot> {
        self.snapshot.spot(object).filter(|spot| spot.file != STDIN)
    }

    fn find(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<&'f Spot> {
        self.spot(&ObjectRef::new(kind, namespace, name))
    }

    /// What to change by hand, and where, instead of this command of kubectl. `None` if it is to be run.
    fn edited(&self, command: &CommandLine) -> Option<String> {
        let is = |words| command.begins_with(Program::Kubectl, words);
        let home = command.value_of("-n").unwrap_or_default();
        if is("edit peerauthentication") {
            let name = command.value_of("peerauthentication")?;
            return Some(format!("edit {}", self.find(&kinds::PEER_AUTHENTICATION, home, name)?));
        }
        if is("edit upstream") {
            return Some(format!("edit {}", self.find(&kinds::UPSTREAM, home, command.value_of("upstream")?)?));
        }
        if is("get peerauthentication") {
            let [effective, ignored] = [&self.finding.decided_by, &self.finding.object].map(|it| self.spot(it));
            return Some(format!("compare {} with {}", effective?, ignored?));
        }
        if is("scale deployment") {
            let spot = self.find(&kinds::DEPLOYMENT, home, command.value_of("deployment")?)?;
            return Some(format!("set spec.replicas in {spot}"));
        }
        if is("label namespace") {
            let spot = self.find(&kinds::NAMESPACE, "", command.value_of("namespace")?)?;
            return Some(format!("remove one of the labels in {spot}"));
        }
        None
    }

    /// The command with the files that it changes, and with what tells it about istiod: istiod's manifests if they are
    /// in files too, else a flag to fill in.
    fn written(&self, command: CommandLine) -> CommandLine {
        let Some(mut spots) = self.changed_by(&command) else { return command };
        let is = |words| command.begins_with(Program::GlooRs, words);
        // Without sidecars, no istiod is chosen.
        let of_istiod = if is("istio enroll --ambient") { Vec::new() } else { self.istiods() };
        let missing = match () {
            () if is("istio inject") && of_istiod.is_empty() => "--istio-discovery-address HOST:15012",
            () if is("istio enroll --ambient") => "",
            () if is("istio enroll") && of_istiod.is_empty() && command.value_of("--revision").is_none() => {
                "--revision REVISION"
            }
            () => "",
        };
        if is("istio inject") || is("istio enroll") {
            spots.extend(of_istiod);
        }
        let mut files: Vec<&str> = Vec::new();
        for spot in spots {
            if !files.contains(&spot.file.as_str()) {
                files.push(&spot.file);
            }
        }
        files.into_iter().fold(command.fixed(missing), |command, file| command.with("-f", file)).fixed("--write")
    }

    fn istiods(&self) -> Vec<&'f Spot> {
        let deployments = self.snapshot.all(&kinds::DEPLOYMENT).iter();
        let istiods = deployments.filter(|it| it.label("app") == Some("istiod"));
        istiods.filter_map(|it| self.spot(&it.reference)).collect()
    }

    /// Where the objects are that a command of this program changes. `None` if one is not in a file.
    fn changed_by(&self, command: &CommandLine) -> Option<Vec<&'f Spot>> {
        let is = |words| command.begins_with(Program::GlooRs, words);
        // Where a name has no namespace, the command looks in its default namespace.
        let home = command.value_of("-n").unwrap_or(DEFAULT_NAMESPACE);
        if let Some(names) = command.value_of("-u").filter(|_| OF_UPSTREAMS.iter().any(|words| is(words))) {
            let of_name = |name: &str| {
                let (namespace, name) = name.split_once('/').unwrap_or((home, name));
                self.find(&kinds::UPSTREAM, namespace, name)
            };
            return names.split(',').map(of_name).collect();
        }
        if is("istio auto-mtls") {
            return Some(vec![self.find(&kinds::SETTINGS, self.gloo, "default")?]);
        }
        if is("istio peer-auth") {
            let decided_by = Some(&self.finding.decided_by).filter(|it| it.kind == &kinds::PEER_AUTHENTICATION)?;
            return Some(vec![self.spot(decided_by)?]);
        }
        if is("istio enroll --ambient") {
            return Some(vec![self.find(&kinds::NAMESPACE, "", command.value_of("--ambient")?)?]);
        }
        if is("istio enroll") {
            let name = command.value_of("enroll")?;
            // A namespace with the label needs a restart of its pods.
            let namespace = self.snapshot.find(&kinds::NAMESPACE, "", name).object();
            let lacks_label = namespace.is_some_and(|namespace| bond(&namespace.value).is_none());
            return self.find(&kinds::NAMESPACE, "", name).filter(|_| lacks_label).map(|spot| vec![spot]);
        }
        // With files over a cluster, only the cluster tells the address of its istiod.
        if is("istio inject") && (self.snapshot.is_of_files() || !self.istiods().is_empty()) {
            let home = command.value_of("-n").unwrap_or(self.gloo);
            let of_name = |name: &str| {
                let workload =
                    [&kinds::DEPLOYMENT, &kinds::DAEMON_SET].into_iter().find_map(|kind| self.find(kind, home, name));
                Some([workload?, self.find(&kinds::CONFIG_MAP, home, &bootstrap_name(name))?])
            };
            let mut names: Vec<_> = command.values_of("--name").collect();
            if names.is_empty() {
                names.push(GATEWAY_PROXY);
            }
            let spots: Option<Vec<_>> = names.into_iter().map(of_name).collect();
            return Some(spots?.into_iter().flatten().collect());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::codes;
    use crate::command::{gloo_rs, kubectl};
    use crate::model::{ListAnswer, ListPart, Object, Selector, Unknown};

    /// A gateway, its bootstrap and an Upstream in these files, and a policy and a namespace in a cluster.
    fn snapshot([gateway, bootstrap, upstream]: [&str; 3]) -> Snapshot {
        let object = |kind, namespace: &str, name: &str| {
            Object::new(kind, json!({"metadata": {"namespace": namespace, "name": name}, "spec": {}}))
        };
        let mut snapshot = Snapshot::new(Unknown::of_files());
        for (kind, namespace, name) in
            [(&kinds::PEER_AUTHENTICATION, "shop", "strict"), (&kinds::NAMESPACE, "", "shop")]
        {
            snapshot.put(kind, ListPart::All, ListAnswer::Read(vec![object(kind, namespace, name)]));
        }
        for (kind, name, file) in [
            (&kinds::DEPLOYMENT, "gateway-proxy", gateway),
            (&kinds::CONFIG_MAP, "gateway-proxy-envoy-config", bootstrap),
            (&kinds::UPSTREAM, "cart", upstream),
        ] {
            snapshot.lay(object(kind, "gloo-system", name), Spot { file: file.to_owned(), line: 3 });
        }
        snapshot
    }

    #[test]
    fn only_what_changes_an_object_of_a_file_names_the_file() {
        let snapshot = snapshot(["g.yaml", "g.yaml", "my u.yaml"]);
        let world = World::new(&snapshot, "gloo-system", Selector::parse("gloo").unwrap(), "not here");
        let policy = ObjectRef::new(&kinds::PEER_AUTHENTICATION, "shop", "strict");
        let finding = Finding::new(&codes::STRICT_PLAINTEXT, &policy, "").decided_by(policy);
        let enable = || gloo_rs("istio enable-mtls");
        for (command, wanted) in [
            (enable().with("-u", "cart"), "gloo-rs istio enable-mtls -u cart -f 'my u.yaml' --write"),
            (
                enable().with("-u", "gloo-system/cart"),
                "gloo-rs istio enable-mtls -u gloo-system/cart -f 'my u.yaml' --write",
            ),
            // One of them is only in the cluster.
            (enable().with("-u", "cart,other"), "gloo-rs istio enable-mtls -u cart,other"),
            (gloo_rs("istio inject"), "gloo-rs istio inject --istio-discovery-address HOST:15012 -f g.yaml --write"),
            (
                kubectl("scale deployment").value("gateway-proxy").with("-n", "gloo-system"),
                "set spec.replicas in g.yaml:3",
            ),
            // The files of one of them are not known.
            (
                gloo_rs("istio inject").with("--name", "gateway-proxy").with("--name", "other"),
                "gloo-rs istio inject --name gateway-proxy --name other",
            ),
            (gloo_rs("istio auto-mtls enable"), "gloo-rs istio auto-mtls enable"),
            (gloo_rs("istio enroll").value("shop"), "gloo-rs istio enroll shop"),
            (gloo_rs("istio peer-auth permissive").with("-n", "shop"), "gloo-rs istio peer-auth permissive -n shop"),
            (
                kubectl("edit peerauthentication").value("strict").with("-n", "shop"),
                "kubectl edit peerauthentication strict -n shop",
            ),
            (kubectl("get pods").with("-n", "shop"), "kubectl get pods -n shop"),
        ] {
            assert_eq!(hint(command.into(), &finding, &world), wanted);
        }
    }

    #[test]
    fn a_name_without_a_namespace_is_not_taken_for_one_of_the_same_name_in_another() {
        let mut snapshot = snapshot(["g.yaml", "g.yaml", "a.yaml"]);
        let of_edge = Object::new(&kinds::UPSTREAM, json!({"metadata": {"namespace": "edge", "name": "cart"}}));
        snapshot.lay(of_edge, Spot { file: "edge.yaml".to_owned(), line: 1 });
        let world = World::new(&snapshot, "edge", Selector::parse("gloo").unwrap(), "not here");
        let upstream = ObjectRef::new(&kinds::UPSTREAM, "gloo-system", "cart");
        let finding = Finding::new(&codes::STRICT_PLAINTEXT, &upstream, "");
        let enable = gloo_rs("istio enable-mtls").with("-u", "cart");
        assert_eq!(hint(enable.into(), &finding, &world), "gloo-rs istio enable-mtls -u cart -f a.yaml --write");
    }

    #[test]
    fn a_pipe_is_not_written_and_each_file_is_named_once() {
        let of = |files, command: CommandLine| {
            let snapshot = snapshot(files);
            let world = World::new(&snapshot, "gloo-system", Selector::parse("gloo").unwrap(), "not here");
            let upstream = ObjectRef::new(&kinds::UPSTREAM, "gloo-system", "cart");
            hint(command.into(), &Finding::new(&codes::STRICT_PLAINTEXT, &upstream, ""), &world).to_string()
        };
        let enable = gloo_rs("istio enable-mtls").with("-u", "cart");
        assert_eq!(of(["a", "a", "-"], enable), "gloo-rs istio enable-mtls -u cart");
        assert_eq!(of(["-", "a", "a"], gloo_rs("istio inject")), "gloo-rs istio inject");
        let two = of(["a", "b", "-"], gloo_rs("istio inject"));
        assert_eq!(two, "gloo-rs istio inject --istio-discovery-address HOST:15012 -f a -f b --write");
    }
}
