"""The quick form of the proof of a whole machine: the guide is read as it will be typed, and its tables hold."""

from pathlib import Path

import pytest

from tools.device_setup.changes import File
from tools.device_setup.facts import Facts
from tools.device_setup.journal import Journal
from tools.device_setup.key import KEYS
from tools.device_setup.machine import Completed, Machine
from tools.device_setup.options import Options
from tools.device_setup.plan import ETC, Plan
from tools.machine_proof.checks import THREAT_MODEL, file_table, must
from tools.machine_proof.container import ProofError
from tools.machine_proof.guide import GUIDE, NOT_TYPED, URL, commands
from tools.machine_proof.session import tally_of
from tools.machine_proof.suite import closing_lines

ROOT = Path(__file__).parents[2]
TYPED = commands(GUIDE.read_text())


def test_the_guide_sets_up_updates_rolls_back_and_undoes_with_what_is_typed() -> None:
    typed = [one.command for one in TYPED if not one.why_not]
    for command in (
        f"git clone {URL} edgeinfer",
        "sudo deploy/install.sh",
        "git pull",
        "sudo deploy/install.sh --undo",
    ):
        assert command in typed
    assert typed.count("sudo deploy/install.sh") >= 3
    assert [one.section for one in TYPED if one.command.startswith("git clone")] == ["3. EdgeInfer"]


@pytest.mark.parametrize("begin", NOT_TYPED)
def test_what_is_left_out_is_in_the_guide(begin: str) -> None:
    assert [one for one in TYPED if one.command.startswith(begin)]


def test_the_guide_says_no_file_of_the_checkout_that_is_missing() -> None:
    words = {word for one in TYPED for word in one.command.split() if word.startswith("deploy/")}
    assert words
    assert [word for word in words if not (ROOT / word).exists()] == []


def test_the_threat_model_says_owner_and_rights_of_every_file_that_is_set_up(tmp_path: Path) -> None:
    facts = Facts("Debian", "bookworm", has_apt=True, python=(3, 11), bits=64)
    machine = Machine(tmp_path, lambda *_: Completed(1), is_root=True)
    sections = Plan(ROOT, facts, Options(), Journal(machine)).sections()
    files = [one for section in sections for one in section.changes if isinstance(one, File)]
    planned = {
        (one.path if "/rules/" not in one.path else f"{ETC}/rules/*.yml", f"root:{one.group}", f"{one.mode:04o}")
        for one in files
        if one.path.startswith(f"{ETC}/")
    } | {(KEYS, "root:edgeinfer", "0640")}
    rows = set(file_table(THREAT_MODEL.read_text()))
    assert {row for row in rows if row[0].startswith(f"{ETC}/")} == planned
    # What systemd makes for the units.
    made = {
        f"/var/lib/{word}"
        for unit in (ROOT / "deploy/systemd").rglob("*")
        if unit.suffix in {".service", ".conf"}
        for line in unit.read_text().splitlines()
        if line.startswith("StateDirectory=")
        for word in line.removeprefix("StateDirectory=").split()
    }
    assert made <= {path for path, _, mode in rows if mode == "0700"}


def test_a_key_is_read_from_what_the_set_up_prints() -> None:
    assert tally_of("\nAPI key of phone, shown this once: ei_x-1\nPhones send it") == {"phone": "ei_x-1"}


def test_a_fault_is_an_error_with_its_words() -> None:
    with pytest.raises(ProofError, match="a port is open"):
        must([], "a port is open")


def test_the_closing_lines_of_the_suite_are_those_of_pytest_and_no_others() -> None:
    printed = (
        "8135 passed in words only\n.... [ 99%]\n8265 passed, 2 skipped in 354.02s (0:05:54)\n"
        "=========== 1 failed, 110 passed in 8.01s ===========\n3 errors in 1.20s\n"
    )
    assert closing_lines(printed) == [
        "8265 passed, 2 skipped in 354.02s (0:05:54)",
        "1 failed, 110 passed in 8.01s",
        "3 errors in 1.20s",
    ]
