"""What package managers read: rendered for a download address from the archives' checksums."""

# Rust's target: krew's os and arch, Homebrew's condition.
PLATFORMS = {
    "aarch64-apple-darwin": ("darwin", "arm64", "OS.mac? && Hardware::CPU.arm?"),
    "aarch64-unknown-linux-gnu": ("linux", "arm64", "OS.linux? && Hardware::CPU.arm?"),
    "x86_64-apple-darwin": ("darwin", "amd64", "OS.mac? && Hardware::CPU.intel?"),
    "x86_64-unknown-linux-gnu": ("linux", "amd64", "OS.linux? && Hardware::CPU.intel?"),
}


def target(archive, version):
    """The platform of an archive's name."""
    return archive.removeprefix(f"gloo-rs-{version}-").removesuffix(".tar.gz")


def rendered(root, version, url, sums):
    """Each file's name and text. `sums` has the checksum of each target's archive."""
    script = root.joinpath("install.sh").read_text(encoding="utf-8")
    assert script.count("\nurl=''\n") == 1, "install.sh has one place for the address"
    template = lambda name: root.joinpath("packaging", name).read_text(encoding="utf-8")
    krew = each(template("krew.yaml"), version, url, sums)
    formula = each(template("homebrew.rb"), version, url, sums)
    binstall = each(template("binstall.toml"), version, url, sums)
    script = script.replace("\nurl=''\n", f"\nurl='{url}'\n")
    return {"install.sh": script, "gloo.yaml": krew, "gloo-rs.rb": formula, "gloo-rs.binstall.toml": binstall}


def each(template, version, url, sums):
    """A template with its values; what stands between the two marks comes once for each archive."""
    before, rest = template.split("# for each platform\n")
    block, after = rest.split("# end\n")
    blocks = ""
    for name, sum_ in sorted(sums.items()):
        os, arch, condition = PLATFORMS[name]
        values = {"NAME": f"gloo-rs-{version}-{name}", "TARGET": name, "SHA256": sum_}
        values |= {"OS": os, "ARCH": arch, "CONDITION": condition}
        blocks += filled(block, values | {"ELSE": "elsif" if blocks else "if"})
    return filled(before + blocks + after, {"VERSION": version, "URL": url})


def filled(text, values):
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
