#!/usr/bin/env bash
# Make an environment of its own for each peer under .benchmarks/peers, with pinned versions; for all, or those named.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- profiler tutorial mosec litserve bentoml mlserver
for name in "$@"; do
  target=.benchmarks/peers/$name
  [ -e "$target/ready" ] && continue
  echo "Setting up $name"
  .venv/bin/uv venv --quiet --python .venv/bin/python "$target"
  .venv/bin/uv pip install --quiet --python "$target/bin/python" -r "benchmarks/peers/$name.txt"
  touch "$target/ready"
done
