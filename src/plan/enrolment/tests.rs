use serde_json::json;

use super::*;
use crate::plan::rollout::RESTARTED_AT;

fn target() -> Goal {
    Goal::Bound(Revision { names: "prod".into(), revision: "1-28".into() })
}

fn namespace() -> Object {
    Object::new(&kinds::NAMESPACE, json!({"metadata": {"name": "shop", "labels": {"istio.io/rev": "prod"}}}))
}

/// A Deployment whose rollout is complete, merged with these members.
fn deployment(name: &str, more: &Value) -> Object {
    let mut value = json!({
        "kind": "Deployment", "metadata": {"name": name, "namespace": "shop", "generation": 1},
        "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": name}}, "spec": {}}},
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2},
    });
    merge(&mut value, more);
    Object::new(&kinds::DEPLOYMENT, value)
}

fn merge(value: &mut Value, more: &Value) {
    match (value, more) {
        (Value::Object(map), Value::Object(more)) => {
            for (key, more) in more {
                merge(map.entry(key.as_str()).or_insert(Value::Null), more);
            }
        }
        (value, more) => *value = more.clone(),
    }
}

/// A pod of a Deployment, created in this second, with a ready sidecar of this revision.
fn pod(of: &str, second: u32, revision: Option<&str>) -> Value {
    let mut pod = json!({
        "metadata": {
            "name": format!("{of}-7d4f-{second}"), "labels": {"pod-template-hash": "7d4f"},
            "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z"),
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{of}-7d4f"), "controller": true}],
        },
        "spec": {"containers": [{"name": "app"}]}, "status": {"phase": "Running"},
    });
    if let Some(revision) = revision {
        pod["metadata"]["annotations"]["sidecar.istio.io/status"] = json!(json!({"revision": revision}).to_string());
        pod["spec"]["initContainers"] = json!([{"name": "istio-proxy"}]);
        pod["status"]["initContainerStatuses"] = json!([{"name": "istio-proxy", "ready": true}]);
    }
    pod
}

fn fates(goal: &Goal, workload: Object, pods: Vec<Value>) -> Fate {
    let seen = NamespaceState { workloads: vec![workload], pods, ..NamespaceState::default() };
    plan(namespace(), seen, goal.clone(), &[]).unwrap().workloads.remove(0).1
}

fn restart_from(from: &[Option<&str>]) -> Fate {
    Fate::Restart { from: from.iter().map(|from| from.map(str::to_owned)).collect(), gap: None }
}

#[test]
fn a_workload_is_restarted_where_a_pod_runs_otherwise_than_its_namespace_says() {
    let web = || deployment("web", &json!({}));
    let (plain, old, new) = (pod("web", 1, None), pod("web", 2, Some("1-27")), pod("web", 3, Some("1-28")));
    let table = [
        (target(), vec![plain.clone()], restart_from(&[None])),
        (target(), vec![old.clone(), plain.clone(), old.clone()], restart_from(&[None, Some("1-27")])),
        (target(), vec![new.clone(), old.clone()], restart_from(&[Some("1-27")])),
        (target(), vec![new.clone(), new.clone()], Fate::Fits { pods: 2 }),
        (target(), vec![], Fate::Fits { pods: 0 }),
        (Goal::Free, vec![new.clone()], restart_from(&[Some("1-28")])),
        (Goal::Free, vec![plain.clone()], Fate::Fits { pods: 1 }),
    ];
    for (goal, pods, wanted) in table {
        assert_eq!(fates(&goal, web(), pods.clone()), wanted, "{goal:?} {pods:?}");
    }
}

#[test]
fn a_restart_that_was_begun_before_is_waited_for_and_not_begun_again() {
    let rolling = || deployment("web", &json!({"status": {"replicas": 3, "updatedReplicas": 1}}));
    let (plain, new) = (pod("web", 1, None), pod("web", 9, Some("1-28")));
    assert_eq!(fates(&target(), rolling(), vec![plain.clone(), new.clone()]), Fate::UnderWay);
    assert_eq!(fates(&target(), rolling(), vec![pod("web", 12, None), new.clone()]), restart_from(&[None]));
    assert_eq!(fates(&target(), deployment("web", &json!({})), vec![plain, new.clone()]), restart_from(&[None]));
    // Both pods were created in the same second.
    assert_eq!(fates(&target(), rolling(), vec![new.clone(), pod("web", 9, None)]), Fate::UnderWay);
    let mut starting = new.clone();
    starting["status"]["initContainerStatuses"][0]["ready"] = json!(false);
    assert_eq!(fates(&target(), rolling(), vec![starting]), Fate::UnderWay);

    // The new pod comes from a restart that was rolled back: the controller has not deleted it yet.
    let restarted = json!({"annotations": {RESTARTED_AT: "2026-01-01T00:00:08Z"}});
    let mut rolled_back = new;
    merge(&mut rolled_back["metadata"], &restarted);
    let pods = || vec![pod("web", 1, None), rolled_back.clone()];
    assert_eq!(fates(&target(), rolling(), pods()), restart_from(&[None]));
    let mut still = rolling();
    merge(&mut still.value["spec"]["template"]["metadata"], &restarted);
    assert_eq!(fates(&target(), still, pods()), Fate::UnderWay);
}

#[test]
fn a_workload_without_all_its_pods_is_restarted_with_a_new_label_and_waited_for_otherwise() {
    let wants = |more: Value| {
        let mut status = json!({"status": {"replicas": 0, "updatedReplicas": 0, "availableReplicas": 0}});
        merge(&mut status, &more);
        deployment("web", &status)
    };
    let short = |pods: usize| Fate::Short { pods, wanted: 2 };
    let left = |why: &str| Fate::Left(Objection::new(Reason::NotInjected, why));
    let opted_out = json!({"spec": {"template": {"metadata": {"labels": {"sidecar.istio.io/inject": "false"}}}}});
    let meshed = pod("web", 1, Some("1-28"));
    let table = [
        (target(), "prod", wants(json!({})), vec![], short(0)),
        (target(), "prod", wants(json!({})), vec![meshed.clone()], short(1)),
        (target(), "prod", wants(json!({})), vec![meshed.clone(), meshed.clone()], Fate::Fits { pods: 2 }),
        (target(), "other", wants(json!({})), vec![], restart_from(&[])),
        (Goal::Free, "prod", wants(json!({})), vec![], restart_from(&[])),
        (target(), "other", wants(json!({"spec": {"strategy": {"type": "Recreate"}}})), vec![], restart_from(&[])),
        (target(), "other", wants(json!({"spec": {"replicas": 0}})), vec![], Fate::Fits { pods: 0 }),
        (
            target(),
            "other",
            wants(opted_out),
            vec![],
            left("has 0 of 2 pods; opted out by sidecar.istio.io/inject=false"),
        ),
    ];
    for (goal, label, workload, pods, wanted) in table {
        let namespace =
            Object::new(&kinds::NAMESPACE, json!({"metadata": {"name": "shop", "labels": {"istio.io/rev": label}}}));
        let seen = NamespaceState { workloads: vec![workload.clone()], pods, ..NamespaceState::default() };
        let planned = plan(namespace, seen, goal.clone(), &[]).unwrap();
        assert_eq!(planned.workloads[0].1, wanted, "{goal:?} {label} {}", workload.value);
        let is_short = matches!(&wanted, Fate::Short { .. }) || wanted == restart_from(&[]);
        assert_eq!(planned.short_of_pods().count(), usize::from(is_short));
    }
    let daemon_set = json!({"kind": "DaemonSet", "metadata": {"name": "log", "namespace": "shop"},
        "status": {"desiredNumberScheduled": 2}});
    let fate = fates(&target(), Object::new(&kinds::DAEMON_SET, daemon_set), vec![]);
    assert_eq!(fate, short(0));
    let paused = fates(&target(), wants(json!({"spec": {"paused": true}})), vec![meshed]);
    assert!(matches!(&paused, Fate::Left(why) if why.message.starts_with("has 1 of 2 pods; is paused")), "{paused:?}");
}

#[test]
fn what_a_restart_does_not_help_is_left_with_its_reason() {
    let template = |more: Value| json!({"spec": {"template": more}});
    let label = |key: &str, value: &str| template(json!({"metadata": {"labels": {key: value}}}));
    let annotation = |key: &str, value: &str| template(json!({"metadata": {"annotations": {key: value}}}));
    let (plain, meshed) = (pod("web", 1, None), pod("web", 1, Some("1-28")));
    let table = [
        (target(), label("sidecar.istio.io/inject", "false"), &plain, Reason::NotInjected, "opted out"),
        (target(), annotation("sidecar.istio.io/inject", "false"), &plain, Reason::NotInjected, "opted out"),
        (target(), template(json!({"spec": {"hostNetwork": true}})), &plain, Reason::NotInjected, "host's network"),
        (target(), label("istio.io/dataplane-mode", "ambient"), &plain, Reason::NotInjected, "ambient"),
        (target(), json!({"spec": {"paused": true}}), &plain, Reason::NotRestarted, "is paused"),
        (
            target(),
            json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}),
            &plain,
            Reason::NotRestarted,
            "updateStrategy OnDelete",
        ),
        (
            target(),
            json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 2}}}}),
            &plain,
            Reason::NotRestarted,
            "below number 2",
        ),
        (
            Goal::Free,
            label("istio.io/rev", "1-28"),
            &meshed,
            Reason::NotInjected,
            "its own sidecar by istio.io/rev=1-28",
        ),
        (
            Goal::Free,
            label("sidecar.istio.io/inject", "true"),
            &meshed,
            Reason::NotInjected,
            "its own sidecar by sidecar",
        ),
        (Goal::Free, json!({"spec": {"paused": true}}), &meshed, Reason::NotRestarted, "is paused"),
    ];
    for (goal, more, pod, reason, words) in table {
        let Fate::Left(why) = fates(&goal, deployment("web", &more), vec![pod.clone()]) else { panic!("{more}") };
        assert!(why.reason == reason && why.message.contains(words), "{more}: {why:?}");
    }
    // The label is read before the annotation, and the annotation alone does not call the injector.
    let both = json!({"spec": {"template": {"metadata": {
        "labels": {"sidecar.istio.io/inject": "true"}, "annotations": {"sidecar.istio.io/inject": "false"}}}}});
    let fate = fates(&target(), deployment("web", &both), vec![plain.clone()]);
    assert!(matches!(fate, Fate::Restart { .. }), "{fate:?}");
    let fate =
        fates(&Goal::Free, deployment("web", &annotation("sidecar.istio.io/inject", "true")), vec![meshed.clone()]);
    assert!(matches!(fate, Fate::Restart { .. }), "{fate:?}");
    // Even for a paused Deployment, the pods are already as required.
    let paused = deployment("web", &json!({"spec": {"paused": true}}));
    assert_eq!(fates(&target(), paused, vec![meshed]), Fate::Fits { pods: 1 });
}

#[test]
fn pods_that_no_workload_here_makes_are_named_once_each() {
    let owned = |name: &str, api: &str, kind: &str, owner: &str| {
        json!({"metadata": {"name": name, "ownerReferences": [
            {"apiVersion": api, "kind": kind, "name": owner, "controller": true}]}})
    };
    let mut of_rollout = owned("r-5c-1", "apps/v1", "ReplicaSet", "r-5c");
    of_rollout["metadata"]["labels"] = json!({"rollouts-pod-template-hash": "5c"});
    let pods = vec![
        json!({"metadata": {"name": "bare"}}),
        owned("once-1", "batch/v1", "Job", "once"),
        owned("once-2", "batch/v1", "Job", "once"),
        of_rollout,
        owned("s-1", "sandbox.io/v1", "Sandbox", "s"),
    ];
    let cron_jobs = vec![
        Object::new(&kinds::CRON_JOB, json!({"metadata": {"name": "nightly", "namespace": "shop"}})),
        Object::new(
            &kinds::CRON_JOB,
            json!({"metadata": {"name": "off", "namespace": "shop"}, "spec": {"jobTemplate": {"spec": {"template": {
                "metadata": {"labels": {"sidecar.istio.io/inject": "false"}}}}}}}),
        ),
    ];
    let seen = NamespaceState { pods, cron_jobs, ..NamespaceState::default() };
    let left = plan(namespace(), seen.clone(), target(), &[]).unwrap().left;
    let shown: Vec<_> = left.iter().map(|(object, why)| format!("{object}: {}", why.message)).collect();
    let wanted = [
        "pod/bare: nothing creates it again after it is deleted",
        "job.batch/once: a Job cannot be restarted",
        "rollout.argoproj.io/r: an Argo Rollout is restarted by its own controller",
        "pod/s-1: is managed by Sandbox s, which has to restart it",
        "cronjob.batch/nightly: its next Jobs get a sidecar, which keeps a Job from ending unless it is an init container",
    ];
    assert_eq!(shown, wanted);
    assert_eq!(plan(namespace(), seen, Goal::Free, &[]).unwrap().left, []);
}

#[test]
fn only_the_workloads_that_were_named_are_restarted() {
    let workloads = || vec![deployment("web", &json!({})), deployment("api", &json!({}))];
    let pods = vec![pod("web", 1, None), pod("api", 1, None)];
    let seen = NamespaceState { workloads: workloads(), pods, ..NamespaceState::default() };
    let named = |name: &str| vec![WorkloadName { kind: Some(&kinds::DEPLOYMENT), name: name.to_owned() }];
    let planned = plan(namespace(), seen.clone(), target(), &named("web")).unwrap();
    let restarts: Vec<_> = planned.restarts().map(|it| it.reference.name.as_str()).collect();
    assert_eq!(restarts, ["web"]);
    let (object, why) = *plan(namespace(), seen.clone(), target(), &named("wep")).unwrap_err();
    assert_eq!(
        (object.name.as_str(), why.reason, why.details),
        ("wep", Reason::NotFound, vec!["near: web".to_owned()])
    );
    let mut seen = seen;
    seen.workloads[0] = deployment("web", &json!({"spec": {"paused": true}}));
    let (object, why) = *plan(namespace(), seen, target(), &named("web")).unwrap_err();
    assert_eq!((object.name.as_str(), why.reason), ("web", Reason::NotRestarted));
}

#[test]
fn a_name_that_two_kinds_have_wants_the_kind() {
    let mut twin = deployment("web", &json!({}));
    twin.reference.kind = &kinds::STATEFUL_SET;
    let seen = NamespaceState { workloads: vec![deployment("web", &json!({})), twin], ..NamespaceState::default() };
    let name = WorkloadName { kind: None, name: "web".into() };
    let (_, why) = *plan(namespace(), seen, target(), &[name]).unwrap_err();
    assert_eq!(why.reason, Reason::Ambiguous);
    assert_eq!(why.hint, Some("--workload deployment/web or statefulset/web".into()));
}
