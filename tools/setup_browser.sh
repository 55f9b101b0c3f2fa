#!/usr/bin/env bash
# What the browser tests need in addition to Python: Debian's Chromium, and page checkers from npm.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v chromium >/dev/null; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "error: chromium is not installed and only root can install it. Run: sudo apt-get install chromium" >&2
    exit 1
  fi
  echo "Installing chromium (once, about a minute)"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq -o APT::Update::Error-Mode=any ||
    echo "warning: apt-get update could not fetch every package list, for the reasons above; the lists that are here are used." >&2
  apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null ||
    { echo "error: chromium cannot be installed, for the reasons above. Run: apt-get update && apt-get install chromium" >&2; exit 1; }
fi
if ! command -v npm >/dev/null; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "error: npm is not installed and only root can install it. Run: sudo apt-get install npm" >&2
    exit 1
  fi
  echo "Installing npm (once)"
  apt-get install -y -qq --no-install-recommends npm >/dev/null ||
    { echo "error: npm cannot be installed, for the reasons above. Run: apt-get update && apt-get install npm" >&2; exit 1; }
fi
for manifest in tests/browser/package.json tools/grafana_schema/package.json tools/grafana_data/package.json; do
  folder=$(dirname "$manifest")
  if [ -f "$manifest" ] && [ ! -d "$folder/node_modules" ]; then
    echo "Installing the test tools of $folder (once)"
    npm ci --prefix "$folder" --silent --no-audit --no-fund
  fi
done
