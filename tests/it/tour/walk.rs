//! What the pages tell to type is typed.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use super::typed::{Typed, section, typed};
use crate::setup::{containers, same, state};
use crate::stage::{Options, Plane};

const README: &str = include_str!("../../../README.md");
const GETTING_STARTED: &str = include_str!("../../../docs/getting-started.md");
const TROUBLESHOOTING: &str = include_str!("../../../docs/troubleshooting.md");

/// A shell on the playground, in a directory of its own.
struct Shell<'p> {
    plane: &'p Plane,
    tools: PathBuf,
    home: tempfile::TempDir,
}

impl<'p> Shell<'p> {
    fn new(plane: &'p Plane) -> Result<Self> {
        let tools = plane.tools(env!("CARGO_BIN_EXE_gloo-rs").as_ref())?;
        Ok(Self { plane, tools, home: tempfile::tempdir()? })
    }

    /// Types a line: its exit code, and all that it printed in the order of printing.
    fn types(&self, line: &str) -> Result<(Option<i32>, String)> {
        let mut bash = Command::new("bash");
        bash.args(["-c", &format!("{{ {line}\n}} 2>&1")]).current_dir(self.home.path()).env_clear();
        bash.env("PATH", format!("{}:/usr/bin:/bin", self.tools.display()));
        bash.env("HOME", self.home.path()).env("KUBECONFIG", self.plane.kubeconfig()).env("LC_ALL", "C");
        let output = bash.output().context("bash does not start")?;
        Ok((output.status.code(), String::from_utf8(output.stdout)?))
    }

    /// Types a page's line, which has to end well and to print what the page shows.
    fn follows(&self, typed: &Typed) -> Result<()> {
        let Typed { command, .. } = typed;
        let begun = Instant::now();
        let (code, printed) = self.types(command)?;
        said(&format!("{:6.2} s  {command}\n{printed}", begun.elapsed().as_secs_f64()));
        ensure!(code == Some(0), "{command}: exit code {code:?}\n{printed}");
        let missing = typed.missing(&printed);
        ensure!(missing.is_empty(), "{command}: shown and not printed: {missing:#?}\n{printed}");
        Ok(())
    }

    /// Types all of it. The cluster has to be as it was once the way is over, and wherever it says so.
    fn walks(&self, way: &[Typed], is_back: impl Fn(&Typed) -> bool) -> Result<()> {
        let (before, pods) = (state(self.plane)?, containers(self.plane)?);
        for (number, typed) in way.iter().enumerate() {
            self.follows(typed)?;
            if is_back(typed) || number + 1 == way.len() {
                same(self.plane, &before)?;
                assert_eq!(containers(self.plane)?, pods, "after {}", typed.command);
            }
        }
        Ok(())
    }
}

/// The harness shows it where a test fails, or with `--nocapture`.
#[expect(clippy::print_stdout, reason = "what was typed and printed, and how long it took")]
fn said(text: &str) {
    println!("{text}");
}

/// A plane like the playground's, and a shell there.
fn on_a_playground(walk: impl FnOnce(&Shell<'_>) -> Result<()>) -> Result<()> {
    let plane = Plane::start(&Options::default())?;
    let _tour = plane.install_tour()?;
    walk(&Shell::new(&plane)?)
}

/// The commands of the README's tour, but for the start of the playground.
fn tour() -> Vec<Typed> {
    let mut way = typed(section(README, "## Tour"));
    way.retain(|typed| !typed.command.starts_with("cargo "));
    way
}

#[test]
fn the_tour_of_the_readme_leads_through_the_guide_and_back_with_helm_and_without() -> Result<()> {
    on_a_playground(|shell| {
        shell.walks(&tour(), |typed| typed.command.contains(" teardown "))?;
        // What is wrong is told from what is right.
        let wrong = |command: &str, shown: &str| {
            let typed = Typed { command: command.to_owned(), shown: vec![shown.to_owned()] };
            assert!(shell.follows(&typed).is_err(), "{command}");
        };
        wrong("gloo-rs istio verify --upstream default-httpbin-8000", "default-httpbin-8000: mTLS proven");
        wrong("gloo-rs istio revisions", "1-99 1.99.0 1/1 - 0 0 0 - no");
        Ok(())
    })
}

#[test]
fn the_tour_is_the_whole_guide() {
    let way = tour();
    let words =
        ["revisions", "setup", "verify", "describe", "curl", "teardown", "setup --via inject", "verify", "teardown"];
    let mut rest = way.iter();
    for word in words {
        let found = rest.find(|typed| typed.command.contains(word));
        let typed = found.unwrap_or_else(|| panic!("{word} is missing, or not in its place"));
        let is_shown = |end: &str| typed.shown.iter().any(|line| line.ends_with(end));
        assert!(word != "verify" || is_shown(": mTLS proven"), "{}: {:?}", typed.command, typed.shown);
        assert!(!word.starts_with("setup") || typed.command.contains(" --strict "), "{}", typed.command);
    }
}

#[test]
fn getting_started_can_be_typed_then_what_verify_says_mends_it_then_troubleshooting() -> Result<()> {
    on_a_playground(|shell| {
        shell.walks(&typed(GETTING_STARTED), |_| false)?;
        let mut mends = Vec::new();
        loop {
            let (code, printed) = shell.types("gloo-rs istio verify --upstream default-httpbin-8000")?;
            if code == Some(0) {
                break;
            }
            let mend = printed.lines().find_map(|line| line.trim().strip_prefix("fix ")).context(printed.clone())?;
            let mend = mend.trim().to_owned();
            assert!(!mends.contains(&mend), "{mend} mended nothing: {printed}");
            // With two istiods both ask which, and name them.
            let revision = if mend.contains("enable-mtls") { "" } else { " --revision 1-28" };
            let (code, said) = shell.types(&format!("{mend}{revision}"))?;
            assert_eq!(code, Some(0), "{mend}: {said}");
            mends.push(mend);
        }
        let enable = "gloo-rs istio enable-mtls --upstream default-httpbin-8000";
        assert_eq!(mends, ["gloo-rs istio enroll default", "gloo-rs istio inject --name gateway-proxy", enable]);
        // Envoy has what Gloo serves to it.
        let (code, compared) = shell.types("gloo-rs proxy served-config --diff --check")?;
        assert_eq!(code, Some(0), "{compared}");
        assert_eq!(compared.matches("same").count(), 4, "{compared}");
        // And now that it is so, the page for what is not has nothing to find.
        typed(TROUBLESHOOTING).iter().try_for_each(|typed| shell.follows(typed))
    })
}
