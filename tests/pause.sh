# pause.sh: pause and resume.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

spool_init
t "the current job ends, no other begins"
q enqueue --id one -- sh -c ': >in; until [ -e go ]; do sleep 0.05; done' >/dev/null
q enqueue --id two -- true >/dev/null
pool --count 1
await 10 test -e in
run q pause
status 0
out_is ""
err_is ""
: >go
await 10 in_state 'done' one
await 5 said "Paused: no job begins"
is "$(where two)" pending

t "status says so"
run q status
status 0
out_has "paused      yes; queuectl resume goes on"
run q status --json
jis paused true
run q config get paused
out_is yes
run q pause
status 0

t "what comes waits, and so does what is due"
q enqueue --id three --priority 0 -- true >/dev/null
q enqueue --id due --delay 0.1 -- true >/dev/null
mkdir aside
jobfile hand true >aside/f
mv aside/f "$S/pending/5-20200101T000000.000000Z-0-hand"
run q wait --timeout 1 three due hand
status 124
err_has "the queue is paused"
has pending 4 || fail "four pending" "$(count pending)"

t "asleep all the while"
switches() { sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' "/proc/$1/status"; }
if portable || [ ! -r /proc/self/status ]; then
	skip "inotify or /proc is not there"
else
	p=$(q worker list | awk 'NR == 2 { print $3 }')
	n=$(switches "$p")
	until_ok 1 false
	within $(($(switches "$p") - n)) 0 1 "wake-ups in a second"
fi

t "it survives a restart"
q worker stop 2>/dev/null
wait "$pool"
pool --count 2
await 10 said "paused: no job begins before queuectl resume"
run q wait --timeout 0.5 two
status 124
is "$(count pending)" 4

t "--drain waits for the end of it"
q worker stop 2>/dev/null
wait "$pool"
pool --drain
run q wait --timeout 0.5 two
status 124
ok kill -0 "$pool"

t "resume: they go on at once"
run q resume
status 0
out_is ""
err_is ""
pool_ends
for i in two three due hand; do is "$(where $i)" 'done' $i; done
run q status
out_lacks paused
run q status --json
jis paused false
run q config get paused
out_is no
run q resume
status 0

t "an idle worker wakes for it"
q pause
pool
q enqueue --id four -- true >/dev/null
run q wait --timeout 0.3 four
status 124
q resume
run q wait --timeout 30 four
status 0
ok said "Resumed"

t "the file may be edited in its place"
echo 'paused = yes' >>"$S/config"
q enqueue --id five -- true >/dev/null
run q wait --timeout 0.3 five
status 124
sed '/paused/d' "$S/config" >new
cat new >"$S/config"
run q wait --timeout 30 five
status 0
stop_pool

t "cancel and stop work meanwhile"
q pause
q enqueue --id six -- true >/dev/null
pool
await 10 sh -c "'$QUEUECTL' worker list | grep -q ' $pool\|-$pool'"
run q cancel six
status 0
is "$(where six)" dead
run q worker stop
status 0
wait "$pool"
is $? 0

t "mistakes"
run q pause now
status 2
run q resume --all
status 2
run q --spool "$T/w/none" pause
status 1
run q --spool "$T/w/none" resume
status 1
no test -e none
for v in true 1 '' YES; do
	run q config set paused "$v"
	status 2
	err_has "paused must be yes or no"
done

finish
