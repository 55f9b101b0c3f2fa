#!/usr/bin/env bash
# Make an environment of its own for each peer under .benchmarks/peers, with pinned versions.
set -euo pipefail
cd "$(dirname "$0")/../.."
for name in profiler tutorial mosec litserve bentoml mlserver; do
  target=.benchmarks/peers/$name
  [ -e "$target/ready" ] && continue
  echo "Setting up $name"
  .venv/bin/uv venv --quiet --python .venv/bin/python "$target"
  .venv/bin/uv pip install --quiet --python "$target/bin/python" -r "benchmarks/peers/$name.txt"
  touch "$target/ready"
done
