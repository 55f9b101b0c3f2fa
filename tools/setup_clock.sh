#!/usr/bin/env bash
# Finds or fetches libfaketime for the scenarios that set a clock off, without root: Debian's package, unpacked.
# Prints the library's path, or nothing where it cannot be had.
set -euo pipefail
readonly FOLDER=${XDG_CACHE_HOME:-$HOME/.cache}/edgeinfer/clock
find_library() { compgen -G "/usr/lib/*/faketime/libfaketime.so.1" || compgen -G "$FOLDER/usr/lib/*/faketime/libfaketime.so.1"; }
find_library && exit 0
command -v apt-get >/dev/null && command -v dpkg >/dev/null \
  || { echo "libfaketime: not here, and no apt-get to fetch it; clock jumps are not tried." >&2; exit 0; }
mkdir -p "$FOLDER/debs"
cd "$FOLDER/debs"
if ! apt-get download -qq libfaketime 2>/dev/null; then
  mkdir -p "$FOLDER/lists/partial" "$FOLDER/archives/partial"
  # Without it, apt-get ignores a list that cannot be fetched.
  options=(-o APT::Update::Error-Mode=any -o "Dir::State::lists=$FOLDER/lists" -o "Dir::Cache=$FOLDER" -o Debug::NoLocking=1)
  { apt-get "${options[@]}" update -qq && apt-get "${options[@]}" download -qq libfaketime; } >&2 \
    || { echo "libfaketime cannot be fetched here, for the reasons above; clock jumps are not tried." >&2; exit 0; }
fi
for deb in ./*.deb; do dpkg -x "$deb" ..; done
find_library
