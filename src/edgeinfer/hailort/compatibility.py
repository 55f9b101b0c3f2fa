"""What has to fit before a chip is opened: numpy, HailoRT, the HEF and the model card; none of it needs the chip."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeinfer.errors import ModelFileError, SettingsError
from edgeinfer.hailort.edge import Edge
from edgeinfer.hailort.failures import code_of
from edgeinfer.hailort.hef import HefFile, check_line
from edgeinfer.hailort.layout import Layout, LayoutChoice, choose_layout
from edgeinfer.hailort.library import Library
from edgeinfer.hailort.roles import check_inputs, find_roles
from edgeinfer.hailort.status import status_name
from edgeinfer.installation import this_installation
from edgeinfer.model.card import ModelCard

# Until 5.1.0 the binding is built with pybind11 2.10, which reads the size of a numpy 2 array as 0; 5.1.1 took 2.13.
_KNOWS_NUMPY_2_SINCE = (5, 1, 1)
# pybind11 looks for this module from 2.12 on, the first that knows numpy 2; tried with 2.10, 2.11, 2.12 and 2.13.
_MARK_OF_NUMPY_2 = b"numpy._core"
_FIRST_WITHOUT_WHEELS = (3, 13)  # of numpy 1


@dataclass(frozen=True, slots=True)
class ParsedHef:
    """What the library reads in a HEF without a chip.

    Args:
        networks: names of the network groups.
        inputs: edges as the host sees them.
        outputs: the same for outputs, in the library's order.
        bottleneck_fps: frames a second that the slowest part of the chip's pipeline allows; None if absent.
    """

    networks: tuple[str, ...]
    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    bottleneck_fps: float | None


def check_before_open(
    library: Library,
    hef: HefFile,
    card: ModelCard,
    layout: LayoutChoice = "auto",
    *,
    numpy_version: str = np.__version__,
) -> ParsedHef:
    """Everything that can be known to fail before a chip is opened; the same gate at start, in a change, in the doctor.

    Args:
        library: the loaded HailoRT.
        hef: a file that `check_hef` passed.
        card: of the model that it is compiled from.
        layout: chosen by a setting; "auto" leaves it to the manifest, and then to the shape.
        numpy_version: of the numpy whose arrays are passed to HailoRT.

    Raises:
        SettingsError: HailoRT cannot read arrays of this numpy.
        ModelFileError: the HEF is for another HailoRT, or is not the card's network.
    """
    check_numpy(library, numpy_version)
    check_line(hef, library.numbers)
    parsed = parse_hef(library, hef)
    check_card(parsed, hef, card, layout)
    return parsed


def check_numpy(library: Library, numpy_version: str) -> None:
    """Refuse numpy 2 where the library's native part reads its arrays as empty, and so would fail every window.

    Raises:
        SettingsError: with the command that gets the right one.
    """
    if int(numpy_version.split(".", 1)[0]) < 2 or library.numbers >= _KNOWS_NUMPY_2_SINCE:  # noqa: PLR2004  # numpy 2
        return
    native = library.native_part
    if native is not None and _MARK_OF_NUMPY_2 in native.read_bytes():
        return  # rebuilt with a newer pybind11, as a distribution may do
    fault = f"is not what HailoRT {library.version} was built for: it would read every window as empty and refuse it"
    raise SettingsError(f"numpy {numpy_version}", fault, numpy_remedy())


def numpy_remedy(python: tuple[int, ...] = sys.version_info[:2]) -> str:
    """How this environment gets numpy 1."""
    command = this_installation().add("numpy<2")
    if python < _FIRST_WITHOUT_WHEELS:
        return f"Run: {command}"
    version = ".".join(map(str, python))
    return (
        f"numpy 1 has no wheel for Python {version} and is compiled here, which takes some minutes: "
        f"sudo apt install build-essential python3-dev && {command}"
    )


def parse_hef(library: Library, hef: HefFile) -> ParsedHef:
    """Let the library parse a HEF, which takes about a millisecond and no chip.

    Raises:
        ModelFileError: the library refuses it; with its status.
    """
    try:
        parsed: Any = library.platform.HEF(hef.content)
        networks = tuple(str(name) for name in parsed.get_network_group_names())
        inputs = tuple(_edge(info) for info in parsed.get_input_vstream_infos())
        outputs = tuple(_edge(info) for info in parsed.get_output_vstream_infos())
    except Exception as failure:  # the infos raise the raw exception, which derives from nothing narrower
        detail = status_name(code_of(failure)) if code_of(failure) is not None else repr(failure)
        fault = f"is refused by HailoRT {library.version} with {detail}"
        remedy = "Compile it again with a compiler for this HailoRT; its log names the reason ('edgeinfer doctor')."
        raise ModelFileError(str(hef.path), fault, remedy) from failure
    return ParsedHef(networks, inputs, outputs, _bottleneck(parsed))


def check_card(parsed: ParsedHef, hef: HefFile, card: ModelCard, layout: LayoutChoice = "auto") -> Layout:
    """Compare a parsed HEF with the model card.

    Raises:
        ModelFileError: several networks, or inputs, outputs or axes that are not the card's.
    """
    if len(parsed.networks) != 1:
        fault = f"holds the networks {', '.join(parsed.networks)}, where one is due"
        raise ModelFileError(str(hef.path), fault, "Compile a HEF with one model, the one of this model card.")
    check_inputs(parsed.inputs)
    found = choose_layout(parsed.inputs[0].shape, hef.manifest.layout if layout == "auto" else layout)
    find_roles(parsed.outputs, card)
    return found


def check_content(hef: HefFile, card: ModelCard) -> None:
    """Where the card pins a HEF, this has to be that one, byte by byte.

    Raises:
        ModelFileError: it is another.
    """
    if "hef" in card.files and hef.sha256 != card.files["hef"].sha256:
        fault = f"has SHA-256 {hef.sha256} where the card says {card.files['hef'].sha256}"
        raise ModelFileError(str(hef.path), fault, "Use the HEF that belongs to this card.")


def _edge(info: Any) -> Edge:
    try:
        shape = tuple(int(size) for size in info.shape)
    except Exception:  # noqa: BLE001  # lists of detections have no shape; comparing with the card then reports the mismatch
        shape = (0,)
    return Edge(str(info.name), shape)


def _bottleneck(parsed: Any) -> float | None:
    try:
        return float(parsed.bottleneck_fps())
    except Exception:  # noqa: BLE001  # some files do not say it, and nothing depends on it
        return None
