# The Homebrew formula: scripts/release fills it in.
class GlooRs < Formula
  desc "Operate Gloo Gateway with an Istio mesh from one command-line"
  homepage "@URL@"
  version "@VERSION@"
  license "Apache-2.0"

# for each platform
  @ELSE@ @CONDITION@
    url "@URL@/@NAME@.tar.gz"
    sha256 "@SHA256@"
# end
  end

  def install
    bin.install "gloo-rs"
    bin.install_symlink "gloo-rs" => "kubectl-gloo"
    bash_completion.install "completions/gloo-rs.bash" => "gloo-rs"
    zsh_completion.install "completions/_gloo-rs"
    fish_completion.install "completions/gloo-rs.fish"
    man1.install Dir["man/man1/*.1"]
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/gloo-rs --version")
  end
end
