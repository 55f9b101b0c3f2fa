#!/usr/bin/env bash
# Installs EdgeInfer where HailoRT is installed: sudo deploy/install.sh, from a checkout, on Bookworm and on Trixie.
# The environment sees the system's packages, because HailoRT's Python package is one of them; every package of ours is
# one whose hash this repository knows; numpy is the one that the installed HailoRT can read. Run it again to update.
# Exit codes: 0 done, 78 something must be fixed first, else what pip said.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly VENV=${VENV:-venv} PYTHON=${PYTHON:-python3} MISTAKE=78

refuse() { printf 'error: %s\nhint: %s\n' "$1" "$2" >&2; exit "$MISTAKE"; }
pip() { "$VENV/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

numpy_is_too_new() { # as the doctor finds it, which holds HailoRT's native part against numpy
  { "$VENV/bin/edgeinfer" doctor --only hailo --json 2>/dev/null || true; } | "$VENV/bin/python" -c '
import json, sys
found = json.load(sys.stdin)
sys.exit(not any(one["subject"] == "numpy" and one["verdict"] == "broken" for one in found))'
}

check_compiler() { # numpy 1 has no wheel from Python 3.13 on, and is compiled
  local header; header=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")')
  if "$VENV/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then
    command -v c++ >/dev/null && [ -e "$header" ] || refuse "numpy 1: this Python needs it compiled, and no compiler is here" \
      "sudo apt install build-essential python3-dev, then run this again."
    echo "This HailoRT reads numpy 1 alone, which is compiled for this Python now: some minutes."
  fi
}

"$PYTHON" -c 'import venv, ensurepip' 2>/dev/null || refuse "python3-venv: not installed" "sudo apt install python3-venv"
"$PYTHON" -m venv --system-site-packages "$VENV"
pip install --require-hashes -r requirements-build.lock -r requirements-runtime.lock
pip install --no-deps --no-index --no-build-isolation --force-reinstall .
if numpy_is_too_new; then
  check_compiler
  pip install --require-hashes -r requirements-hailo4.lock
fi
"$VENV/bin/edgeinfer" doctor --only hailo || true # what is missing yet is in its words
