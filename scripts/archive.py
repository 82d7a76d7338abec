"""The archive: a tar file whose bytes depend on its contents alone."""

import gzip
import hashlib
import io
import struct
import tarfile

import licenses


def pack(root, binary, target, name, time, out):
    """Writes NAME.tar.gz, with everything below a directory NAME; its path."""
    files = {
        "gloo-rs": (binary.read_bytes(), 0o755),
        # kubectl runs kubectl-NAME as its command NAME. It is no link: krew unpacks only archives without links.
        "kubectl-gloo": (binary.read_bytes(), 0o755),
        "LICENSE": (root.joinpath("LICENSE").read_bytes(), 0o644),
        "README.md": (root.joinpath("README.md").read_bytes(), 0o644),
        "CHANGELOG.md": (root.joinpath("CHANGELOG.md").read_bytes(), 0o644),
        "THIRD-PARTY-LICENSES": (licenses.text(root, target), 0o644),
    }
    files |= {f"completions/{path.name}": (path.read_bytes(), 0o644) for path in root.joinpath("completions").iterdir()}
    files |= {f"man/man1/{path.name}": (path.read_bytes(), 0o644) for path in root.joinpath("docs/man").glob("*.1")}
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file in sorted(files):
            data, mode = files[file]
            info = member(f"{name}/{file}", mode, time)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    path = out / f"{name}.tar.gz"
    with path.open("wb") as file, gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=0) as packed:
        packed.write(plain.getvalue())
    return path


def member(name, mode, time):
    """An entry that is root's."""
    info = tarfile.TarInfo(name)
    info.mode, info.mtime, info.uname, info.gname = mode, time, "root", "root"
    return info


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def why_not_static(binary):
    """Why the kernel cannot start an ELF program without other files; nothing if it can."""
    data = binary.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return "it is no 64-bit ELF file"
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    kinds = [struct.unpack_from("<I", data, offset + size * number)[0] for number in range(count)]
    interpreter = 3
    return "it names a dynamic loader" if interpreter in kinds else None
