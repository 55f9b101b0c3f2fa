"""The limit of open files: raised as far as it goes, and what that allows."""

import subprocess
import sys

import pytest

from edgeinfer.web.limits import ConnectionLimits
from edgeinfer.web.open_files import within_open_files

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


@pytest.mark.parametrize(
    ("open_files", "connections", "refused"),
    [(6000, 4096, 256), (5120, 4096, 256), (2048, 1024, 256), (1024, 384, 128), (256, 96, 32), (16, 6, 2), (1, 1, 0)],
)
def test_fewer_files_are_fewer_connections_and_a_line_in_the_log(
    open_files: int, connections: int, refused: int, caplog: pytest.LogCaptureFixture
) -> None:
    limits = within_open_files(ConnectionLimits(), open_files)
    assert (limits.max_connections, limits.max_refused_connections) == (connections, refused)
    assert ("LimitNOFILE" in caplog.text) == (connections < ConnectionLimits().max_connections)
