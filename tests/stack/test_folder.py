import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeinfer.errors import DataFolderError
from edgeinfer.stack.folder import MIN_FREE_BYTES, prepare, root_of, too_little_room, write_whole


def test_everything_a_run_needs_is_made_below_one_folder(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "new" / "data")

    made = {path.name for path in folder.root.iterdir()}
    assert made == {"configuration", "prometheus", "alertmanager", "gateway", "logs"}


def test_a_second_run_finds_what_the_first_one_kept(tmp_path: Path) -> None:
    prepare(tmp_path).prometheus.joinpath("block").write_text("kept")

    assert (prepare(tmp_path).prometheus / "block").read_text() == "kept"


def test_a_nearly_full_disk_is_said_and_refuses_nothing(tmp_path: Path) -> None:
    assert "has 12 MB left where 210 MB are needed" in too_little_room(tmp_path, lambda _: 12_000_000)
    assert too_little_room(tmp_path, lambda _: MIN_FREE_BYTES) == ""


def test_nobody_else_sees_what_lies_there_and_older_folders_are_closed_too(tmp_path: Path) -> None:
    open_one = tmp_path / "data" / "gateway"
    open_one.mkdir(mode=0o755, parents=True)
    open_one.chmod(0o755)

    folder = prepare(tmp_path / "data")

    made = (folder.prometheus, folder.alertmanager, folder.gateway, folder.logs, folder.configuration)
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700}
    assert prepare(tmp_path / "new").root.stat().st_mode & 0o777 == 0o700


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", "old")
    (tmp_path / "file.new").mkdir()  # stands for a disk that refuses

    with pytest.raises(OSError, match=r"file\.new"):
        write_whole(tmp_path / "file", "new")

    assert (tmp_path / "file").read_text() == "old"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    taken = tmp_path / "data"
    taken.write_text("")

    with pytest.raises(DataFolderError, match="is a file where a folder is needed"):
        prepare(taken)


def test_a_place_where_no_folder_can_be_made_is_named() -> None:
    with pytest.raises(DataFolderError, match=r"/proc/nowhere: cannot be created"):
        prepare(Path("/proc/nowhere"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataFolderError, match="Permission denied"):
        prepare(tmp_path)


def test_a_disk_that_takes_no_more_bytes_is_found_by_writing(tmp_path: Path) -> None:
    """A quota leaves free bytes for others; only writing shows it. A size limit of the process stands for it."""
    program = """
import resource, signal, sys
from pathlib import Path
from edgeinfer.errors import DataFolderError
from edgeinfer.stack.folder import prepare
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    prepare(Path(sys.argv[1]))
except DataFolderError as failure:
    print(failure)
"""
    result = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)

    assert "cannot be written (File too large)" in result.stdout
    assert not list(tmp_path.rglob(".probe-*"))


def test_a_named_folder_wins_over_the_users_data_home(tmp_path: Path) -> None:
    assert root_of(tmp_path / "named", tmp_path / "home") == tmp_path / "named"
    assert root_of(None, tmp_path / "home") == tmp_path / "home" / "edgeinfer"
