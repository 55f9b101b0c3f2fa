#!/usr/bin/env bash
# A session by curl or wget. Prints a line for each step: its name, the status, and the error of the answer.
# Words: curl or wget, gateway, sidecar, folder of the bodies, then options for the program.
set -u
readonly PROGRAM=$1 API=$2/api/v1/analysis SIDECAR=$3 BODIES=$4
shift 4
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

by_curl() { # method, address, file of the body
  local body=()
  [ -z "${3:-}" ] || body=(-H "Content-Type: application/json" --data-binary "@$3")
  curl -s -o "$scratch/answer" -w '%{http_code}' "${options[@]}" -X "$1" "${body[@]}" "$2"
}

by_wget() { # the same; a status other than 200 is a failure for it, and is printed with the headers
  local body=()
  [ -z "${3:-}" ] || body=(--header "Content-Type: application/json" --body-file "$3")
  wget -q --server-response --content-on-error --tries 1 "${options[@]}" --method "$1" "${body[@]}" \
    -O "$scratch/answer" "$2" 2>"$scratch/said"
  sed -n 's|^ *HTTP/[0-9.]* \([0-9]*\).*|\1|p' "$scratch/said" | tail -1
}

find() { # the value of a key in the last answer
  sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$scratch/answer"
}

step() { # name, method, address, file of the body
  local status
  : >"$scratch/answer"
  status=$("by_$PROGRAM" "${@:2}")
  echo "$1 ${status:-none} $(find error)"
}

options=("$@")
step start POST "$API/start"
session=$(find sessionId)
sed "s/SESSION/$session/" "$BODIES/stream.json" >"$scratch/stream.json"
echo "{\"sessionId\": \"$session\"}" >"$scratch/stop.json"
step stream PUT "$API/stream" "$scratch/stream.json"
step motifs GET "$API/motifs?sessionId=$session"
step process POST "$API/process" "$BODIES/process.json"
step infer POST "$SIDECAR/infer" "$BODIES/infer.json"
step bad POST "$API/process" "$BODIES/bad.json"
step huge POST "$API/process" "$BODIES/huge.json"
step stop POST "$API/stop" "$scratch/stop.json"
