//! `gloo-rs completion` and the scripts in `completions/`.
//!
//! The scripts are clap's dynamic registration: the shell asks this program, so they never go stale.

use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use super::help;
use crate::options::Shell;

/// Print the completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = help::COMPLETION)]
pub(super) struct CompletionArgs {
    /// The shell that loads the script
    shell: Name,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Name {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

impl CompletionArgs {
    pub(super) fn options(&self) -> Shell {
        match self.shell {
            Name::Bash => Shell::Bash,
            Name::Zsh => Shell::Zsh,
            Name::Fish => Shell::Fish,
            Name::Powershell => Shell::Powershell,
            Name::Elvish => Shell::Elvish,
        }
    }
}

/// The variable by which a registered shell asks for completions.
pub const VARIABLE: &str = "COMPLETE";

/// zsh runs a file found on its `fpath` as the function to complete with: the first time, too.
const ZSH_FIRST: &[u8] =
    b"\nif [ \"${funcstack[1]}\" = _gloo-rs ]; then\n    _clap_dynamic_completer_gloo_rs \"$@\"\nfi\n";

const PROGRAM: &str = "gloo-rs";

/// Every script and its file name in `completions/`.
pub fn scripts() -> [(&'static str, Shell); 5] {
    [
        ("gloo-rs.bash", Shell::Bash),
        ("_gloo-rs", Shell::Zsh),
        ("gloo-rs.fish", Shell::Fish),
        ("gloo-rs.ps1", Shell::Powershell),
        ("gloo-rs.elv", Shell::Elvish),
    ]
}

/// The registration script of a shell, with the program found on PATH by its name.
pub fn registration(shell: Shell) -> Vec<u8> {
    let completer: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
        Shell::Elvish => &Elvish,
    };
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .expect("writing to memory does not fail");
    if shell == Shell::Zsh {
        script.extend_from_slice(ZSH_FIRST);
    }
    script.trim_ascii_start().to_owned()
}
