"""Scripts that install with apt-get say when a package list or a package cannot be had."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# As apt-get 2.6 does: a list that cannot be fetched is an error only if that is asked for.
_APT = """#!/bin/sh
case "$*" in
  *update*Error-Mode=any* | *Error-Mode=any*update*) echo "E: Failed to fetch" >&2; exit 100 ;;
  *update*) exit 0 ;;
  *install*assume-no*) printf "Need to get 81 MB of archives.\nAfter this operation, 464 MB will be used.\n"; exit 1 ;;
  *install*) exit {code} ;;
  *print-uris*) echo "'http://mirror/nginx.deb' nginx_1_amd64.deb 15000000 SHA256:00" ;;
  *download*) exit 100 ;;
esac
"""


def run(script: str, folder: Path, install_code: int) -> subprocess.CompletedProcess[str]:
    """The script as root on a machine that has apt-get and none of what it would install."""
    for name in ("bash", "dirname", "mkdir", "sh"):
        (folder / name).symlink_to(str(shutil.which(name)))
    for name, text in (
        ("id", "#!/bin/sh\necho 0\n"),
        ("dpkg", "#!/bin/sh\n"),
        ("apt-get", _APT.format(code=install_code)),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    command = [str(folder / "bash"), str(ROOT / "tools" / script)]
    environment = {"PATH": str(folder), "HOME": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", ["setup_browser.sh", "setup_clients.sh"])
def test_package_lists_that_cannot_be_fetched_are_reported(script: str, tmp_path: Path) -> None:
    assert "warning: apt-get update could not fetch every package list" in run(script, tmp_path, 100).stderr


def test_tests_of_clients_that_cannot_be_installed_are_skipped_by_name(tmp_path: Path) -> None:
    done = run("setup_clients.sh", tmp_path, 100)
    assert done.returncode == 0
    assert "golang-go" in done.stdout.splitlines()[-1]
    assert done.stdout.endswith("cannot be installed here; tests of these clients are skipped.\n")


def test_a_browser_that_cannot_be_installed_ends_it_with_what_to_run(tmp_path: Path) -> None:
    done = run("setup_browser.sh", tmp_path, 100)
    assert done.returncode == 1
    assert "error: chromium cannot be installed" in done.stderr
    assert "apt-get install chromium" in done.stderr


@pytest.mark.parametrize(("script", "skipped"), [("setup_fleet.sh", "tests of the fleet"), ("setup_clock.sh", "clock")])
def test_what_is_unpacked_without_root_and_cannot_be_fetched_is_said_with_apts_reason(
    script: str, skipped: str, tmp_path: Path
) -> None:
    done = run(script, tmp_path, 100)
    assert done.returncode == 0
    assert "E: Failed to fetch" in done.stderr
    [said] = [line for line in (done.stdout + done.stderr).splitlines() if "cannot be fetched here" in line]
    assert skipped in said
    assert "for the reasons above" in said


def test_what_is_fetched_is_said_with_the_size_that_it_has_on_this_system(tmp_path: Path) -> None:
    assert f"into {tmp_path}/.cache/edgeinfer/fleet (once, 15 MB)" in run("setup_fleet.sh", tmp_path, 0).stdout


def test_what_is_installed_is_said_with_the_size_that_it_has_on_this_system(tmp_path: Path) -> None:
    said = run("setup_clients.sh", tmp_path, 0).stdout
    assert "Need to get 81 MB of archives." in said
    assert "After this operation, 464 MB will be used." in said
