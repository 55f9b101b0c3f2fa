#!/usr/bin/env bash
# Known vulnerabilities of what ships, in an environment of its own: the auditor's packages are no part of ours.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv/audit
if ! [ -x $venv/bin/pip-audit ]; then
  .venv/bin/python -m venv $venv
  if ! $venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-audit.lock 2>$venv/said; then
    echo "NOT AUDITED: pip-audit cannot be installed here: $(tail -1 $venv/said)"
    exit 0
  fi
fi
{ $venv/bin/pip-audit --requirement requirements-runtime.lock --require-hashes --disable-pip --format json \
  --progress-spinner off 2>$venv/said || true; } | .venv/bin/python -m tools.audit
