"""The power-cut matrix in its quick form, with real servers; `make power-cut-matrix` plays all of it."""

import random
import shutil
from pathlib import Path

import pytest

from edgeinfer.stack.folder import prepare
from tests.end_to_end.running_stack import RunningStack
from tools.power_cut_damage import Kind
from tools.power_cut_matrix import State, choose, play, programs_here
from tools.power_cut_stack import Template, make_template

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return make_template(tmp_path_factory.mktemp("power-cut") / "data", programs_here())


@pytest.mark.timeout(300)  # a whole stack for each case, on a busy machine
def test_a_stack_starts_on_everything_at_once_that_a_power_cut_left_and_says_what_is_lost(template: Template) -> None:
    cases = [
        (choose(template, "prometheus/*/index"), Kind.ZEROS),
        (choose(template, "prometheus/wal/0*"), Kind.FLIPPED),
        (choose(template, "prometheus/chunks_head/*"), Kind.GARBAGE),
        (choose(template, "alertmanager/nflog"), Kind.CUT),
        (choose(template, "alertmanager/silences"), Kind.GARBAGE),
        ("stack.json", Kind.ZEROS),
    ]
    outcome = play(template, cases, State.STOPPED, random.Random(1))  # noqa: S311 - to be repeated, not to be secret

    assert outcome.faults == []
    said = "\n".join(outcome.said)
    for file, _ in cases:
        assert str(Path(file).parent if file.endswith("index") else file) in said, file
    assert outcome.lost_samples > 0
    assert outcome.lost_silences == len(template.truth.silences)


def test_what_was_set_aside_is_a_series_until_a_person_removes_it(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "data")
    (folder.alertmanager / "silences").write_bytes(b"garbage")
    running = RunningStack(folder.root, "--no-replay", "--sidecars", "0")
    try:
        assert [event["part"] for event in running.events if event["event"] == "damaged"] == ["alertmanager"]
        series = "edgeinfer_stack_set_aside_files"
        expected: dict[tuple[str, ...], float] = {("alertmanager",): 1.0, ("prometheus",): 0.0, ("stack",): 0.0}
        running.await_query(series, expected)
        shutil.rmtree(folder.damaged)
        running.await_query(series, dict.fromkeys(expected, 0.0), seconds=35)
    finally:
        running.close()
