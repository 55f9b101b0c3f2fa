#!/usr/bin/env bash
# The whole suite in two lanes at once: whole stacks mostly wait for alerts, so everything else runs meanwhile.
# It steps back a little (nice), because whole stacks watch the clock.
set -um  # job control, or what starts in the background never hears Ctrl-C, nor do the programs that it tests
readonly PYTEST=$1
lanes=()
report=$(mktemp)
trap 'rm -f "$report"' EXIT
# Each lane is a process group of its own; pytest ends its stacks when it gets a signal.
end_lanes() { for lane in "${lanes[@]}"; do kill -TERM -- "-$lane" 2>/dev/null; done; wait; exit 130; }
trap end_lanes INT TERM

"$PYTEST" -q -m end_to_end --durations=10 </dev/null >"$report" 2>&1 &
lanes+=($!)
nice -n 3 "$PYTEST" -q --numprocesses=2 --dist=loadfile -m "not end_to_end" --durations=10 </dev/null &
lanes+=($!)
failed=0
wait "${lanes[1]}" || failed=$?
echo "--- whole stacks, tested meanwhile"
tail --pid="${lanes[0]}" --lines=+1 --follow "$report" &
lanes+=($!)
wait "${lanes[0]}" || failed=$?
wait "${lanes[2]}"
exit "$failed"
