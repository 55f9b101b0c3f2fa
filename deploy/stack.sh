#!/usr/bin/env bash
# What the make targets of the compose stack do. Usage: deploy/stack.sh TARGET; without a docker engine the same
# target runs the native stack. Exit codes: 0 done, 78 something must be fixed first, else what docker said.
set -euo pipefail
cd "$(dirname "$0")"
readonly TARGET=${1:?a target: hailo-stub, hailo-cpu, hailo-device, monitoring-up, monitoring-down, stack-down, image, image-digests, is-running, compose-addresses}
ROOT=$(cd .. && pwd); readonly ROOT
readonly EDGEINFER=${EDGEINFER:-$ROOT/.venv/bin/edgeinfer} DATA=${DATA:-$ROOT/.edgeinfer} MISTAKE=78
readonly SYSTEM_ROOT=${SYSTEM_ROOT:-}
# Both files are one project; each alone would call the other's containers orphans.
export COMPOSE_IGNORE_ORPHANS=true

services() { docker compose -f docker-compose.yml "$@"; }
watchers() { docker compose -f docker-compose.monitoring.yml --profile monitoring "$@"; }
everything() { docker compose -f docker-compose.yml -f docker-compose.monitoring.yml --profile '*' "$@"; }

refuse() { printf 'error: %s\nhint: %s\n' "$1" "$2" >&2; exit "$MISTAKE"; }

setting() { # NAME DEFAULT: from the environment, else from .env, else the default
  local value=${!1:-}
  [ -n "$value" ] || [ ! -r .env ] || value=$(sed -n "s/^$1=//p" .env | tail -1 | sed -E "s/^(['\"])(.*)\\1$/\\2/")
  echo "${value:-$2}"
}

has_engine() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }

native() {
  [ -x "$EDGEINFER" ] || refuse "$EDGEINFER: not found" "Run 'make setup' first."
  echo "No docker engine answers here, so this runs the native stack in the background: edgeinfer up $*"
  echo "It is the same services, rules and dashboards, with the console in Grafana's place."
  hand_on
  exec "$EDGEINFER" up --background --data-folder "$DATA" "$@"
}

hand_on() { # the settings of compose, under the names that the native stack reads
  local pair value
  for pair in GATEWAY_PORT PROMETHEUS_PORT ALERTMANAGER_PORT CONSOLE_PORT RETENTION_TIME RETENTION_SIZE \
    GATEWAY_HOST:GATEWAY_BIND_ADDRESS CONSOLE_HOST:BIND_ADDRESS GATEWAY_ALLOW_NO_KEYS CONSOLE_ALLOW_NETWORK; do
    value=$(setting "${pair#*:}" "")
    [ -z "$value" ] || export "EDGEINFER_${pair%:*}=$value"
  done
  unset EDGEINFER_IMAGE EDGEINFER_DEVICE_IMAGE # words of compose alone
  value=$(setting HEF_PATH "")
  [ -z "$value" ] || export HEF_PATH="$value"
}

native_runs() { [ -e "$DATA/lock" ] && ! flock --shared --nonblock "$DATA/lock" true; }

native_watchers() {
  native_runs || native --backend onnx
  echo "The native stack runs already, and its monitoring with it ('make monitoring-down' ends both):"
  sed -nE 's/^ *"(console|prometheus|alertmanager)": *"(http[^"]*)".*/  \1 \2/p' "$DATA/stack.json"
}

native_down() {
  echo "No docker engine answers here; services and monitoring are one native run, and it ends whole."
  [ -x "$EDGEINFER" ] || refuse "$EDGEINFER: not found" "Run 'make setup' first."
  exec "$EDGEINFER" down --data-folder "$DATA"
}

without_engine() {
  case $TARGET in
    hailo-stub) native --backend stub ;;
    hailo-cpu) native --backend onnx ;;
    monitoring-up) native_watchers ;;
    hailo-device) check_node; check_hef; native --backend hailort ;;
    monitoring-down | stack-down) native_down ;;
    *) refuse "docker: no engine answers" "Install one (on Debian: apt-get install docker.io), or give this user the group docker." ;;
  esac
}

check_port() { # SERVICE NAME PORT
  local port; port=$(setting "$2" "$3")
  [ -z "$(docker ps -q -f "label=com.docker.compose.project=edgeinfer" -f "label=com.docker.compose.service=$1")" ] || return 0
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    refuse "port $port of $1: another process listens there" \
      "End it (see 'ss -ltnp sport = :$port'), or choose another: $2=... in deploy/.env."
  fi
}

first_node() { # what the kernel calls the first chip: hailo0, and h1x-0 from driver 5.3 on
  local entry
  for entry in "$SYSTEM_ROOT"/sys/class/hailo_chardev/* "$SYSTEM_ROOT"/sys/class/hailo1x/*; do
    [ ! -e "$entry" ] || { echo "/dev/$(basename "$entry")"; return; }
  done
  echo /dev/hailo0
}

check_node() {
  HAILO_DEVICE=$(setting HAILO_DEVICE "$(first_node)"); export HAILO_DEVICE
  local node=$SYSTEM_ROOT$HAILO_DEVICE
  [ -e "$node" ] || refuse "$node: there is no such device" \
    "Run '.venv/bin/edgeinfer doctor --only hailo' to see which part is missing: chip, driver or node. Without a chip: 'make hailo-cpu'."
}

check_hef() {
  local hef; hef=$(setting HEF_PATH "")
  [ -n "$hef" ] || refuse "HEF_PATH: not set" "Name the compiled network: HEF_PATH=/path/to/network.hef make hailo-device."
  [ -r "$hef" ] || refuse "HEF $hef: cannot be read" "Give the path of the compiled network, and the right to read it."
}

driver_version() {
  local module
  for module in hailo_pci hailo1x_pci; do
    cat "$SYSTEM_ROOT/sys/module/$module/version" 2>/dev/null && return
  done
  return 0
}

check_packages() { # the driver refuses every library but its own version
  local version=$1 deb found any=
  for deb in hailo-packages/*.deb; do
    [ -e "$deb" ] || continue
    any=yes; found=$(dpkg-deb -f "$deb" Version)
    case $found in "$version" | "$version"-*) ;; *)
      refuse "deploy/$deb: it is HailoRT $found and the driver of this machine is $version" \
        "Put the packages of version $version there; every open of the chip would fail otherwise." ;;
    esac
  done
  [ -n "$any" ] || refuse "deploy/hailo-packages: no HailoRT package lies there" "See deploy/hailo-packages/README.md."
}

ensure_password() {
  [ -z "$(setting GRAFANA_ADMIN_PASSWORD "")" ] || return 0
  local password; password=$(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')
  (umask 077; touch .env) 2>/dev/null && [ -w .env ] || refuse "deploy/.env: cannot be written" "Give this user the right to write there, or set GRAFANA_ADMIN_PASSWORD."
  chmod 600 .env
  echo "GRAFANA_ADMIN_PASSWORD=$password" >> .env
  echo "Grafana's password, shown this once: $(setting GRAFANA_ADMIN_USER admin) / $password   (it is in deploy/.env)"
  if docker volume inspect edgeinfer_grafana-data >/dev/null 2>&1; then
    echo "Grafana has been here before and knows the password of its first start. Once it runs, give it this one:"
    echo "  docker exec edgeinfer-grafana-1 grafana cli admin reset-admin-password $password"
  fi
}

up() { # start and wait; on failure, say which service and its last output
  "$@" up --detach --wait --wait-timeout "${WAIT_SECONDS:-600}" && return
  local code=$? name
  for name in $(docker ps -a -q -f label=com.docker.compose.project=edgeinfer); do
    case $(docker inspect -f '{{.State.Status}}/{{if .State.Health}}{{.State.Health.Status}}{{end}}' "$name") in
      running/ | running/healthy) ;;
      *) echo "--- $(docker inspect -f '{{.Name}}' "$name"), last lines:" >&2; docker logs --tail 6 "$name" >&2 2>&1 || true ;;
    esac
  done
  printf 'error: the stack did not get ready (docker said %s)\nhint: %s\n' "$code" \
    "Fix what the last lines above say. 'permission denied' on a volume: 'docker volume rm' it if it holds nothing, else 'docker run --rm -u 0 -v VOLUME:/v IMAGE chown -R UID /v'." >&2
  return "$code"
}

chip_exporter() { [ -n "$(docker ps -q -f label=com.docker.compose.project=edgeinfer -f label=com.docker.compose.service=hailo-exporter)" ] && echo present || echo absent; }

follow_chip() { # Prometheus scrapes the chip exporter exactly where one runs
  [ -n "$(docker ps -q -f label=com.docker.compose.project=edgeinfer -f label=com.docker.compose.service=prometheus)" ] || return 0
  # Grafana, whose password compose asks for whatever is started, is left alone.
  CHIP_EXPORTER=$(chip_exporter) GRAFANA_ADMIN_PASSWORD=- watchers up --detach --no-deps prometheus
}

start_services() { # PROFILE, and the services of the other profile that must go
  check_port edge-infer GATEWAY_PORT 8080
  services --profile '*' rm --stop --force "${@:2}" 2>/dev/null || true # most often there are none
  # Without a registry nothing is pulled: what is ours is built here.
  up services --profile "$1"
  follow_chip
  echo "Gateway: http://$(setting GATEWAY_BIND_ADDRESS 127.0.0.1):$(setting GATEWAY_PORT 8080)   dashboards: make monitoring-up"
}

image() { services --profile hailo-stub build ${BUILD_OPTIONS:-}; }

built() { docker image inspect "$(setting "$1" "$2")" >/dev/null 2>&1; }

digests() {
  local variable name digest
  for variable in PROMETHEUS_IMAGE ALERTMANAGER_IMAGE GRAFANA_IMAGE NODE_EXPORTER_IMAGE VICTORIA_METRICS_IMAGE VMALERT_IMAGE; do
    name=$(sed -n "s/.*\${$variable:-\([^}]*\)}.*/\1/p" docker-compose.monitoring.yml docker-compose.fleet.yml | head -1)
    digest=$(docker image inspect -f '{{range .RepoDigests}}{{.}}{{"\n"}}{{end}}' "$name" 2>/dev/null | head -1 || true)
    if [ -n "$digest" ]; then echo "$variable=$name@${digest#*@}"; else echo "# $variable: first 'docker pull $name'"; fi
  done
}

compose_gateway() { has_engine && docker ps -q -f label=com.docker.compose.project=edgeinfer -f label=com.docker.compose.service=edge-infer | grep -q .; }

case $TARGET in # questions of the Makefile's
  is-running) compose_gateway || native_runs; exit ;;
  compose-addresses)
    ! compose_gateway || echo "--gateway http://127.0.0.1:$(setting GATEWAY_PORT 8080) --prometheus http://127.0.0.1:$(setting PROMETHEUS_PORT 9090)"
    exit ;;
esac
has_engine || { without_engine; exit; }
docker compose version >/dev/null 2>&1 || refuse "docker compose: this docker has no compose v2" "Install the package docker-compose-plugin (or docker-compose from Debian 13 on)."
case $TARGET in
  image) image ;;
  image-digests) digests ;;
  hailo-stub) built EDGEINFER_IMAGE edgeinfer:0.1.0 || image; start_services hailo-stub hailo-inference-device hailo-exporter ;;
  hailo-cpu) built EDGEINFER_IMAGE edgeinfer:0.1.0 || image
    SIDECAR_BACKEND=onnx; export SIDECAR_BACKEND; start_services hailo-stub hailo-inference-device hailo-exporter ;;
  hailo-device)
    check_node; check_hef
    HAILORT_VERSION=$(driver_version); export HAILORT_VERSION
    [ -n "$HAILORT_VERSION" ] || refuse "the Hailo driver: not loaded" "Run '.venv/bin/edgeinfer doctor --only hailo'."
    check_packages "$HAILORT_VERSION"
    built EDGEINFER_IMAGE edgeinfer:0.1.0 || image
    services --profile hailo-device build ${BUILD_OPTIONS:-}
    start_services hailo-device hailo-inference ;;
  monitoring-up)
    check_port prometheus PROMETHEUS_PORT 9090; check_port alertmanager ALERTMANAGER_PORT 9093
    check_port grafana GRAFANA_PORT 3000; check_port console CONSOLE_PORT 8088
    ensure_password
    built EDGEINFER_IMAGE edgeinfer:0.1.0 || image
    CHIP_EXPORTER=$(chip_exporter); export CHIP_EXPORTER
    up watchers
    host=$(setting BIND_ADDRESS 127.0.0.1)
    echo "Grafana: http://$host:$(setting GRAFANA_PORT 3000)   console: http://$host:$(setting CONSOLE_PORT 8088)   Prometheus: http://127.0.0.1:$(setting PROMETHEUS_PORT 9090)" ;;
  monitoring-down)
    GRAFANA_ADMIN_PASSWORD=-; export GRAFANA_ADMIN_PASSWORD
    watchers rm --stop --force
    echo "The watchers are gone; their measurements stay in volumes." ;;
  stack-down)
    GRAFANA_ADMIN_PASSWORD=-; export GRAFANA_ADMIN_PASSWORD
    everything down; echo "Everything is down; sessions and measurements stay in volumes." ;;
  *) refuse "target $TARGET: unknown" "See 'make help'." ;;
esac
