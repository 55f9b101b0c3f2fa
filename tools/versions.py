"""The tests that Prometheus, Alertmanager and VictoriaMetrics take part in, with each version that Debian has.

Run as `python -m tools.versions [--release testing] [--quick]`; ends with 1 if a test fails with one of them.
The quick form checks rules and configurations with promtool and amtool; the whole one draws every panel on that
Prometheus, and runs the fleet with that VictoriaMetrics, too.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tools.debian_packages import DebianPackages, PackagesUnavailable

RELEASES = ("bookworm", "trixie", "testing")
_PACKAGES = ("prometheus", "prometheus-alertmanager", "victoria-metrics")
# From Debian 13 on it has a package of its own.
_TOOL = "promtool"
_QUICK = (
    "tests/monitoring/test_scrape.py",
    "tests/monitoring/test_alerting.py",
    "tests/monitoring/test_alerts.py::test_every_alert_does_what_its_proof_says",
    "tests/monitoring/test_young_prometheus.py",
    "tests/monitoring/test_predecessor.py",
)
_WHOLE = ("tests/monitoring", "tests/end_to_end/test_every_panel.py", "tests/end_to_end/test_fleet.py")


def fetch(release: str) -> tuple[Path, str]:
    """The folder of the programs of a release, and their versions.

    Raises:
        PackagesUnavailable: they cannot be had here.
    """
    packages = DebianPackages(release)
    tool = (_TOOL,) if packages.knows(_TOOL) else ()
    folder = packages.fetch((*_PACKAGES, *tool)) / "usr/bin"
    return folder, ", ".join(f"{name} {packages.version(name)}" for name in _PACKAGES)


def main() -> int:
    """Run the tests for each release; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", choices=RELEASES, help="this one alone")
    parser.add_argument("--quick", action="store_true", help="the checks of promtool and amtool alone")
    arguments = parser.parse_args()
    failed = []
    for release in [arguments.release] if arguments.release else RELEASES:
        try:
            folder, versions = fetch(release)
        except PackagesUnavailable as failure:
            print(f"NOT TESTED with the versions of Debian {release}: {failure}", flush=True)
            continue
        print(f"--- Debian {release}: {versions}", flush=True)
        environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
        tests = _QUICK if arguments.quick else _WHOLE
        if subprocess.run([sys.executable, "-m", "pytest", "-q", *tests], env=environment, check=False).returncode:
            failed.append(release)
    if failed:
        print(f"error: tests failed with the versions of Debian {' and '.join(failed)}; see above.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
