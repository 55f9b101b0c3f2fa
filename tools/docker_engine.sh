#!/usr/bin/env bash
# A private docker engine on a bare Debian machine without an image registry, for tools/docker_proof.sh.
# Usage: tools/docker_engine.sh start|stop FOLDER. Needs root. Everything is in FOLDER; only the packages of
# docker.io and debootstrap are installed on the machine.
set -euo pipefail
readonly ACTION=${1:?start or stop} FOLDER=${2:?a folder}
readonly SUITE=bookworm PLUGIN_SUITE=trixie BASE_IMAGE=debian:bookworm-slim
export DOCKER_HOST=unix://$FOLDER/docker.sock DOCKER_CONFIG=$FOLDER/config
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

say() { echo "== $*" >&2; }

packages() {
  # One by one: `command -v` with several names succeeds where it finds any of them.
  local name missing=
  for name in dockerd debootstrap iptables; do command -v "$name" >/dev/null || missing=$name; done
  [ -n "$missing" ] || return 0
  say "installing docker.io and debootstrap"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io debootstrap iptables iproute2 >/dev/null
}

mirror() { # the archive that this machine uses already
  { grep -rhoE '^(deb|URIs:).*' /etc/apt/sources.list /etc/apt/sources.list.d || true; } 2>/dev/null \
    | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -1 | tr -d ' '
}

plugins() { # compose v2 and buildx are younger than bookworm: unpacked, not installed
  [ -x "$DOCKER_CONFIG/cli-plugins/docker-compose" ] && return
  say "fetching docker compose v2 and buildx"
  local apt=$FOLDER/apt
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/debs" "$DOCKER_CONFIG/cli-plugins"
  echo "deb [signed-by=$KEYRING] $(mirror) $PLUGIN_SUITE main" > "$apt/sources.list"
  local options=(-o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$apt/lists"
    -o "Dir::Cache=$apt" -o Debug::NoLocking=1 -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update -qq
  (cd "$apt/debs" && apt-get "${options[@]}" download -qq docker-compose docker-buildx && for deb in *.deb; do dpkg -x "$deb" ..; done)
  cp "$apt"/usr/libexec/docker/cli-plugins/docker-{compose,buildx} "$DOCKER_CONFIG/cli-plugins/"
}

engine() {
  [ -S "$FOLDER/docker.sock" ] && docker version >/dev/null 2>&1 && return
  say "starting dockerd"
  dockerd --data-root "$FOLDER/data" --exec-root "$FOLDER/exec" --pidfile "$FOLDER/dockerd.pid" -H "$DOCKER_HOST" \
    --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false > "$FOLDER/dockerd.log" 2>&1 &
  for _ in $(seq 100); do docker version >/dev/null 2>&1 && return; sleep 0.2; done
  say "dockerd did not start; see $FOLDER/dockerd.log"; exit 1
}

base_image() {
  docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 && return
  local root=$FOLDER/rootfs
  if [ ! -e "$root/.complete" ]; then
    say "bootstrapping $SUITE"
    nice -n 10 debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$root" "$(mirror)" > "$FOLDER/debootstrap.log"
    touch "$root/.complete"
  fi
  # A machine behind its own certificate authority: known to this local base image only, never to a Dockerfile.
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/"
    chroot "$root" update-ca-certificates >/dev/null
  fi
  say "importing $BASE_IMAGE"
  tar -C "$root" -c --exclude='./var/cache/apt/archives/*.deb' --exclude='./var/lib/apt/lists/*' . \
    | docker import -c 'CMD ["bash"]' -c 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt' - "$BASE_IMAGE" >/dev/null
}

case $ACTION in
  start) mkdir -p "$FOLDER" "$DOCKER_CONFIG"; packages; plugins; engine; base_image ;;
  stop)
    if [ -e "$FOLDER/dockerd.pid" ]; then
      pid=$(cat "$FOLDER/dockerd.pid"); kill "$pid"
      for _ in $(seq 100); do [ -e "/proc/$pid" ] || exit 0; sleep 0.2; done
    fi ;;
  *) echo "start or stop, not $ACTION" >&2; exit 2 ;;
esac
