import json
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edgeinfer.cli import diagnose
from edgeinfer.cli._moment import Moment
from edgeinfer.stack.ports import PortPool

NOW = datetime(2026, 11, 29, 3, 20, tzinfo=UTC).astimezone()


def read(text: str) -> float:
    return Moment(NOW.timestamp).convert(text, None, None)


def local(*parts: int) -> float:
    return datetime(*parts).astimezone().timestamp()  # type: ignore[arg-type]  # local on purpose


def test_moments_are_read_as_people_write_them() -> None:
    assert read("2h") == NOW.timestamp() - 7200
    assert read("90") == 90
    assert read("2026-11-28 03:10") == local(2026, 11, 28, 3, 10)
    assert read("2026-11-29T03:10:00Z") == datetime(2026, 11, 29, 3, 10, tzinfo=UTC).timestamp()
    just = NOW.replace(minute=19, second=0)
    assert read(just.strftime("%H:%M")) == just.timestamp()


def test_a_time_of_day_that_has_not_been_yet_is_yesterday_s() -> None:
    assert NOW.timestamp() - 86_400 < read(NOW.replace(minute=21).strftime("%H:%M")) < NOW.timestamp()


@pytest.mark.parametrize("text", ["soon", "", "25:00", "99999999999999999999-01-01", "٣"])
def test_what_is_no_moment_is_refused_in_words(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a moment"):
        read(text)


def run(tmp_path: Path, *words: str) -> tuple[int, str]:
    [port] = PortPool().take(1)
    options = ["--data-folder", str(tmp_path / "none"), "--prometheus", f"http://127.0.0.1:{port}"]
    result = CliRunner().invoke(diagnose.create(), [*options, *words])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_a_machine_without_a_stack_is_answered_in_words_and_as_json(tmp_path: Path) -> None:
    code, text = run(tmp_path, "--at", "5m")
    assert code == 4
    assert text.startswith("Too little could be seen")
    code, text = run(tmp_path, "--at", "5m", "--json")
    assert code == 4
    document = json.loads(text)
    assert (document["verdict"], document["findings"]) == ("unseen", [])
    assert any("cannot be reached" in said for said in document["unseen"])


def test_a_moment_in_the_future_and_a_cost_from_after_it_are_refused(tmp_path: Path) -> None:
    code, text = run(tmp_path, "--at", "2099-01-01")
    assert (code, "is in the future" in text) == (2, True)
    code, text = run(tmp_path, "--at", "2h", "--since", "1h")
    assert (code, "after the moment" in text) == (2, True)
