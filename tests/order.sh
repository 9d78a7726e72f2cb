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
q enqueue '{"id":"late","command":"echo $QUEUECTL_ID >>ran","delay":0.6,"priority":0}' >/dev/null
q enqueue '{"id":"soon","command":"echo $QUEUECTL_ID >>ran","delay":0.2,"priority":9}' >/dev/null
q enqueue '{"id":"nowj","command":"echo $QUEUECTL_ID >>ran"}' >/dev/null
drain
is "$(order)" "nowj soon late "
created=$(sed -n 's/^Created: //p' "$S/ids/late")
within "$(minus "$(field start "$(attempt late 1)")" "$created")" 0.6 0.85 "seconds"

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
q enqueue --id wake1 --delay 0.3 -- true >/dev/null
q enqueue --id wake2 -- true >/dev/null
await 10 in_state 'done' wake1 wake2
for i in 1 2; do
	begin=$(sed -n 's/^Created: //p' "$S/ids/wake$i")
	[ $i = 2 ] || begin=$(sed -n 's/^Run-At: //p' "$S/ids/wake$i")
	within "$(minus "$(field start "$(attempt wake$i 1)")" "$begin")" 0 "${QT_PORTABLE:-0.3}" \
	    "seconds until wake$i ran"
done
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
