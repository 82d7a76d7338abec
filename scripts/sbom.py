"""The bill of materials: Cargo.lock as a CycloneDX document."""

import datetime
import re
import uuid


def document(lock, metadata, time):
    """All packages of Cargo.lock. `scope` tells what can be linked (required) from what only tests use (excluded)."""
    package = metadata["packages"][0]
    packages = [parsed(block) for block in lock.split("[[package]]")[1:]]
    graph = edges(packages)
    ours = next(reference(it) for it in packages if it["name"] == package["name"])
    wanted = {it["name"] for it in package["dependencies"] if it["kind"] is None}
    required = reachable(graph, [it for it in graph[ours] if it.split("/")[-1].split("@")[0] in wanted])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, ours + lock)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(time, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": ours,
                "name": package["name"],
                "version": package["version"],
                "licenses": [{"expression": package["license"]}],
                "purl": ours,
            },
        },
        "components": [component(it, required) for it in packages if reference(it) != ours],
        "dependencies": [{"ref": it, "dependsOn": graph[it]} for it in sorted(graph)],
    }


def parsed(block):
    """One package of Cargo.lock."""
    fields = dict(re.findall(r'^(\w+) = "([^"]*)"$', block, re.MULTILINE))
    listed = re.search(r"^dependencies = \[(.*?)\]", block, re.MULTILINE | re.DOTALL)
    return fields | {"dependencies": re.findall(r'"([^"]+)"', listed[1]) if listed else []}


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def edges(packages):
    """Each package and what it depends on. Cargo.lock adds the version to a name only if there are several."""
    versions = {}
    for package in packages:
        versions.setdefault(package["name"], []).append(reference(package))
    named = {}
    for package in packages:
        named[f"{package['name']} {package['version']}"] = reference(package)
        if len(versions[package["name"]]) == 1:
            named[package["name"]] = reference(package)
    depends = lambda package: sorted(named[" ".join(it.split()[:2])] for it in package["dependencies"])
    return {reference(package): depends(package) for package in packages}


def reachable(graph, start):
    seen, open_ = set(start), list(start)
    while open_:
        new = [it for it in graph[open_.pop()] if it not in seen]
        seen.update(new)
        open_.extend(new)
    return seen


def component(package, required):
    found = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "scope": "required" if reference(package) in required else "excluded",
        "purl": reference(package),
    }
    if "checksum" in package:
        found["hashes"] = [{"alg": "SHA-256", "content": package["checksum"]}]
    return found
