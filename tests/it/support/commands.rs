//! Every leaf command that asks a cluster something.

/// The words of each command, with arguments that make it ask. It has no terminal and no files.
pub fn every() -> Vec<Vec<&'static str>> {
    let asks = |words: String| Some((arguments(&words)?, &*words.leak()));
    leaves().into_iter().filter_map(asks).map(|(more, words)| words.split(' ').chain(more).collect()).collect()
}

/// The words of every leaf command.
pub fn leaves() -> Vec<String> {
    let mut leaves = Vec::new();
    add_leaves(&gloo_rs::exports::cli::tree(), &mut Vec::new(), &mut leaves);
    leaves
}

/// `None`: it asks no cluster. Whoever adds a command adds it here, or the tests fail.
fn arguments(words: &str) -> Option<Vec<&'static str>> {
    Some(match words {
        "completion" | "options" | "rbac" => return None,
        "istio enable-mtls" | "istio disable-mtls" | "istio verify" | "istio auto-mtls migrate" => vec!["-u", "x"],
        "istio auto-mtls enable" | "istio auto-mtls disable" | "istio setup" | "istio teardown" => vec!["--yes"],
        "istio peer-auth strict" | "istio peer-auth permissive" | "istio peer-auth remove" => vec!["--mesh", "--yes"],
        "istio enroll" | "istio unenroll" => vec!["x", "--yes"],
        "istio describe upstream" => vec!["x"],
        "istio describe upstreams" => vec!["-A"],
        "istio inject"
        | "istio uninject"
        | "istio revisions"
        | "istio auto-mtls status"
        | "istio peer-auth get"
        | "proxy url"
        | "proxy address"
        | "proxy dump"
        | "proxy stats"
        | "proxy logs"
        | "proxy served-config"
        | "proxy snapshot"
        | "proxy certs"
        | "proxy restart"
        | "version"
        | "upgrade-values"
        | "check"
        | "report" => vec![],
        other => panic!("how does {other:?} ask the cluster?"),
    })
}

fn add_leaves(command: &clap::Command, way: &mut Vec<String>, leaves: &mut Vec<String>) {
    let inner: Vec<_> = command.get_subcommands().filter(|inner| inner.get_name() != "help").collect();
    if inner.is_empty() {
        leaves.push(way.join(" "));
    }
    for command in inner {
        way.push(command.get_name().to_owned());
        add_leaves(command, way, leaves);
        way.pop();
    }
}
