#!/usr/bin/env bash
# Sets this machine up as a device, from a checkout: sudo deploy/install.sh [--dry-run | --undo | --help].
# What it does is in tools/device_setup, which needs nothing but the system's own Python; this file sees to that one.
set -euo pipefail
checkout=$(cd "$(dirname "$0")/.." && pwd)
readonly PYTHON=${PYTHON:-/usr/bin/python3} MISTAKE=78

refuse() { printf 'error: %s\nhint: %s\nNothing was changed.\n' "$1" "$2" >&2; exit "$MISTAKE"; }

[ -x "$PYTHON" ] || refuse "$PYTHON: not found" "sudo apt install python3"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  refuse "$("$PYTHON" --version): older than 3.11" "Use Raspberry Pi OS Bookworm (Debian 12) or newer: HailoRT works with the system's own Python alone."
cd /
PYTHONPATH=$checkout PYTHONDONTWRITEBYTECODE=1 exec "$PYTHON" -s -m tools.device_setup "$@"
