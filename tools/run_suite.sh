#!/usr/bin/env bash
# The whole suite in three lanes at once: whole stacks mostly wait, for alerts and for processes, so the longest
# modules of them have a lane of their own, and everything else runs meanwhile.
# It steps back a little (nice), because whole stacks watch the clock.
set -um  # job control, or what starts in the background never hears Ctrl-C, nor do the programs that it tests
readonly PYTEST=$1 PYTHON=$2
readonly LONGEST=(tests/end_to_end/test_chaos.py tests/end_to_end/test_every_panel.py)
lanes=()
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
# Each lane is a process group of its own; pytest ends its stacks when it gets a signal.
end_lanes() { for lane in "${lanes[@]}"; do kill -TERM -- "-$lane" 2>/dev/null; done; wait; exit 130; }
trap end_lanes INT TERM

# The chaos matrix comes before the panels: it is the longest of all.
"$PYTEST" -q -p no:randomly --durations=10 "${LONGEST[@]}" </dev/null >"$reports/longest" 2>&1 &
lanes+=($!)
"$PYTEST" -q -m end_to_end --durations=10 "${LONGEST[@]/#/--ignore=}" </dev/null >"$reports/stacks" 2>&1 &
lanes+=($!)
(
  failed=0
  nice -n 3 "$PYTEST" -q --numprocesses=2 --dist=loadfile -m "not end_to_end" --durations=10 || failed=$?
  nice -n 3 "$PYTHON" -m tools.versions --release testing --quick || failed=$?
  exit "$failed"
) </dev/null &
lanes+=($!)
failed=0
wait "${lanes[2]}" || failed=$?

# What a lane has said and says from now on, until it ends.
show() {
  echo "--- $1, tested meanwhile"
  tail --pid="$2" --lines=+1 --follow "$3" &
  lanes+=($!)
  wait "$2" || failed=$?
  wait "${lanes[-1]}"
}
show "whole stacks" "${lanes[1]}" "$reports/stacks"
show "chaos and every panel" "${lanes[0]}" "$reports/longest"
exit "$failed"
