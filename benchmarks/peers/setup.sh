#!/usr/bin/env bash
# Make an environment of its own for each peer under .benchmarks/peers, with pinned versions; for all, or those named.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- profiler tutorial mosec litserve bentoml mlserver pytriton
for name in "$@"; do
  target=.benchmarks/peers/$name
  cmp -s "benchmarks/peers/$name.txt" "$target/ready" && continue
  echo "Setting up $name"
  .venv/bin/uv venv --quiet --clear --python .venv/bin/python "$target"
  .venv/bin/uv pip install --quiet --python "$target/bin/python" -r "benchmarks/peers/$name.txt"
  cp "benchmarks/peers/$name.txt" "$target/ready"
done
