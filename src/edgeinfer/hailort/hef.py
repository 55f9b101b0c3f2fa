"""What can be known of a compiled network before a device sees it."""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from edgeinfer.errors import ModelFileError
from edgeinfer.hailort.layout import LayoutChoice

_HEADER = struct.Struct(">II")
_MAGIC = 0x01484546
_NEWEST_VERSION = 3
_COPY = "Copy the file again from where it was compiled."
# What a device runs, from the library's own table; a Hailo-8 takes a network of an 8L with a warning.
_RUNS = {"HAILO8": ("HAILO8", "HAILO8L"), "HAILO8L": ("HAILO8L",), "HAILO10H": ("HAILO10H",)}
Architecture = Literal["", "HAILO8", "HAILO8L", "HAILO10H", "hailo8", "hailo8l", "hailo10h"]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What someone who compiled a HEF may write beside it, as `NAME.hef.json`.

    HailoRT does not tell Python for which chip a HEF was compiled; `hailortcli parse-hef` of 4.x does.
    """

    sha256: str = ""
    architecture: Architecture = ""
    """`HAILO8`, `HAILO8L` or `HAILO10H`, or in small letters as the compiler's `hw_arch`."""
    layout: LayoutChoice = "auto"


@dataclass(frozen=True, slots=True)
class HefFile:
    """A HEF that looks usable.

    Args:
        path: where it lies.
        content: its bytes; these are loaded, so that what runs is what was checked.
        sha256: of its content.
        manifest: what stands beside it; empty where there is none.
    """

    path: Path
    content: bytes
    sha256: str
    manifest: Manifest

    @property
    def architecture(self) -> str:
        """For which chip it was compiled, where its manifest says so; else empty."""
        return self.manifest.architecture.upper()


def check_hef(path: Path) -> HefFile:
    """Read a HEF and check what can be checked without a device: magic, format version, hash.

    Raises:
        ModelFileError: it cannot be used; the message says what to do.
    """
    content = _read(path)
    if len(content) < _HEADER.size or _HEADER.unpack_from(content)[0] != _MAGIC:
        raise ModelFileError(str(path), _not_a_hef(content), "Give the .hef file that the Dataflow Compiler wrote.")
    version = _HEADER.unpack_from(content)[1]
    if version > _NEWEST_VERSION:
        fault = f"is a HEF of format {version}, newer than any that is known"
        raise ModelFileError(str(path), fault, "Update HailoRT, or compile with the older compiler.")
    manifest = _read_manifest(path)
    digest = hashlib.sha256(content).hexdigest()
    if manifest.sha256 and manifest.sha256 != digest:
        raise ModelFileError(str(path), f"has SHA-256 {digest} where its manifest says {manifest.sha256}", _COPY)
    return HefFile(path, content, digest, manifest)


def check_architecture(hef: HefFile, architecture: str) -> None:
    """Compare the chip with the one that the manifest names; says nothing where either is not known.

    Raises:
        ModelFileError: the chip cannot run it.
    """
    runs = _RUNS.get(architecture)
    if runs is None or not hef.architecture or hef.architecture in runs:
        return
    fault = f"was compiled for {hef.architecture}, and the chip is a {architecture}"
    raise ModelFileError(str(hef.path), fault, f"Compile it for {architecture}.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as failure:
        reason = failure.strerror or type(failure).__name__
        raise ModelFileError(str(path), f"cannot be read: {reason}", "Set HEF_PATH to a .hef file.") from failure


def _not_a_hef(content: bytes) -> str:
    if not content:
        return "is empty"
    if content.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file itself"
    return f"is not a HEF: it begins with {content[:4].hex(' ')} instead of 01 48 45 46"


def _read_manifest(path: Path) -> Manifest:
    beside = path.with_name(path.name + ".json")
    try:
        return msgspec.json.decode(beside.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return Manifest()
    except (OSError, msgspec.DecodeError) as failure:
        remedy = "It may hold sha256, architecture and layout, and nothing else."
        raise ModelFileError(str(beside), f"is not a manifest: {failure}", remedy) from failure
