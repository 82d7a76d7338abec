"""The notices of the crates that the program is linked from."""

import json
import pathlib
import re
import subprocess

NOTICE = re.compile(r"(licen[cs]e|copying|notice|unlicense)", re.IGNORECASE)

BESIDES = """
The program also has parts of Rust's standard library (MIT OR Apache-2.0) and, linked statically, of the GNU C Library
(LGPL-2.1-or-later). scripts/release of the sources of this version links it again, with another C library too."""


def text(root, target):
    """Each text once, with the crates that it is of."""
    crates, texts = linked(root, target), {}
    for crate in crates:
        folder = pathlib.Path(crate["manifest_path"]).parent
        files = sorted(path for path in folder.iterdir() if path.is_file() and NOTICE.match(path.name))
        for path in files:
            texts.setdefault(path.read_text(encoding="utf-8", errors="replace").strip(), set()).add(named(crate))
    head = [f"{named(crate)}: {crate['license']}" for crate in crates]
    parts = sorted((sorted(names), notice) for notice, names in texts.items())
    ruled = "\n\n" + "-" * 80 + "\n"
    body = "".join(f"{ruled}{', '.join(names)}\n\n{notice}" for names, notice in parts)
    if "linux" in target:
        head.append(BESIDES)
    return ("gloo-rs is linked from these crates:\n\n" + "\n".join(head) + body + "\n").encode()


def named(crate):
    return f"{crate['name']} {crate['version']}"


def linked(root, target):
    """What the program depends on, on this platform: neither tests nor build scripts."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    metadata = json.loads(subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout)
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    seen, open_ = set(), [metadata["resolve"]["root"]]
    while open_:
        for dependency in nodes[open_.pop()]["deps"]:
            is_linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if is_linked and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                open_.append(dependency["pkg"])
    crates = [package for package in metadata["packages"] if package["id"] in seen]
    return sorted(crates, key=lambda crate: (crate["name"], crate["version"]))
