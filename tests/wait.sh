# wait.sh: wait, and enqueue --wait.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

spool_init
q enqueue --id good -- true >/dev/null
q enqueue --id bad --max-retries 1 -- sh -c 'exit 7' >/dev/null
q enqueue --id shot --max-retries 1 -- sh -c 'kill -9 $$' >/dev/null
q enqueue --id late --max-retries 1 --timeout 0.1 -- sleep 300 >/dev/null
q enqueue --id none --max-retries 1 -- /no/such/program >/dev/null
q enqueue --id gone -- true >/dev/null
q cancel gone >/dev/null
drain

t "one job: its exit status"
run q wait good
status 0
out_is ""
err_is ""
run q wait bad
status 7
out_is ""
err_is "queuectl: bad: exit 7"
run q wait shot
status 137
err_is "queuectl: shot: killed by signal 9"
for i in late none gone; do
	run q wait $i
	status 1
	err_has "queuectl: $i: "
done

t "several: 0 if all have succeeded, else 1"
q enqueue --id good2 -- true >/dev/null
drain
run q wait good good2
status 0
err_is ""
run q wait good bad good2 shot good
status 1
err_is "queuectl: 2 of 4 jobs did not succeed"

t "all: none is left"
run q wait --all
status 0
out_is ""
err_is ""

t "mistakes"
run q wait
status 2
run q wait --all good
status 2
run q wait nosuch good
status 1
err_has "nosuch: no such job"
for v in x -1 1e3 '' 1S 1ms 24856d; do
	run q wait --timeout "$v" good
	status 2
done
run q wait --timeout
status 2

t "it waits for the end, over the retries"
q enqueue --id again --max-retries 60 --backoff-base 1 -- sh -c \
    'echo $QUEUECTL_ATTEMPT >>tries; [ -e go ]' >/dev/null
pool --count 2
await 10 test -s tries
q wait again >again.out 2>again.err &
waiter=$!
until_ok 0 false
ok kill -0 $waiter
: >go
await 10 ended $waiter
wait $waiter
is $? 0
is "$(cat again.out again.err)" ""
is "$(where again)" 'done'

t "no worker: it says so, and waits"
stop_pool
q enqueue --id lonely -- true >/dev/null
run q wait --timeout 0.2s lonely
status 124
out_is ""
err_has "no worker is running"
err_has "1 of 1 job had not ended in time"
run q wait --timeout 0 lonely good
status 124
err_is "queuectl: 1 of 2 jobs had not ended in time"
q wait lonely 2>/dev/null &
waiter=$!
pool
await 10 ended $waiter
wait $waiter
is $? 0

t "a prefix"
run q wait lon
status 0
run q wait goo
status 1
err_has "more than one"

t "those that are there count, not those that come"
q enqueue --id first -- sh -c 'until [ -e let1 ]; do sleep 0.05; done' >/dev/null
q enqueue --id held --delay 0.3 -- true >/dev/null
q wait --all 2>all.err &
waiter=$!
await 10 in_state processing first
until_ok 1 test -s all.err
q enqueue --id other -- sh -c 'until [ -e let2 ]; do sleep 0.05; done' >/dev/null
: >let1
await 10 ended $waiter
wait $waiter
is $? 0
is "$(where first) $(where held)" "done done"
is "$(where other)" processing
: >let2
await 10 in_state 'done' other

t "removed by hand or cancelled: no success"
q enqueue --id rm1 --delay 3600 -- true >/dev/null
q enqueue --id rm2 --delay 3600 -- true >/dev/null
for i in rm1 rm2; do
	q wait --timeout 30 $i >$i.out 2>$i.err &
	echo $! >$i.pid
done
until_ok 0 false
rm "$S"/pending/*-rm1
q cancel rm2 >/dev/null
for i in rm1 rm2; do
	await 10 ended "$(cat $i.pid)"
	wait "$(cat $i.pid)"
	is $? 1
done
is "$(cat rm1.err)" "queuectl: rm1: it was removed before it had ended"
is "$(cat rm2.err)" "queuectl: rm2: cancelled"

t "it sleeps until there are news"
switches() { sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' "/proc/$1/status"; }
asleep() { grep -q '^State:.S' "/proc/$1/status"; }
if portable || [ ! -r /proc/self/status ]; then
	skip "inotify or /proc is not there"
else
	q enqueue --id long --delay 3600 -- true >/dev/null
	q wait long &
	waiter=$!
	await 10 asleep $waiter
	until_ok 0 false
	n=$(switches $waiter)
	until_ok 1 false
	within $(($(switches $waiter) - n)) 0 1 "wake-ups in a second"
	q cancel long >/dev/null
	await 10 ended $waiter
	wait $waiter
	is $? 1
fi

t "many, while they end"
awk 'BEGIN { for (i = 0; i < 300; i++)
	printf "{\"id\":\"n%d\",\"argv\":[\"%s\"],\"max_retries\":1}\n", i,
	    i % 100 ? "true" : "false" }' >in
run sh -c '"$QUEUECTL" enqueue --wait - <in'
status 1
is "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 300
err_is "queuectl: 3 of 300 jobs did not succeed"
is "$({ entries pending; entries processing; } | grep -c -e -n)" 0

t "enqueue --wait"
run q enqueue --wait --id w1 -- true
status 0
out_is w1
run q enqueue --id w2 --max-retries 1 --wait -- sh -c 'exit 9'
status 9
out_is w2
err_is "queuectl: w2: exit 9"
run q enqueue --wait '{"id":"w3","command":"exit 3","max_retries":1}'
status 3
run q enqueue --wait '[{"id":"w4","command":"exit 3","max_retries":1},
    {"id":"w5","command":"true"}]'
status 1
out_is "w4${nl}w5"
run q enqueue --wait '[]'
status 0
feed '{"id":"w6","command":"true"}
nonsense
' q enqueue --wait -
status 1
out_is w6
is "$(where w6)" 'done'
run q enqueue --wait '{"comand":"true"}'
status 2
run q enqueue --wait=yes -- true
status 2
run q enqueue --wait --id w7 '{"command":"true"}'
status 2

t "a bar on a terminal, none in a pipe"
if command -v script >/dev/null 2>&1 &&
    script -qc true /dev/null >/dev/null 2>&1 </dev/null; then
	q enqueue --id bar1 -- sh -c 'until [ -e let3 ]; do sleep 0.05; done' >/dev/null
	q enqueue --id bar2 --max-retries 1 -- false >/dev/null
	script -qc '"$QUEUECTL" wait bar1 bar2 >/dev/null' /dev/null >seen </dev/null &
	bar=$!
	await 5 grep -q '\[[#-]*-\] [01]/2' seen
	: >let3
	wait "$bar"
	ok grep -q '\[#*-*\] 2/2, 1 failed' seen
	is "$(q wait bar1 bar2 2>&1)" "queuectl: 1 of 2 jobs did not succeed"
else
	skip "no script(1) that makes a terminal"
fi
stop_pool

finish
