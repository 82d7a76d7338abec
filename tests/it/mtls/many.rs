//! Thousands of Upstreams in two hundred namespaces, on a real API server that dies, is busy, or is left alone.
//!
//! `GLOO_RS_MANY` says how many; `docs/testing.md`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::as_user;
use crate::stage::{Options, Plane, Request, wait_for};
use crate::support::{Output, Running, Sandbox};

const USUAL: usize = 600;
const NAMESPACES: usize = 200;
/// A tenth of the namespaces is done when the first Upstream of this one is.
const EARLY: &str = "/crowd-020/";
const ENABLE: [&str; 5] = ["istio", "enable-mtls", "-A", "-l", "crowd=yes"];
const DISABLE: [&str; 5] = ["istio", "disable-mtls", "-A", "-l", "crowd=yes"];
const LIST: &str = "/apis/gloo.solo.io/v1/upstreams?labelSelector=crowd%3Dyes";
/// As many as are under way at once.
const AT_ONCE: usize = 16;
const PATIENCE: Duration = Duration::from_mins(20);

fn how_many() -> usize {
    std::env::var("GLOO_RS_MANY").map_or(USUAL, |text| text.parse().expect("GLOO_RS_MANY is a number"))
}

/// A plane of its own with all of them, and the administrator's command line.
struct Crowd {
    plane: Plane,
    sandbox: Sandbox,
    size: usize,
}

/// What the API server has of an Upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    enabled: bool,
    version: String,
    /// How often its spec was changed, and once for its making.
    generation: u64,
}

type States = BTreeMap<String, State>;

impl Crowd {
    fn new(size: usize) -> Result<Self> {
        // The limits hold for whoever is no administrator.
        let limits =
            ["--enable-priority-and-fairness=false", "--max-requests-inflight=3", "--max-mutating-requests-inflight=2"];
        let plane = Plane::start(&Options {
            context: "crowd".into(),
            apiserver_flags: limits.map(str::to_owned).to_vec(),
            audit: true,
            ..Options::default()
        })?;
        plane.install_guide()?;
        plane.api().apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "limited"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "limited"}],
        }).to_string())?;
        let namespaces = || (0..NAMESPACES).map(namespace);
        let (core, gloo) = ("/api/v1/namespaces", "/apis/gloo.solo.io/v1/namespaces");
        let api = plane.api();
        api.create_all(namespaces().map(|name| (core.to_owned(), json!({"metadata": {"name": name}}))).collect())?;
        api.create_all(namespaces().map(|name| (format!("{core}/{name}/services"), service())).collect())?;
        api.create_all(namespaces().map(|name| (format!("{core}/{name}/pods"), pod())).collect())?;
        let upstreams = (0..size).map(|number| {
            let namespace = namespace(number % NAMESPACES);
            (format!("{gloo}/{namespace}/upstreams"), upstream(&namespace, number))
        });
        api.create_all(upstreams.collect())?;
        let sandbox = as_user(&plane, "admin").patient(PATIENCE);
        Ok(Self { plane, sandbox, size })
    }

    fn states(&self) -> Result<States> {
        // One that has just started may still be filling its cache.
        let list = wait_for("the Upstreams are listed", PATIENCE, || {
            let request = http::Request::get(LIST).body(Vec::new())?;
            Ok(self.plane.api().run(|client| async move { client.request::<Value>(request).await }).ok())
        })?;
        let items = list["items"].as_array().context("a list")?;
        let state = |item: &Value| {
            let metadata = &item["metadata"];
            let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
            let state = State {
                enabled: !item["spec"]["sslConfig"].is_null(),
                version: text("resourceVersion"),
                generation: metadata["generation"].as_u64().unwrap_or_default(),
            };
            (format!("{}/{}", text("namespace"), text("name")), state)
        };
        Ok(items.iter().map(state).collect())
    }

    fn enabled(&self) -> Result<usize> {
        Ok(count(&self.states()?))
    }

    /// Takes mutual TLS from all of them.
    fn reset(&self) -> Result<()> {
        let output = self.sandbox.run(&DISABLE);
        ensure!(output.code == Some(0), "{}", output.stderr);
        ensure!(self.enabled()? == 0);
        Ok(())
    }

    /// Starts a sweep that is in no hurry, and comes back when a tenth of it is done.
    fn begun(&self, more: &[&str]) -> Running {
        let running = self.sandbox.start(&[&ENABLE[..], &["--concurrency", "4"], more].concat());
        running.wait_for_stdout(EARLY);
        running
    }

    /// A sweep that goes on where another was ended: it changes what that left, and nothing else.
    fn a_rerun_does_the_rest(&self) -> Result<()> {
        let before = self.states()?;
        let done = count(&before);
        ensure!((1..self.size).contains(&done), "{done} were enabled");
        let output = self.sandbox.run(&ENABLE);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        let said = format!("{} enabled, {done} already ({} Upstreams, ", self.size - done, self.size);
        assert!(output.stderr.contains(&said), "{said}: {}", output.stderr);
        let after = self.states()?;
        assert_eq!(count(&after), self.size);
        for (name, state) in before.iter().filter(|(_, state)| state.enabled) {
            assert_eq!(&after[name], state, "{name} was touched twice");
        }
        Ok(())
    }

    /// All are enabled, each by one change.
    fn all_are_changed_once_since(&self, before: &States) -> Result<()> {
        let after = self.states()?;
        assert_eq!((after.len(), count(&after)), (self.size, self.size));
        for (name, state) in &after {
            assert_eq!(state.generation, before[name].generation + 1, "{name}");
        }
        Ok(())
    }

    /// Memory stays flat, and no number on the way is larger than what is done.
    fn is_enabled_in_flat_memory_with_true_progress(&self) -> Result<()> {
        let before = self.states()?;
        let sandbox = as_user(&self.plane, "admin").patient(PATIENCE).env("TERM", "xterm");
        let running = sandbox.start_on_terminal(&ENABLE);
        let (mut early, mut most, mut shown) = (0, 0, 0);
        let begun = Instant::now();
        let mut looks = 0;
        loop {
            let screen = running.screen();
            if screen.contains(" enabled (") {
                break;
            }
            ensure!(begun.elapsed() < PATIENCE, "{screen}");
            let memory = running.memory_kib().unwrap_or_default();
            let now = last_progress(&screen);
            assert!(now >= shown && now <= self.size, "{now} after {shown}");
            if now > shown && looks < 20 {
                let done = self.enabled()?;
                assert!(done >= now, "{now} are shown and {done} are done");
                looks += 1;
            }
            shown = now;
            most = most.max(memory);
            if now < self.size / 5 {
                early = most;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = sandbox.end_of(running);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        // The words of the outcome have a colour.
        for said in [format!("{} enabled", self.size), format!(" ({} Upstreams, ", self.size)] {
            assert!(output.stderr.contains(&said), "{}", output.stderr);
        }
        assert_eq!(output.stdout.lines().count(), self.size);
        assert!(looks > 0 && early > 0, "{looks} looks, {early} KiB");
        // A page, the one read ahead, and what is known of 200 namespaces.
        assert!(most < 64 << 10 && most < early + (8 << 10), "{early} KiB, later {most} KiB");
        self.all_are_changed_once_since(&before)
    }

    fn is_left_in_order_by_ctrl_c(&self) -> Result<()> {
        self.reset()?;
        let running = self.begun(&[]);
        running.interrupt();
        let output = self.sandbox.end_of(running);
        assert_eq!(output.code, Some(130), "{}", output.stderr);
        let said = output.stdout.lines().count();
        assert_eq!(said, self.enabled()?, "each that was done is said");
        assert!(output.stderr.contains(&format!("error: interrupted; {said} Upstreams enabled")), "{}", output.stderr);
        assert!(output.stderr.contains(&format!("{said} enabled ({said} Upstreams, ")), "{}", output.stderr);
        self.a_rerun_does_the_rest()
    }

    fn is_finished_past_an_api_server_that_dies_and_comes_back(&self) -> Result<()> {
        self.reset()?;
        let before = self.states()?;
        let running = self.begun(&["--timeout", "3m"]);
        self.plane.kill_apiserver()?;
        self.plane.start_apiserver()?;
        let output = self.sandbox.end_of(running);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(output.stderr.contains(&format!("{0} enabled ({0} Upstreams, ", self.size)), "{}", output.stderr);
        self.all_are_changed_once_since(&before)
    }

    fn is_left_in_order_by_an_api_server_that_stays_away(&self) -> Result<()> {
        self.reset()?;
        let running = self.begun(&["--timeout", "2s"]);
        self.plane.kill_apiserver()?;
        let output = self.sandbox.end_of(running);
        self.plane.start_apiserver()?;
        assert_eq!(output.code, Some(9), "{}", output.stderr);
        let (said, done) = (output.stdout.lines().count(), self.enabled()?);
        // A write whose answer went missing is called unknown, and may have been made.
        assert!((said..=said + AT_ONCE).contains(&done), "{said} said, {done} done");
        assert!(output.stderr.contains(&format!("{said} Upstreams enabled")), "{}", output.stderr);
        self.a_rerun_does_the_rest()
    }

    fn is_finished_at_the_pace_of_a_busy_api_server(&self) -> Result<()> {
        self.reset()?;
        let before = self.states()?;
        let asked = self.plane.requests()?.len();
        let output =
            as_user(&self.plane, "limited").patient(PATIENCE).run(&[&ENABLE[..], &["--timeout", "10m"]].concat());
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(output.stderr.contains(&format!("{0} enabled ({0} Upstreams, ", self.size)), "{}", output.stderr);
        self.all_are_changed_once_since(&before)?;
        let mut tries: BTreeMap<String, Vec<Request>> = BTreeMap::new();
        for request in self.plane.requests()?.split_off(asked) {
            if request.verb == "patch" && request.user["username"] == "limited" {
                tries.entry(request.uri.clone()).or_default().push(request);
            }
        }
        let mut turned_away = 0;
        for (uri, tries) in &tries {
            for pair in tries.windows(2) {
                assert_eq!(pair[0].response_status["code"], 429, "{uri} was sent again after {:?}", pair[0]);
                let waited = pair[1].received.duration_since(pair[0].received);
                assert!(waited.as_millis() >= 1000, "{uri} came back after {waited:?}, and was told 1 s");
                turned_away += 1;
            }
        }
        assert!(turned_away > 0, "nothing was turned away");
        Ok(())
    }
}

fn count(states: &States) -> usize {
    states.values().filter(|state| state.enabled).count()
}

/// The number of the newest line of progress.
fn last_progress(screen: &str) -> usize {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    screen.rsplit("Upstreams: ").next().filter(|text| text.len() < screen.len()).and_then(digits).unwrap_or_default()
}

fn namespace(number: usize) -> String {
    format!("crowd-{number:03}")
}

fn service() -> Value {
    json!({"metadata": {"name": "app"}, "spec": {"selector": {"app": "app"}, "ports": [{"port": 80}]}})
}

/// Which node it runs on, if any, makes no difference here.
fn pod() -> Value {
    json!({
        "metadata": {"name": "app-1", "labels": {"app": "app", "security.istio.io/tlsMode": "istio"}},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    })
}

fn upstream(namespace: &str, number: usize) -> Value {
    json!({
        "apiVersion": "gloo.solo.io/v1", "kind": "Upstream",
        "metadata": {"name": format!("app-{number:05}"), "labels": {"crowd": "yes"}},
        "spec": {"kube": {"serviceName": "app", "serviceNamespace": namespace, "servicePort": 80}},
    })
}

#[test]
fn a_crowd_is_enabled_once_each_and_counted_truly_whatever_becomes_of_the_api_server() -> Result<()> {
    let crowd = Crowd::new(how_many())?;
    crowd.is_enabled_in_flat_memory_with_true_progress()?;
    crowd.is_left_in_order_by_ctrl_c()?;
    crowd.is_finished_past_an_api_server_that_dies_and_comes_back()?;
    crowd.is_left_in_order_by_an_api_server_that_stays_away()?;
    crowd.is_finished_at_the_pace_of_a_busy_api_server()
}

/// The most that a run had resident, as the kernel said last.
fn peak_of(sandbox: &Sandbox, args: &[&str]) -> (Output, u64) {
    let running = sandbox.start(args);
    let mut peak = 0;
    while let Some(now) = running.peak_kib() {
        peak = now;
    }
    (sandbox.end_of(running), peak)
}

#[test]
fn manifests_without_number_take_the_memory_of_the_largest_file() {
    const OBJECTS_IN_A_FILE: usize = 10;
    const KIB_OF_SLACK: u64 = 2048;
    // Twice as much as the slack in all, however few they are.
    let note = "x".repeat(2 * 1024 * 2048 / USUAL);
    let file = |number: usize| {
        let object = |number: usize| {
            let mut object = upstream(&namespace(number % NAMESPACES), number);
            object["metadata"]["annotations"] = json!({"note": note});
            object.to_string()
        };
        let numbers = number * OBJECTS_IN_A_FILE..(number + 1) * OBJECTS_IN_A_FILE;
        numbers.map(object).collect::<Vec<_>>().join("\n---\n")
    };
    let sandbox = Sandbox::new();
    let files = how_many() / OBJECTS_IN_A_FILE;
    sandbox.write("one/0000.yaml", file(0));
    for number in 0..files {
        sandbox.write(&format!("all/{number:04}.yaml"), file(number));
    }
    let words = |folder| ["istio", "enable-mtls", "--all", "--check", "-f", folder];
    let (one, alone) = peak_of(&sandbox, &words("one"));
    let (all, crowd) = peak_of(&sandbox, &words("all"));
    assert_eq!((one.code, all.code), (Some(3), Some(3)), "{}", all.stderr);
    let objects = files * OBJECTS_IN_A_FILE;
    assert_eq!(all.stdout.lines().count(), objects);
    let each = 200 * objects as u64 / 1024;
    assert!(alone > 0 && crowd <= alone + each + KIB_OF_SLACK, "{alone} KiB for one file, {crowd} KiB for {files}");
}
