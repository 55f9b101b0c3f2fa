"""The limit of open files: raised as far as it goes, and what that allows."""

import subprocess
import sys

import pytest

from edgeinfer.web.open_files import connections_within

PROGRAM = """
import resource, sys
from edgeinfer.web.open_files import raise_open_files_limit
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(raise_open_files_limit(wanted), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "expected"),
    [(256, 1000, 900, 900), (256, 1000, 5000, 1000), (512, 1000, 100, 512), (1000, 1000, 1000, 1000)],
)
def test_the_soft_limit_is_raised_as_far_as_is_wanted_and_allowed(
    soft: int, hard: int, wanted: int, expected: int
) -> None:
    words = [sys.executable, "-c", PROGRAM, str(soft), str(hard), str(wanted)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(expected)] * 2


def test_fewer_files_are_fewer_connections_and_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert connections_within(5000, 768, 4096) == 4096
    assert not caplog.records
    assert connections_within(1024, 768, 4096) == 256
    assert "LimitNOFILE" in caplog.text
    assert connections_within(10, 768, 4096) == 1
