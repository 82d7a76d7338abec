//! What the pages tell to type is typed.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::typed::{Typed, typed};
use crate::stage::{Injector, Options, Plane};

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
    fn follows(&self, typed: &Typed) -> Result<String> {
        let begun = Instant::now();
        let (code, printed) = self.types(&typed.command)?;
        said(&format!("{:6.2} s  {}\n{printed}", begun.elapsed().as_secs_f64(), typed.command));
        assert_eq!(code, Some(0), "{}\n{printed}", typed.command);
        let missing = typed.missing(&printed);
        assert!(missing.is_empty(), "{}: shown and not printed: {missing:#?}\n{printed}", typed.command);
        Ok(printed)
    }
}

/// The harness shows it where a test fails, or with `--nocapture`.
#[expect(clippy::print_stdout, reason = "what was typed and printed, and how long it took")]
fn said(text: &str) {
    println!("{text}");
}

/// A plane like the playground's, with what has to live as long.
fn walks(page: &str) -> Result<()> {
    let plane = Plane::start(&Options::default())?;
    let _follower = plane.install_tour()?;
    let _injector = Injector::of_the_guide(&plane)?;
    let shell = Shell::new(&plane)?;
    typed(page).iter().try_for_each(|typed| shell.follows(typed).map(drop))
}

#[test]
fn getting_started_can_be_typed_from_its_first_line_to_its_last() -> Result<()> {
    walks(include_str!("../../../docs/getting-started.md"))
}
