//! `proxy logs`: the log itself, and the levels of the real Envoy's loggers before, meanwhile and afterwards.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{Bench, assert_said, gateway_pods};
use crate::stage::{LogFile, wait_for};
use crate::support::Running;
use crate::support::relay::Relay;

const PATIENCE: Duration = Duration::from_mins(2);

/// A gateway whose container has a log.
struct Logging {
    bench: Bench,
    log: LogFile,
}

impl Logging {
    fn new(prefix: &str) -> Result<Self> {
        let bench = Bench::new(prefix)?;
        let log = LogFile::create(&bench.envoy.directory().join("container.log"))?;
        bench.plane.logs(&bench.gloo, &[("gateway-proxy", &log)])?;
        Ok(Self { bench, log })
    }

    /// Envoy's loggers with one of another level than the rest.
    fn mixed(prefix: &str) -> Result<(Self, String)> {
        let logging = Self::new(prefix)?;
        logging.bench.envoy.ask("POST", "/logging?paths=http:error")?;
        let levels = logging.levels()?;
        assert!(levels.contains("http: error") && levels.contains("router: warning"), "{levels}");
        Ok((logging, levels))
    }

    fn levels(&self) -> Result<String> {
        self.bench.envoy.ask("POST", "/logging")
    }

    fn is_debug(&self) -> bool {
        self.levels().is_ok_and(|levels| levels.contains("http: debug") && levels.contains("router: debug"))
    }
}

#[test]
fn the_log_is_on_stdout_and_as_much_of_it_as_was_asked_for() -> Result<()> {
    let Logging { bench, log } = Logging::new("logs")?;
    let long_ago = jiff::Timestamp::now() - Duration::from_hours(2);
    log.say_at(long_ago, "long ago \u{1b}[31m")?;
    for number in 1..=3 {
        log.say(&format!("line {number}"))?;
    }
    let all = bench.run("logs");
    assert_eq!((all.code, all.stdout.as_str()), (Some(0), "long ago \u{1b}[31m\nline 1\nline 2\nline 3\n"), "{all:#?}");
    assert_eq!(all.stderr, format!("pod {}/{}\n", bench.gloo, bench.pod()?));
    assert_eq!(bench.run("logs --tail 1").stdout, "line 3\n");
    assert_eq!(bench.run("logs --since 1h").stdout, "line 1\nline 2\nline 3\n");

    let (document, _) = bench.json("logs --tail 2")?;
    assert_eq!(
        document["logs"],
        json!([{"namespace": bench.gloo, "pod": bench.pod()?, "lines": ["line 2", "line 3"]}])
    );
    let followed = bench.run("logs -f -o json");
    assert_said(&followed, 2, &["error: --follow and --for cannot be combined with -o: a followed log has no end\n"]);
    let terminal = bench.sandbox().start_on_terminal(&bench.words("logs --tail 4"));
    assert!(bench.sandbox().end_of(terminal).stdout.starts_with("long ago \u{1b}"), "its stdout is a pipe");
    Ok(())
}

#[test]
fn a_container_that_is_not_there_and_one_without_a_log_say_so() -> Result<()> {
    let Logging { bench, .. } = Logging::new("logs-container")?;
    let output = bench.run("logs --container sds");
    assert_said(&output, 1, &[&format!("error: pod/{}: container sds is not valid for pod ", bench.pod()?)]);
    let (document, _) = bench.json("logs --container sds")?;
    assert_eq!((&document["error"]["reason"], &document["logs"]), (&json!("invalid"), &json!([])));
    let typo = bench.run("logs --name gateway-proxi");
    assert_said(
        &typo,
        4,
        &["gateway proxy gateway-proxi: no Deployment or DaemonSet or Pod of that name in ", "near: gateway-proxy"],
    );
    Ok(())
}

#[test]
fn every_line_of_several_pods_says_whose_it_is() -> Result<()> {
    let Logging { bench, log } = Logging::new("logs-pods")?;
    let scale = json!({"spec": {"replicas": 2}});
    bench.plane.api().merge("apps/v1/Deployment", &bench.gloo, "gateway-proxy", &scale)?;
    bench
        .plane
        .api()
        .wait("apps/v1/Deployment", &bench.gloo, "gateway-proxy", |it| it["status"]["readyReplicas"] == 2)?;
    log.say("hello")?;
    let mut pods = gateway_pods(bench.plane, &bench.gloo)?;
    pods.sort_unstable();
    let wanted: Vec<_> = pods.iter().map(|pod| format!("[pod/{pod}/gateway-proxy] hello\n")).collect();
    let output = bench.run("logs --all-pods");
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), wanted.concat().as_str()), "{output:#?}");
    assert_eq!(bench.run("logs --all-pods").stdout, output.stdout, "the same each time");
    let coloured = bench.run("logs --all-pods --color always").stdout;
    let colours: Vec<_> = coloured.lines().map(|line| line.split_once("[pod").map(|(colour, _)| colour)).collect();
    assert!(
        colours.len() == 2 && colours[0].is_some_and(|it| it.contains('\u{1b}')) && colours[0] != colours[1],
        "{coloured:?}"
    );
    assert_eq!(bench.run("logs").stdout, "hello\n");
    Ok(())
}

#[test]
fn what_is_followed_is_printed_as_it_comes_until_somebody_has_enough() -> Result<()> {
    let Logging { bench, log } = Logging::new("logs-follow")?;
    log.say("before")?;
    let mut running = bench.sandbox().start_unread(&bench.words("logs --follow"));
    assert_eq!(running.read_one_line(), "before");
    let output = bench.sandbox().end_of(running);
    assert_eq!(
        (output.code, output.stderr.contains("error")),
        (Some(0), false),
        "a closed pipe, without one more line: {output:#?}"
    );

    let output = bench.run("logs --for 1s");
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "before\n"), "{output:#?}");

    let running = bench.sandbox().start(&bench.words("logs --follow"));
    log.say("after")?;
    running.wait_for_stdout("after\n");
    running.interrupt();
    let output = bench.sandbox().end_of(running);
    assert_eq!((output.code, output.stdout.as_str()), (Some(130), "before\nafter\n"), "{output:#?}");
    Ok(())
}

#[test]
fn a_connection_that_is_cut_is_taken_up_again_without_losing_or_repeating_a_line() -> Result<()> {
    let Logging { bench, log } = Logging::new("logs-cut")?;
    let sandbox = bench.sandbox();
    let server = bench.plane.server();
    let relay = Relay::start(server.trim_start_matches("https://").parse()?, None);
    let kubeconfig = relay.kubeconfig(&bench.kubeconfig, &server, &sandbox);
    let sandbox = sandbox.env("KUBECONFIG", kubeconfig.to_str().context("UTF-8")?);
    for number in 1..=3 {
        log.say(&format!("line {number}"))?;
    }
    let mut running = sandbox.start(&bench.words("logs --follow"));
    running.wait_for_stdout("line 3\n");
    relay.cut();
    running.wait_for("connection lost");
    for number in 4..=6 {
        log.say(&format!("line {number}"))?;
    }
    running.wait_for_stdout("line 6\n");
    running.interrupt();
    let output = sandbox.end_of(running);
    let wanted: Vec<_> = (1..=6).map(|number| format!("line {number}\n")).collect();
    assert_eq!(output.stdout, wanted.concat(), "{output:#?}");
    assert!(
        output.stderr.contains("; still reading\n") && output.stderr.contains(": connected again\n"),
        "{output:#?}"
    );
    Ok(())
}

#[test]
fn a_pod_that_goes_away_ends_its_log() -> Result<()> {
    let Logging { bench, log } = Logging::new("logs-gone")?;
    log.say("last")?;
    let pod = bench.pod()?;
    let sandbox = bench.sandbox();
    let server = bench.plane.server();
    let relay = Relay::start(server.trim_start_matches("https://").parse()?, None);
    let kubeconfig = relay.kubeconfig(&bench.kubeconfig, &server, &sandbox);
    let sandbox = sandbox.env("KUBECONFIG", kubeconfig.to_str().context("UTF-8")?);
    let running = sandbox.start(&bench.words("logs --follow"));
    running.wait_for_stdout("last\n");
    bench.plane.api().delete("v1/Pod", &bench.gloo, &pod)?;
    wait_for("the pod is gone", PATIENCE, || {
        Ok(bench.plane.api().get("v1/Pod", &bench.gloo, &pod)?.is_none().then_some(()))
    })?;
    // kwok goes on with the log of a pod that is gone; a kubelet ends it.
    relay.cut();
    let output = sandbox.end_of(running);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "last\n"), "{output:#?}");
    assert!(output.stderr.ends_with(&format!("pod {pod} no longer exists\n")), "{output:#?}");
    Ok(())
}

#[test]
fn levels_are_as_before_however_the_command_ends() -> Result<()> {
    let (logging, before) = Logging::mixed("levels")?;
    let bench = &logging.bench;
    logging.log.say("a line")?;
    let back = "log levels reset to warning (http: error)\n";

    // By itself.
    let output = bench.run("logs --level debug");
    assert_said(&output, 0, &["log levels debug, were warning (http: error)\n", back]);
    assert_eq!((output.stdout.as_str(), logging.levels()?), ("a line\n", before.clone()));
    assert!(output.stderr.contains(&format!("context {} ({})\n", bench.plane.context(), bench.plane.server())));

    // By Ctrl-C, by the end of the system's patience, by a terminal that is closed.
    let ends: [fn(&Running); 3] = [|it| it.interrupt(), |it| it.terminate(), |it| it.hang_up()];
    for end in ends {
        let running = bench.sandbox().start(&bench.words("logs --follow --debug"));
        running.wait_for_stdout("a line\n");
        assert!(logging.is_debug());
        end(&running);
        let output = bench.sandbox().end_of(running);
        assert_said(&output, 130, &[back]);
        assert_eq!(logging.levels()?, before, "{output:#?}");
    }

    // By a reader that goes away, without one more line to notice it by.
    let mut running = bench.sandbox().start_unread(&bench.words("logs --follow --debug"));
    assert_eq!(running.read_one_line(), "a line");
    let output = bench.sandbox().end_of(running);
    assert_said(&output, 0, &[back]);
    assert_eq!(logging.levels()?, before, "{output:#?}");

    // By the time that was given to it.
    let output = bench.run("logs --debug --for 1s");
    assert_said(&output, 0, &[back]);
    assert_eq!(logging.levels()?, before, "{output:#?}");
    Ok(())
}

#[test]
fn levels_are_as_before_when_the_log_cannot_be_had() -> Result<()> {
    let (logging, before) = Logging::mixed("levels-failed")?;
    let output = logging.bench.run("logs --debug --container sds");
    assert_said(&output, 1, &["container sds is not valid", "log levels reset to"]);
    assert_eq!(logging.levels()?, before);
    Ok(())
}

#[test]
fn only_the_components_that_were_named_are_changed() -> Result<()> {
    let (logging, before) = Logging::mixed("levels-some")?;
    let bench = &logging.bench;
    logging.log.say("a line")?;
    let running = bench.sandbox().start(&bench.words("logs -f --level router:debug,upstream:trace"));
    running.wait_for_stdout("a line\n");
    let meanwhile = logging.levels()?;
    for level in ["router: debug", "upstream: trace", "http: error", "admin: warning"] {
        assert!(meanwhile.contains(level), "{level}: {meanwhile}");
    }
    running.interrupt();
    assert_eq!(bench.sandbox().end_of(running).code, Some(130));
    assert_eq!(logging.levels()?, before);

    let unknown = bench.run("logs --level rooter:debug");
    assert_said(&unknown, 2, &["error: --level: Envoy has no component \"rooter\"\n", "near: router"]);
    let already = bench.run("logs --level http:error");
    assert_said(&already, 0, &["its log levels are already set and will not be reset\n"]);
    assert_eq!(logging.levels()?, before);
    Ok(())
}

#[test]
fn levels_that_cannot_be_put_back_are_told_with_the_commands_that_do() -> Result<()> {
    let (mut logging, _) = Logging::mixed("levels-left")?;
    logging.log.say("a line")?;
    let pod = logging.bench.pod()?;
    let mut running = logging.bench.sandbox().start_unread(&logging.bench.words("logs -f --debug"));
    wait_for("Envoy is at debug", PATIENCE, || Ok(logging.is_debug().then_some(())))?;
    logging.bench.envoy.kill()?;
    assert_eq!(running.read_one_line(), "a line");
    let output = logging.bench.sandbox().end_of(running);
    let gloo = &logging.bench.gloo;
    assert_said(
        &output,
        6,
        &[
            &format!("error: log levels were not reset: pod {gloo}/{pod}\n"),
            "; they were warning (http: error)\n",
            &format!("hint: kubectl port-forward -n {gloo} pod/{pod} 19000\n"),
            "hint: curl -X POST 'http://127.0.0.1:19000/logging?paths=",
            "admin:warning,",
            "http:error,",
        ],
    );
    Ok(())
}

#[test]
fn who_may_not_read_logs_or_look_into_pods_is_told_the_rule() -> Result<()> {
    let mut logging = Logging::new("logs-rights")?;
    let rules = json!([
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": ["apps"], "resources": ["deployments", "daemonsets"], "verbs": ["get"]},
    ]);
    logging.bench.limit(&rules)?;
    let output = logging.bench.until("logs", "resources: [pods/log], verbs: [get]}\n")?;
    assert_said(&output, 4, &[": not allowed to get pods/log in "]);
    let (document, output) = logging.bench.json("logs --debug")?;
    assert_said(&output, 4, &["resources: [pods/portforward], verbs: [get, create]}\n"]);
    assert_eq!(document["error"]["reason"], "forbidden");
    Ok(())
}
