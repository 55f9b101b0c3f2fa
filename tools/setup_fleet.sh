#!/usr/bin/env bash
# Finds or fetches what the fleet's tests run, without root: VictoriaMetrics and vmalert, nginx and openssl, as Debian's
# packages, unpacked into the cache.
set -euo pipefail
readonly FOLDER=${XDG_CACHE_HOME:-$HOME/.cache}/edgeinfer/fleet
export PATH=$PATH:/usr/sbin:$FOLDER/usr/bin:$FOLDER/usr/sbin

missing() { # the packages of what is not there
  { command -v victoria-metrics && command -v vmalert; } >/dev/null || echo victoria-metrics
  command -v nginx >/dev/null || echo nginx
  command -v openssl >/dev/null || echo openssl
}

fetch() {
  apt-get download -qq "$@" 2>/dev/null && return
  mkdir -p "$FOLDER/lists/partial" "$FOLDER/archives/partial"
  # Without it, apt-get ignores a list that cannot be fetched.
  local options=(-o APT::Update::Error-Mode=any -o "Dir::State::lists=$FOLDER/lists" -o "Dir::Cache=$FOLDER" -o Debug::NoLocking=1)
  apt-get "${options[@]}" update -qq && apt-get "${options[@]}" download -qq "$@"
}

megabytes() { # to fetch, on this system; nothing where its package lists do not say
  local total=0 bytes
  while read -r _ _ bytes _; do total=$((total + bytes)); done < <(apt-get --print-uris download "$@" 2>/dev/null)
  [ "$total" -eq 0 ] || echo ", $((total / 1000000)) MB"
}

mapfile -t packages < <(missing)
[ ${#packages[@]} -gt 0 ] || exit 0
{ command -v apt-get && command -v dpkg; } >/dev/null || { echo "${packages[*]}: not on PATH, and no apt-get to fetch them; tests of the fleet are skipped."; exit 0; }
echo "Fetching ${packages[*]} into $FOLDER (once$(megabytes "${packages[@]}"))"
mkdir -p "$FOLDER/debs"
cd "$FOLDER/debs"
fetch "${packages[@]}" || { echo "${packages[*]}: cannot be fetched here, for the reasons above; tests of the fleet are skipped."; exit 0; }
for deb in ./*.deb; do dpkg -x "$deb" ..; done
