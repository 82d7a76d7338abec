//! The last lines of `cargo test`: which tests it does not run, and how to run them.

use std::io::Write as _;

const SAYS: &str = "
not run by this command:
  cargo test --locked --test extra   completion in zsh and fish, the build script, the report in a browser: needs zsh, fish, git
                                     and chromium
  fuzz/run                           fuzz targets: needs a C++ compiler
.ci/run runs both, and installs zsh, fish and chromium
";

fn main() {
    let _ = std::io::stdout().write_all(SAYS.as_bytes());
}
