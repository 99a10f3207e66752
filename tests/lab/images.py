"""A container image made of one static busybox: no registry, no network."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

FOLDERS = ("bin", "tmp", "proc", "sys", "dev", "etc", "data")


def busybox_image(out: Path, tag: str, *extra: Path) -> None:
    """Write an image called ``tag`` that holds busybox, a link for each of its applets, and ``extra`` programs."""
    program = Path(shutil.which("busybox") or "/bin/busybox")
    applets = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split()
    layer = _layer([program, *extra], applets)
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/sleep", "1000000"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created_by": "lab"}],
    }
    described = json.dumps(config).encode()
    name = f"{hashlib.sha256(described).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": [tag], "Layers": [f"{digest}/layer.tar"]}]).encode()
    with tarfile.open(out, "w") as archive:
        for member, data in ((name, described), (f"{digest}/layer.tar", layer), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def _layer(programs: list[Path], applets: list[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for folder in FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder in ("tmp", "data") else 0o755
            layer.addfile(entry)
        for program in programs:
            data = program.read_bytes()
            entry = tarfile.TarInfo(f"bin/{program.name}")
            entry.size, entry.mode = len(data), 0o755
            layer.addfile(entry, io.BytesIO(data))
        for applet in (name for name in applets if name != "busybox"):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            layer.addfile(link)
    return buffer.getvalue()
