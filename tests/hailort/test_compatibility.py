"""HailoRT, numpy, the HEF and the card are compared before a chip is opened, and without one."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeinfer.cli.sidecar import make_backend
from edgeinfer.errors import BackendError, ConfigurationError, ModelFileError, SettingsError
from edgeinfer.hailort.compatibility import check_before_open, check_card, check_numpy, numpy_remedy, parse_hef
from edgeinfer.hailort.hef import check_hef
from edgeinfer.hailort.library import Library, load_library
from edgeinfer.settings import SidecarSettings
from tests.fakes.hailo_platform.build import importer, modules
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.hef_file import Header
from tests.fakes.hailo_platform.machine import Chip, Machine
from tests.hailort.bad_hefs import BAD_HEFS, BadHef
from tests.hailort.rigs import VERSIONS, shipped_card

Start = Callable[[Machine, Path], None]


def library_of(version: str, *, knows_numpy_2: bool = True) -> Library:
    machine = Machine(version, chips=[])
    machine.knows_numpy_2 = knows_numpy_2
    return load_library(importer(machine))


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    """What `edgeinfer sidecar` and a model change do first, with this machine's library."""

    def run(machine: Machine, hef: Path) -> None:
        for name, module in modules(machine).items():
            monkeypatch.setitem(sys.modules, name, module)
        environment = {"EDGEINFER_SIDECAR_BACKEND": "hailort", "HEF_PATH": str(hef)}
        make_backend(shipped_card(), SidecarSettings.from_environment(environment))

    return run


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("bad", BAD_HEFS, ids=lambda bad: bad.name)
def test_a_bad_hef_ends_the_start_with_what_it_is_and_without_a_chip(
    bad: BadHef, version: str, start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "net.hef"
    content = bad.content(tmp_path, version)
    path.write_bytes(content)
    machine = Machine(version, chips=[], driver_version=None)
    with pytest.raises(ConfigurationError) as caught:  # exit code 78
        start(machine, path)
    assert bad.words in str(caught.value)
    assert caught.value.remedy
    assert path.read_bytes() == content
    assert not {"VDevice", "Device", "scan"} & set(machine.calls)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_good_hef_starts_without_a_chip(version: str, start: Start, tmp_path: Path) -> None:
    machine = Machine(version)
    hef = write_hef(tmp_path / "net.hef", architecture=machine.chip.architecture)
    machine.chips = []
    start(machine, hef)
    assert "HEF" in machine.calls


def test_a_library_that_does_not_load_is_left_to_the_opening_that_is_tried_again(start: Start, tmp_path: Path) -> None:
    machine = Machine()
    hef = write_hef(tmp_path / "net.hef")
    sys.modules.pop("hailo_platform", None)
    environment = {"EDGEINFER_SIDECAR_BACKEND": "hailort", "HEF_PATH": str(hef)}
    backend = make_backend(shipped_card(), SidecarSettings.from_environment(environment))
    with pytest.raises(BackendError, match="not installed"):
        backend.open()
    assert machine.calls == []


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_library_reads_is_reported_with_its_bottleneck(version: str, tmp_path: Path) -> None:
    chip = Machine(version).chip
    hef = check_hef(write_hef(tmp_path / "net.hef", architecture=chip.architecture, bottleneck_fps=1234.5))
    parsed = check_before_open(library_of(version), hef, shipped_card())
    assert parsed.networks == ("tcn_vae",)
    assert [(edge.name, edge.shape) for edge in parsed.inputs] == [("tcn_vae/input_layer1", (1, 100, 9))]
    assert [edge.size for edge in parsed.outputs] == [12, 64]
    assert parsed.bottleneck_fps == 1234.5


def test_what_is_checked_are_the_bytes_that_will_run(tmp_path: Path) -> None:
    hef = check_hef(write_hef(tmp_path / "net.hef"))
    hef.path.write_bytes(b"replaced meanwhile")
    assert parse_hef(library_of("4.23.0"), hef).networks == ("tcn_vae",)


def test_a_file_without_a_bottleneck_has_none(tmp_path: Path) -> None:
    hef = check_hef(write_hef(tmp_path / "net.hef", bottleneck_fps=None))
    assert parse_hef(library_of("4.23.0"), hef).bottleneck_fps is None


def test_the_manifest_and_the_setting_choose_the_layout(tmp_path: Path) -> None:
    hef = check_hef(write_hef(tmp_path / "net.hef", input_shape=(30, 30)))
    parsed = parse_hef(library_of("4.23.0"), hef)
    with pytest.raises(ModelFileError, match="cannot be distinguished"):
        check_card(parsed, hef, shipped_card())
    assert check_card(parsed, hef, shipped_card(), "channel_major").is_channel_major
    (tmp_path / "net.hef.json").write_text('{"layout": "channel_major"}')
    assert check_card(parsed, check_hef(hef.path), shipped_card()).is_channel_major


# Library, whether its native part names numpy._core, numpy, whether it is refused. pybind11 2.10.1 read `nbytes` of a
# numpy 2 array as 0 on Python 3.11 and on 3.13; 2.12.0 and 2.13.6 read it rightly, and they alone name numpy._core.
NUMPY = [
    ("4.20.0", False, "2.2.4", True),
    ("4.23.0", False, "2.4.6", True),
    ("4.23.0", False, "1.26.4", False),
    ("4.23.0", True, "2.4.6", False),
    ("5.0.1", False, "2.0.0", True),
    ("5.1.0", False, "2.0.0", True),
    ("5.1.1", False, "2.0.0", False),
    ("5.2.0", False, "2.4.6", False),
]


@pytest.mark.parametrize(("version", "knows_numpy_2", "numpy_version", "is_refused"), NUMPY)
def test_numpy_2_is_refused_where_the_native_part_cannot_read_it(
    version: str,
    knows_numpy_2: bool,  # noqa: FBT001
    numpy_version: str,
    is_refused: bool,  # noqa: FBT001
) -> None:
    library = library_of(version, knows_numpy_2=knows_numpy_2)
    if not is_refused:
        check_numpy(library, numpy_version)
        return
    with pytest.raises(SettingsError, match=f"numpy {numpy_version}: is not what HailoRT {version}"):
        check_numpy(library, numpy_version)


def test_numpy_2_ends_the_start(start: Start, tmp_path: Path) -> None:
    assert np.__version__.startswith("2."), "this test needs the numpy of the suite"
    machine = Machine()
    machine.knows_numpy_2 = False
    with pytest.raises(SettingsError, match="pip install 'numpy<2'"):
        start(machine, write_hef(tmp_path / "net.hef"))


def test_the_remedy_says_what_is_possible_on_each_python() -> None:
    assert numpy_remedy((3, 11)) == f"Run: {sys.executable} -m pip install 'numpy<2'"
    assert "no wheel for Python 3.13" in numpy_remedy((3, 13))
    assert "build-essential python3-dev" in numpy_remedy((3, 13))


def test_the_format_is_checked_before_the_library_sees_the_file(tmp_path: Path) -> None:
    machine = Machine("4.20.0")
    hef = check_hef(write_hef(tmp_path / "net.hef", header=Header(format=3)))
    with pytest.raises(ModelFileError, match=r"needs HailoRT 4\.21 or newer"):
        check_before_open(load_library(importer(machine)), hef, shipped_card())
    assert "HEF" not in machine.calls


@pytest.mark.parametrize("chip", ["HAILO8", "HAILO8L"])
def test_both_chips_of_the_older_line_take_a_file_of_the_smaller_one(chip: str, tmp_path: Path) -> None:
    hef = check_hef(write_hef(tmp_path / "net.hef"))
    library = load_library(importer(Machine(chips=[Chip(architecture=chip)])))
    assert check_before_open(library, hef, shipped_card()).networks == ("tcn_vae",)
