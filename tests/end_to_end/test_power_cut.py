"""The power-cut matrix in its quick form, with real servers; `make power-cut-matrix` plays all of it."""

import random
from pathlib import Path

import pytest

from tools.power_cut_matrix import (
    Kind,
    State,
    Template,
    choose,
    make_template,
    play,
    programs_here,
)

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
