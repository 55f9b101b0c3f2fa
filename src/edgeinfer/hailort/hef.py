"""What can be known of a compiled network before a device sees it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgeinfer.errors import ModelFileError
from edgeinfer.hailort.hef_header import ARCHITECTURES, MAGIC, DamagedHef, HefHeader, UnknownFormat, read_header
from edgeinfer.hailort.layout import LayoutChoice

_COPY = "Copy the file again from where it was compiled."
_GIVE = "Give the .hef file that the Dataflow Compiler wrote."
_MAGIC = MAGIC.to_bytes(4, "big")
_HAILO_1XH = frozenset({"HAILO15H", "HAILO15M", "GINGER", "LAVENDER"})
# What a device runs, by the library's own table (4.20 to 5.2). A Hailo-8 takes a network of an 8L with a warning; a
# Hailo-10H's own files say HAILO15H; HAILO10H was a target until 5.0 alone.
RUNS = {
    "HAILO8": frozenset({"HAILO8P", "HAILO8R", "HAILO8L"}),
    "HAILO8L": frozenset({"HAILO8L"}),
    "HAILO10H": _HAILO_1XH | {"HAILO10H"},
    "HAILO15H": _HAILO_1XH | {"HAILO10H"},
    "HAILO15M": frozenset({"HAILO15M"}),
    "HAILO15L": frozenset({"HAILO15L", "PLUTO"}),
}
# Common names, and those of the compiler's `hw_arch`, for what the file names differently.
_ALSO_CALLED = {
    "HAILO8": frozenset({"HAILO8", "HAILO8P", "HAILO8R", "SAGE_B0", "PAPRIKA_B0"}),
    "HAILO10H": _HAILO_1XH | {"HAILO10H"},
    "HAILO1XH": frozenset({"HAILO15H"}),
}
_KNOWN_WORDS = frozenset(ARCHITECTURES.values()) | set(_ALSO_CALLED)
# The oldest library that reads a format; 0 and 1 are older than every library that this runs with.
_READS_SINCE = {2: (4, 20), 3: (4, 21)}
_HAILO_8_FAMILY = frozenset({"HAILO8", "HAILO8P", "HAILO8R", "HAILO8L", "SAGE_A0", "SAGE_B0", "PAPRIKA_B0"})
_FIRST_OF_NEW_LINE = (5, 0)
_WITHOUT_HAILO10H_SINCE = (5, 1)


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the author of a HEF may state next to it, in `NAME.hef.json`.

    The file itself names the chip that it was compiled for; the axes of its input are known to its author alone.
    """

    sha256: str = ""
    architecture: str = ""
    """The name in the file, such as `HAILO8L` or `HAILO15H`, or of the compiler's `hw_arch`, such as `hailo10h`."""
    layout: LayoutChoice = "auto"


@dataclass(frozen=True, slots=True)
class HefFile:
    """A HEF that is whole.

    Args:
        path: of the file.
        content: its bytes; these are loaded, so that what runs is what was checked.
        sha256: of its content.
        header: the decoded file header.
        manifest: the `.hef.json` next to it; empty if there is none.
    """

    path: Path
    content: bytes
    sha256: str
    header: HefHeader
    manifest: Manifest

    @property
    def architecture(self) -> str:
        """For which chip it was compiled, in the file's own word, such as "HAILO8P" or "HAILO15H"."""
        return self.header.architecture

    def described(self) -> str:
        """Target, compiler, date and format in one phrase."""
        compiler = f" by compiler {self.header.compiler}" if self.header.compiler else ""
        at = f" on {self.header.compiled_at:%Y-%m-%d}" if self.header.compiled_at else ""
        return f"compiled for {self.architecture}{compiler}{at}, format {self.header.format}"


def check_hef(path: Path) -> HefFile:
    """Read a HEF and check what needs neither chip nor library: that it is one, whole and unchanged.

    Raises:
        ModelFileError: it cannot be used; the message says what to do.
    """
    content = _read(path)
    if not content.startswith(_MAGIC):
        raise ModelFileError(str(path), *_not_a_hef(content))
    header = _header(path, content)
    manifest = _read_manifest(path)
    digest = hashlib.sha256(content).hexdigest()
    if manifest.sha256 and manifest.sha256 != digest:
        raise ModelFileError(str(path), f"has SHA-256 {digest} where its manifest says {manifest.sha256}", _COPY)
    _check_manifest_word(path, manifest.architecture.upper(), header.architecture)
    return HefFile(path, content, digest, header, manifest)


def check_architecture(hef: HefFile, architecture: str) -> None:
    """Compare the chip with the one that the file was compiled for, by the library's own table.

    Args:
        hef: the file.
        architecture: of the chip, as it identifies itself, such as "HAILO10H"; one that is not known passes.

    Raises:
        ModelFileError: the chip cannot run it.
    """
    runs = RUNS.get(architecture)
    if runs is None or hef.architecture in runs:
        return
    fault = f"was compiled for {hef.architecture}, and the chip is a {architecture}"
    raise ModelFileError(str(hef.path), fault, f"Compile it for {architecture}.")


def check_line(hef: HefFile, library_version: tuple[int, ...]) -> None:
    """Compare the file with the library: its format, and the family of chips that the library drives.

    Args:
        hef: the file.
        library_version: of HailoRT, such as (4, 23, 0).

    Raises:
        ModelFileError: this HailoRT does not load it.
    """
    version = ".".join(map(str, library_version))
    since = _READS_SINCE.get(hef.header.format, (0,))
    if library_version < since:
        least = ".".join(map(str, since))
        fault = f"is of format {hef.header.format}, which needs HailoRT {least} or newer; this is {version}"
        remedy = f"Update HailoRT to {least} or newer, or compile it again with the compiler of this HailoRT."
        raise ModelFileError(str(hef.path), fault, remedy)
    is_old_chip, is_old_line = hef.architecture in _HAILO_8_FAMILY, library_version < _FIRST_OF_NEW_LINE
    if is_old_chip != is_old_line:
        line, chip = ("4.x", "a Hailo-8 or 8L") if is_old_line else ("5.x", "a Hailo-10H")
        fault = f"was compiled for {hef.architecture}, and HailoRT {version} is of the line {line}, which drives {chip}"
        raise ModelFileError(str(hef.path), fault, f"Compile it for {chip}, or install the HailoRT of its chip.")
    if hef.architecture == "HAILO10H" and library_version >= _WITHOUT_HAILO10H_SINCE:
        fault = f"was compiled for HAILO10H, a target that HailoRT {version} no longer knows"
        raise ModelFileError(str(hef.path), fault, "Compile it again with the compiler of this HailoRT.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as failure:
        reason = failure.strerror or type(failure).__name__
        raise ModelFileError(str(path), f"cannot be read: {reason}", "Set HEF_PATH to a .hef file.") from failure


def _not_a_hef(content: bytes) -> tuple[str, str]:
    """What it is instead, and what to do."""
    if not content:
        return "is empty", _COPY
    if content.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file itself", "Fetch the file itself with 'git lfs pull'."
    if content.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page and not a HEF", "Open the address in a browser: the download may ask for a login."
    return f"is not a HEF: it begins with {content[:4].hex(' ')} instead of {_MAGIC.hex(' ')}", _GIVE


def _header(path: Path, content: bytes) -> HefHeader:
    try:
        return read_header(content)
    except DamagedHef as failure:
        raise ModelFileError(str(path), f"is not whole: it {failure}", _COPY) from failure
    except UnknownFormat as failure:
        fault = f"is a HEF of format {failure.format_number}, newer than any that is known"
        remedy = "Compile it with a compiler for your HailoRT; or it is damaged: copy it again."
        raise ModelFileError(str(path), fault, remedy) from failure


def _check_manifest_word(path: Path, said: str, found: str) -> None:
    if said and found not in _ALSO_CALLED.get(said, {said}):
        fault = f"was compiled for {found}, and its manifest says {said}"
        raise ModelFileError(str(path), fault, "Copy the file that belongs to the manifest, or correct the manifest.")


def _read_manifest(path: Path) -> Manifest:
    manifest_path = path.with_name(path.name + ".json")
    try:
        manifest = msgspec.json.decode(manifest_path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return Manifest()
    except (OSError, msgspec.DecodeError) as failure:
        raise _bad_manifest(manifest_path, str(failure)) from failure
    if manifest.architecture and manifest.architecture.upper() not in _KNOWN_WORDS:
        known = ", ".join(sorted(_KNOWN_WORDS))
        raise _bad_manifest(manifest_path, f"{manifest.architecture!r} is not one of {known}")
    return manifest


def _bad_manifest(path: Path, reason: str) -> ModelFileError:
    remedy = "It may hold sha256, architecture and layout, and nothing else."
    return ModelFileError(str(path), f"is not a manifest: {reason}", remedy)
