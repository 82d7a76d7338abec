use super::*;

fn target() -> TypedTarget {
    TypedTarget {
        kubeconfig: Some("my config".into()),
        context: Some("b;id".into()),
        user: Some("bob".into()),
        groups: vec!["a".into(), "$(id)".into()],
        uid: Some("7".into()),
        called: Called::GlooRs,
    }
}

#[test]
fn each_program_gets_its_own_flags_for_cluster_and_user() {
    let flags = "--kubeconfig 'my config'";
    assert_eq!(
        gloo_rs("check").on(&target()).to_string(),
        format!("gloo-rs check {flags} --kube-context 'b;id' --as bob --as-group a --as-group '$(id)' --as-uid 7")
    );
    assert_eq!(
        kubectl("get pods").on(&target()).to_string(),
        format!("kubectl get pods {flags} --context 'b;id' --as bob --as-group a --as-group '$(id)' --as-uid 7")
    );
    assert_eq!(
        helm(Driver::ConfigMap, "status").value("gloo").on(&target()).to_string(),
        format!(
            "HELM_DRIVER=configmap helm status gloo {flags} --kube-context 'b;id' --kube-as-user bob \
             --kube-as-group a --kube-as-group '$(id)'"
        )
    );
}

#[test]
fn as_a_plugin_of_kubectl_the_commands_of_this_program_alone_have_its_name() {
    let called = |program: &str| Called::by(OsStr::new(program));
    assert_eq!(called("/usr/local/bin/kubectl-gloo"), Called::KubectlGloo);
    for program in ["gloo-rs", "gloo-rs.old", "kubectl-gloo.exe/gloo-rs", "kubectl", ""] {
        assert_eq!(called(program), Called::GlooRs, "{program}");
    }
    let target = TypedTarget { called: Called::KubectlGloo, ..TypedTarget::default() };
    let hint = gloo_rs("check").after("first: ").text(", or ").command(kubectl("get pods"));
    assert_eq!(hint.on(&target), "first: kubectl gloo check, or kubectl get pods");
    assert_eq!(Called::KubectlGloo.say("curl $(gloo-rs proxy url)"), "curl $(kubectl gloo proxy url)");
}

#[test]
fn a_command_that_is_about_a_cluster_stays_so() {
    let of = |context: &str| TypedTarget { context: Some(context.into()), ..TypedTarget::default() };
    assert_eq!(gloo_rs("check").on(&of("a")).on(&of("b")).to_string(), "gloo-rs check --kube-context a");
    assert_eq!(gloo_rs("check").on(&TypedTarget::default()).on(&of("b")).to_string(), "gloo-rs check --kube-context b");
}

#[test]
fn without_typed_flags_the_command_stays_short() {
    let command = gloo_rs("upgrade-values --values FILE").on(&TypedTarget::default());
    assert_eq!(command.to_string(), "gloo-rs upgrade-values --values FILE");
}

#[test]
fn a_name_with_a_leading_dash_is_never_a_flag() {
    let command = helm(Driver::Secret, "rollback").value("-h").value("3").fixed("-n").value("--debug");
    assert_eq!(command.to_string(), "helm rollback -n=--debug -- -h 3");
    assert_eq!(
        command.on(&target()).to_string(),
        "helm rollback -n=--debug --kubeconfig 'my config' --kube-context 'b;id' --kube-as-user bob \
         --kube-as-group a --kube-as-group '$(id)' -- -h 3"
    );
}

#[test]
fn a_hint_aims_each_of_its_commands() {
    let hint = gloo_rs("check").after("first: ").text(", or ").command(kubectl("get pods"));
    assert_eq!(hint, "first: gloo-rs check, or kubectl get pods");
    let target = TypedTarget { context: Some("b".into()), ..TypedTarget::default() };
    assert_eq!(hint.on(&target), "first: gloo-rs check --kube-context b, or kubectl get pods --context b");
}
