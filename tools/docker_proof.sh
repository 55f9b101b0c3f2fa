#!/usr/bin/env bash
# Builds the image and tries the compose stack for real, on a private docker engine without an image registry.
# Needs root on Debian and some minutes. Prometheus, Alertmanager and node exporter are stand-in images made of Debian's
# binaries; Grafana's stand-in is an empty web server, because no Grafana can be had: of Grafana nothing is shown here.
# Usage: tools/docker_proof.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
readonly SOURCE=$PWD FOLDER=${1:-/tmp/edgeinfer-docker-proof}
readonly BIN=$SOURCE/.venv/bin CHECKOUT=$FOLDER/checkout
: "${PROOF_SECONDS:=75}"
export DOCKER_HOST=unix://$FOLDER/docker.sock DOCKER_CONFIG=$FOLDER/config DOCKER_BUILDKIT=1
: "${GATEWAY_PORT:=18080}" "${PROMETHEUS_PORT:=19090}" "${ALERTMANAGER_PORT:=19093}" "${GRAFANA_PORT:=13000}" "${CONSOLE_PORT:=18088}"
export GATEWAY_PORT PROMETHEUS_PORT ALERTMANAGER_PORT GRAFANA_PORT CONSOLE_PORT WAIT_SECONDS=120
readonly GATEWAY=http://127.0.0.1:$GATEWAY_PORT PROMETHEUS=http://127.0.0.1:$PROMETHEUS_PORT CONSOLE=http://127.0.0.1:$CONSOLE_PORT

shown() { echo "shown: $*"; }
failed() { echo "FAILED: $*" >&2; exit 1; }
make_in() { make --no-print-directory -C "$CHECKOUT" "$@"; }
query() { "$BIN/python" -m tools.docker_proof_queries value "$PROMETHEUS" "$@"; }

must_say() { # WHAT it must say, then a command that must fail
  local what=$1 reported; shift
  if reported=$("$@" 2>&1); then failed "'$*' should have been refused"; fi
  grep -qF -- "$what" <<<"$reported" || failed "'$*' does not say '$what' but: $reported"
  shown "refused with '$what'"
}

finish() {
  [ ! -e "$FOLDER/replay.pid" ] || kill "$(cat "$FOLDER/replay.pid")" 2>/dev/null || true
  make_in stack-down >/dev/null 2>&1 || true
  "$SOURCE/tools/docker_engine.sh" stop "$FOLDER"
}

clean_slate() { # of an earlier proof in this folder
  docker ps -aq -f label=com.docker.compose.project=edgeinfer | xargs -r docker rm -f >/dev/null
  docker volume ls -q -f label=com.docker.compose.project=edgeinfer | xargs -r docker volume rm >/dev/null
}

copy_checkout() { # what git knows, so that nothing of this working folder helps
  rm -rf "$CHECKOUT"; mkdir -p "$CHECKOUT"
  git ls-files -z --cached --others --exclude-standard -- . ':!training' ':!benchmarks' | tar -c --null --ignore-failed-read -T - 2>/dev/null | tar -x -C "$CHECKOUT"
}

check_configurations() {
  local files profiles count=0
  for files in "-f docker-compose.yml" "-f docker-compose.monitoring.yml" "-f docker-compose.yml -f docker-compose.monitoring.yml" \
    "-f docker-compose.fleet.yml" "-f docker-compose.monitoring.yml -f docker-compose.traces.yml" \
    "-f docker-compose.yml -f docker-compose.monitoring.yml -f docker-compose.traces.yml"; do
    for profiles in "" "--profile hailo-stub" "--profile hailo-device" "--profile monitoring" "--profile hailo-stub --profile monitoring" \
      "--profile hailo-device --profile monitoring" "--profile *"; do
      # shellcheck disable=SC2086  # words are options
      (set -f; cd "$CHECKOUT/deploy" && GRAFANA_ADMIN_PASSWORD=x TEMPO_URL=http://tempo:3200 docker compose $files $profiles config -q) || failed "config $files $profiles"
      count=$((count + 1))
    done
  done
  shown "docker compose config -q accepts $count combinations of files and profiles"
  must_say "Give the address of Tempo" bash -c "cd $CHECKOUT/deploy && GRAFANA_ADMIN_PASSWORD=x docker compose -f docker-compose.monitoring.yml \
    -f docker-compose.traces.yml --profile monitoring config -q"
}

substitute() { # IMAGE, lines of a Dockerfile; binaries come from Debian's packages
  printf '%s\n' "${@:2}" | docker build -q --network host -t "$1" -f - "$FOLDER/standins" >/dev/null
}

substitutes() {
  mkdir -p "$FOLDER/standins/debs"
  (cd "$FOLDER/standins/debs" && apt-get download -qq -o APT::Sandbox::User=root prometheus prometheus-alertmanager prometheus-node-exporter && for deb in *.deb; do dpkg -x "$deb" ..; done)
  local base="FROM debian:bookworm-slim" bin=usr/bin
  substitute prom/prometheus:v3.13.2 "$base" "COPY $bin/prometheus $bin/promtool /bin/" \
    "RUN install -d -o nobody -g nogroup /prometheus" "USER nobody" 'ENTRYPOINT ["/bin/prometheus"]'
  substitute prom/alertmanager:v0.34.0 "$base" "COPY $bin/prometheus-alertmanager /bin/alertmanager" "COPY $bin/amtool /bin/" \
    "COPY usr/share/prometheus /usr/share/prometheus" "RUN install -d -o nobody -g nogroup /alertmanager" "USER nobody" 'ENTRYPOINT ["/bin/alertmanager"]'
  substitute prom/node-exporter:v1.12.1 "$base" "COPY $bin/prometheus-node-exporter /bin/node_exporter" "USER nobody" 'ENTRYPOINT ["/bin/node_exporter"]'
  substitute grafana/grafana:13.2.3 "$base" "RUN apt-get update && apt-get install -y busybox && ln -s busybox /bin/wget && mkdir -p /www/api && echo ok > /www/api/health" \
    "USER 472" 'ENTRYPOINT ["busybox", "httpd", "-f", "-p", "3000", "-h", "/www"]'
}

build() { # TAG: as `make image`, but with the host's network, because this engine has no bridge
  nice docker build -q --network host --target service -f "$CHECKOUT/deploy/Dockerfile" -t "$1" "$CHECKOUT" >/dev/null
  shown "image $1 built: $(docker image inspect -f '{{.Size}}' "$1" | awk '{printf "%.0f MB", $1/1e6}') on a base of" \
    "$(docker image inspect -f '{{.Size}}' debian:bookworm-slim | awk '{printf "%.0f MB", $1/1e6}')"
}

bad_input_before() {
  must_say "GRAFANA_ADMIN_PASSWORD" bash -c "cd $CHECKOUT/deploy && docker compose -f docker-compose.monitoring.yml --profile monitoring up -d"
  must_say "/dev/hailo0: there is no such device" make_in hailo-device
  "$BIN/python" -m http.server --bind 127.0.0.1 "$GATEWAY_PORT" >/dev/null 2>&1 & local taker=$!
  sleep 1; must_say "port $GATEWAY_PORT of edge-infer: another process listens there" make_in hailo-stub; kill $taker
  must_say "HAILORT_VERSION is not set" docker build --network host --target device -f "$CHECKOUT/deploy/Dockerfile" "$CHECKOUT"
  wrong_package
  must_say "is version 4.20.0 and the driver is 4.23.0" docker build --network host --target device --build-arg HAILORT_VERSION=4.23.0 \
    -f "$CHECKOUT/deploy/Dockerfile" "$CHECKOUT"
  mkdir -p "$FOLDER/machine/dev" "$FOLDER/machine/sys/module/hailo_pci"
  touch "$FOLDER/machine/dev/hailo0" "$FOLDER/network.hef"; echo 4.23.0 > "$FOLDER/machine/sys/module/hailo_pci/version"
  export SYSTEM_ROOT=$FOLDER/machine
  must_say "HEF_PATH: not set" make_in hailo-device
  HEF_PATH=$FOLDER/network.hef must_say "it is HailoRT 4.20.0 and the driver of this machine is 4.23.0" make_in hailo-device
  rm "$CHECKOUT"/deploy/hailo-packages/*.deb
  HEF_PATH=$FOLDER/network.hef must_say "no HailoRT package lies there" make_in hailo-device
  unset SYSTEM_ROOT
  docker volume create --label com.docker.compose.project=edgeinfer --label com.docker.compose.volume=sessions edgeinfer_sessions >/dev/null
  docker run --rm --network none -u 0 --entrypoint bash -v edgeinfer_sessions:/v edgeinfer:0.1.0 -c 'touch /v/theirs; chown 0:0 /v; chmod 700 /v'
  WAIT_SECONDS=25 must_say "docker volume rm" make_in hailo-stub
  make_in stack-down >/dev/null 2>&1; docker volume rm edgeinfer_sessions >/dev/null
}

wrong_package() {
  mkdir -p "$FOLDER/deb/DEBIAN"
  printf 'Package: hailort\nVersion: 4.20.0\nArchitecture: all\nMaintainer: nobody\nDescription: none\n' > "$FOLDER/deb/DEBIAN/control"
  dpkg-deb --build "$FOLDER/deb" "$CHECKOUT/deploy/hailo-packages/hailort_4.20.0_all.deb" >/dev/null
}

replay_along() {
  "$BIN/edgeinfer" replay --gateway "$GATEWAY" --loop --speed 2 --json > "$FOLDER/replay.json" 2> "$FOLDER/replay.log" &
  echo $! > "$FOLDER/replay.pid"
}

replayed_inside() { # as the guide says: the recordings are in the image
  local command; command=$(grep -m 1 'exec -d edge-infer edgeinfer replay' docs/guides/docker.md)
  (cd "$CHECKOUT" && bash -euo pipefail -c "$command")
  for _ in $(seq 60); do
    [ "$(query 'sum(increase(edgeinfer_samples_received_total[1m])) > bool 0')" != 1 ] || break; sleep 1
  done
  [ "$(query 'sum(increase(edgeinfer_samples_received_total[1m])) > bool 0')" = 1 ] || failed "no replayed sample arrives from inside the container"
  shown "the guide's replay inside the gateway's container reaches Prometheus"
}

replay_ends() {
  local pid; pid=$(cat "$FOLDER/replay.pid"); kill -INT "$pid"; wait "$pid" || true; rm "$FOLDER/replay.pid"
  "$BIN/python" -m tools.docker_proof_queries replay "$FOLDER/replay.json"
}

guide_block() { # NUMBER: a block of commands, as the guide shows them
  awk -v wanted="$1" '/^```bash/ {number++; inside = 1; next} /^```/ {inside = 0} inside && number == wanted' \
    docs/guides/backup-and-restore.md
}

restored() { # from a backup, after everything since has been thrown away
  local moment before; moment=$(date +%s); sleep 6
  before=$(query 'sum(edgeinfer_samples_received_total)' "$moment")
  (cd "$CHECKOUT" && bash -euo pipefail -c "$(guide_block 1)") 2>/dev/null
  (cd "$CHECKOUT" && make monitoring-down && docker volume rm edgeinfer_prometheus-data && bash -euo pipefail -c "$(guide_block 2)") >/dev/null 2>&1
  [ "$(query 'sum(edgeinfer_samples_received_total)' "$moment")" = "$before" ] || failed "the backup does not hold what Prometheus had"
  shown "a backup of $(du -h "$CHECKOUT/prometheus.tgz" | cut -f1) restored into an empty volume still says $before samples"
}

trap finish EXIT
tools/docker_engine.sh start "$FOLDER"
clean_slate
copy_checkout
check_configurations
substitutes
build edgeinfer:0.1.0
bad_input_before
time make_in hailo-stub
make_in monitoring-up | tee "$FOLDER/up.txt"
grep -q "Grafana's password, shown this once" "$FOLDER/up.txt" || failed "no password was shown"
[ "$(stat -c %a "$CHECKOUT/deploy/.env")" = 600 ] || failed ".env can be read by others"
make_in monitoring-up > "$FOLDER/again.txt" 2>&1
grep -q "shown this once" "$FOLDER/again.txt" && failed "the password was shown twice"
shown "the password is generated, kept with mode 600 and shown once"
make_in hailo-cpu
docker ps --format '{{.Names}}  {{.Status}}  {{.Ports}}' | sort
docker ps --format '{{.Ports}}' | grep -E '0\.0\.0\.0|\[?::' && failed "a port is published beyond loopback"
shown "every published port is on 127.0.0.1"
docker exec edgeinfer-edge-infer-1 bash -c 'touch /x 2>/dev/null && exit 1; [ "$(id -u)" = 10001 ]' || failed "the root is writable or the user is root"
shown "read-only root, user 10001"
replayed_inside
replay_along
sleep "${PROOF_SECONDS:-75}"
"$BIN/python" -m tools.docker_proof_queries panels "$PROMETHEUS" src/edgeinfer/monitoring/generated/dashboards
"$BIN/python" -m tools.docker_proof_queries alerts "$CONSOLE"
moment=$(date +%s)
before=$(query 'sum(edgeinfer_samples_received_total)' "$moment")
docker restart edgeinfer-edge-infer-1 edgeinfer-hailo-inference-1 edgeinfer-prometheus-1 >/dev/null
sleep 15
[ "$(query 'sum(edgeinfer_samples_received_total)' "$moment")" = "$before" ] || failed "Prometheus lost what it had"
shown "after a restart Prometheus still says $before samples at the same moment"
build edgeinfer:0.1.1
EDGEINFER_IMAGE=edgeinfer:0.1.1 make_in hailo-cpu
docker inspect -f '{{.Config.Image}}' edgeinfer-edge-infer-1 | grep -qx edgeinfer:0.1.1 || failed "the upgrade did not take"
sleep 5
make_in hailo-cpu
docker inspect -f '{{.Config.Image}}' edgeinfer-edge-infer-1 | grep -qx edgeinfer:0.1.0 || failed "the rollback did not take"
sleep 5
restored
replay_ends
docker stats --no-stream --format '{{.Name}} {{.MemUsage}} {{.CPUPerc}}'
echo "All of it was shown."
