#!/usr/bin/env bash
# What the tests of other people's clients run in addition to Python: the JDK, Go, curl, wget, Perl and Node of Debian.
# Nginx and openssl come with setup_fleet.sh, Chromium with setup_browser.sh.
set -euo pipefail

missing() { # the packages of what is not there
  command -v java >/dev/null || echo default-jdk-headless
  command -v go >/dev/null || echo golang-go
  command -v curl >/dev/null || echo curl
  command -v wget >/dev/null || echo wget
  perl -MHTTP::Tiny -MJSON::PP -e1 2>/dev/null || echo perl
  command -v node >/dev/null || echo nodejs
}

mapfile -t packages < <(missing)
[ ${#packages[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "${packages[*]}: not on PATH; tests of these clients are skipped. Install them: sudo apt-get install ${packages[*]}"
  exit 0
fi
echo "Installing ${packages[*]} (once)"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq -o APT::Update::Error-Mode=any ||
  echo "warning: apt-get update could not fetch every package list, for the reasons above; the lists that are here are used." >&2
# What it costs on this system, in the words of apt 2 or of apt 3.
LC_ALL=C apt-get install --assume-no --no-install-recommends "${packages[@]}" 2>/dev/null | while read -r line; do
  case $line in "Need to get"* | "After this operation"* | "Download size"* | "Space needed"*) echo "  $line" ;; esac
done || true
apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null ||
  echo "${packages[*]}: cannot be installed here; tests of these clients are skipped."
