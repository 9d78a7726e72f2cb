# order.sh: which job is next.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

spool_init

# order: what has run, in one line.
order() { tr '\n' ' ' <ran 2>/dev/null; }
# jobs_of ID:PRIORITY...: lines of jobs that note their id.
jobs_of() {
	for j; do
		printf '{"id":"%s","priority":%s,"command":"echo $QUEUECTL_ID >>ran"}\n' \
		    "${j%:*}" "${j#*:}"
	done
}

t "by priority, then first in first out"
feed "$(jobs_of n9:9 n5:5 n0:0 m5:5 m0:0 m9:9 k1:1)" q enqueue -
status 0
is "$(entries pending | sed 's/.*-//' | tr '\n' ' ')" "n0 m0 k1 n5 m5 n9 m9 "
drain
is "$(order)" "n0 m0 k1 n5 m5 n9 m9 "

t "a batch keeps its order"
rm -f ran
awk 'BEGIN { for (i = 0; i < 300; i++)
	printf "{\"command\":\"echo $QUEUECTL_ID >>ran\"}\n" }' >in
q enqueue - <in >want
drain
same ran want

t "a delayed job waits"
rm -f ran
pool
await 10 has workers 1
q enqueue '[{"id":"late","command":"echo $QUEUECTL_ID >>ran","delay":1.4,"priority":0},
    {"id":"soon","command":"echo $QUEUECTL_ID >>ran","delay":0.2,"priority":9},
    {"id":"nowj","command":"echo $QUEUECTL_ID >>ran"}]' >/dev/null
await 10 in_state 'done' late soon nowj
stop_pool
is "$(order)" "nowj soon late "
created=$(sed -n 's/^Created: //p' "$S/ids/late")
within "$(minus "$(field start "$(attempt late 1)")" "$created")" 1.4 10 "seconds"

t "a job in the past is due at once"
rm -f ran
q enqueue '{"id":"past","command":"echo $QUEUECTL_ID >>ran","run_at":"2020-01-01T00:00:00Z"}' >/dev/null
drain
is "$(order)" "past "

t "due jobs take their place by priority and stamp"
rm -f ran
feed "$(jobs_of b5:5 b2:2)" q enqueue -
q enqueue '{"id":"due5","command":"echo $QUEUECTL_ID >>ran","run_at":"2020-01-01T00:00:00Z"}' >/dev/null
q enqueue '{"id":"due1","command":"echo $QUEUECTL_ID >>ran","run_at":"2020-01-01T00:00:00Z","priority":1}' >/dev/null
q enqueue '{"id":"due9","command":"echo $QUEUECTL_ID >>ran","run_at":"2020-01-01T00:00:00Z","priority":9}' >/dev/null
drain
is "$(order)" "due1 b2 due5 b5 due9 "

t "an idle worker wakes up"
rm -f ran
pool
await 10 has workers 1
# waits ID FROM: seconds from that header's time until it was started.
waits() {
	await 10 in_state 'done' "$1"
	minus "$(field start "$(attempt "$1" 1)")" \
	    "$(sed -n "s/^$2: //p" "$S/ids/$1")"
}
# shellcheck disable=SC2329 # exact runs them
delayed() {
	q enqueue --id "delayed$1" --delay 0.4 -- true >/dev/null
	waits "delayed$1" Run-At
}
# shellcheck disable=SC2329
at_once() {
	q enqueue --id "atonce$1" -- true >/dev/null
	waits "atonce$1" Created
}
exact 0 0.05 delayed
portable || exact 0 0.05 at_once
portable && exact 0 0.35 at_once
stop_pool

t "an urgent job passes a backlog"
rm -f ran
q enqueue '{"id":"gate","command":"until [ -e go ]; do sleep 0.03; done","priority":1}' >/dev/null
awk 'BEGIN { for (i = 0; i < 6000; i++) print "{\"command\":\"echo x >>ran\"}" }' >in
q enqueue - <in >/dev/null
is "$(count pending)" 6001
pool
await 10 said "Processing job gate"
q enqueue --id urgent --priority 0 -- sh -c 'echo urgent >>ran; exec sleep 1000' >/dev/null
: >go
await 10 grep -q urgent ran
if portable; then
	# seen by the next look at the directory, which comes soon
	ok sh -c "sed 500q ran | grep -q urgent"
else
	is "$(sed -n 1p ran)" urgent
fi
stop_pool

t "the rest is still there"
rm -f "$S/pending/$(name pending urgent)"
run q status --json
is "$(json pending)" "$(count pending)"
is "$(count processing)" 0

finish
