# cancel.sh: the end of a job that waits, that runs, that nobody runs.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

spool_init
# Kills the pool and its worker.
kill_pool() {
	for k in $(q worker list | awk 'NR > 1 { print $3 }') "$pool"; do
		kill -9 "$k" 2>/dev/null
	done
	wait "$pool" 2>/dev/null
}
# dead_by_cancel ID: it is, and says so.
dead_by_cancel() {
	is "$(where "$1")" dead "$1"
	like "$(tail -n 1 "$S/ids/$1")" " cancelled log=[0-9]*( user=.*)? worker=[0-9]*$"
	run q show "$1" --json
	jis error '"cancelled"'
	jis attempts "${2:-0}"
}

t "one that waits"
q enqueue --id queued -- sh -c ': >RAN' >/dev/null
q enqueue --id later --delay 3600 -- sh -c ': >RAN' >/dev/null
run q cancel queued later
status 0
out_is "queued${nl}later"
err_is ""
dead_by_cancel queued
dead_by_cancel later
drain
no test -e RAN
is "$(count workers)" 0

t "one that waits for its retry"
q enqueue --id retry --max-retries 3 --backoff-base 3600 -- \
    sh -c 'echo ran; exit 3' >/dev/null
pool
await 10 in_state failed retry
stop_pool
run q cancel retry
status 0
dead_by_cancel retry 1
is "$(outcomes retry)" "exit=3 cancelled"
run q logs --attempt 1 retry
out_is ran
run q logs --attempt 2 retry
out_is ""

t "one that has ended is an error that says so"
q enqueue --id fine -- true >/dev/null
drain
run q cancel fine
status 1
out_is ""
err_has "fine: has ended already: it is completed"
run q cancel queued
status 1
err_has "queued: has ended already: it is dead"
run q cancel nosuch
status 1
err_has "nosuch: no such job"

t "several: the others are cancelled all the same"
for i in m1 m2 m3; do q enqueue --id $i -- true; done >/dev/null
run q cancel m1 fine m2 nosuch m3
status 1
out_is "m1${nl}m2${nl}m3"
err_has "fine: has ended already"
err_has "nosuch: no such job"
run q cancel
status 2
run q cancel --all
status 2

t "a prefix, where it is unambiguous"
q enqueue --id prefix1 -- true >/dev/null
run q cancel prefix
status 0
out_is prefix1
q enqueue --id prefix2 -- true >/dev/null
run q cancel prefix
status 1
err_has "more than one"
q cancel prefix2 >/dev/null

t "one that runs: its group is ended, and the worker goes on"
q enqueue --id running -- sh -c 'sleep 300 & echo $! >child; wait' >/dev/null
q enqueue --id next -- true >/dev/null
pool
await 10 test -s child
run q cancel running
status 0
out_is running
dead_by_cancel running
no kill -0 "$(cat child)"
await 10 in_state 'done' next
ok said "Job cancelled: running"
is "$(outcomes running)" cancelled
is "$(count workers)" 1 "files in workers/"
stop_pool

t "one that will not end: SIGKILL after kill-grace"
q config set kill-grace 0.3
q enqueue --id deaf -- sh -c 'trap "" TERM; echo here >deaf
    while :; do sleep 1; done' >/dev/null
pool
await 10 test -s deaf
run q cancel deaf
status 0
dead_by_cancel deaf
stop_pool
q config unset kill-grace

t "of several workers only the one that runs it"
q enqueue --id one -- sleep 300 >/dev/null
q enqueue --id two -- sh -c 'while [ ! -e go ]; do sleep 0.1; done' >/dev/null
q enqueue --id three -- sleep 300 >/dev/null
pool --count 3
await 10 has processing 3
run q cancel three one
status 0
dead_by_cancel one
dead_by_cancel three
is "$(where two)" processing
: >go
await 10 in_state 'done' two
is "$(outcomes two)" exit=0
stop_pool

t "its worker is dead: the next one cancels it, or cancel itself"
if portable; then
	skip "without PR_SET_PDEATHSIG the job lives on"
else
	q enqueue --id orphan -- sleep 300 >/dev/null
	pool
	await 10 in_state processing orphan
	kill_pool
	run q cancel orphan
	status 0
	dead_by_cancel orphan
	is "$(count processing)" 0
	is "$(entries workers | grep -c cancel)" 0
fi

t "a process of it lives on, its worker does not: when that has ended"
q enqueue --id held -- sh -c '(trap "" HUP TERM
    while [ ! -e letgo ]; do sleep 0.1; done) & echo up >up; wait' >/dev/null
pool
await 10 test -s up
kill_pool
run q cancel held
status 1
err_has "held: its worker died, and a process of it still runs"
is "$(where held)" processing
: >letgo
drain
dead_by_cancel held

t "a request that was left behind harms no later run"
q enqueue --id again -- true >/dev/null
: >"$S/workers/5-20260101T000000.000000Z-1-again.cancel"
run q fsck
status 1
out_has "the run that it asks to end is over; would remove it"
run q fsck --repair
out_has "the run that it asks to end is over; repaired: remove it"
run q fsck
out_lacks ".cancel"
: >"$S/workers/5-20260101T000000.000000Z-1-again.cancel"
drain
is "$(outcomes again)" exit=0
: >"$S/workers/5-20260101T000000.000000Z-1-again.cancel"
drain
no test -e "$S/workers/5-20260101T000000.000000Z-1-again.cancel"

t "back from the dead letter queue"
run q dlq retry queued
status 0
drain
ok test -e RAN
is "$(where queued)" 'done'
is "$(outcomes queued)" "cancelled exit=0"

t "a text that is no job is buried, and that is said"
echo garbage >"$S/pending/5-20200101T000000.000000Z-0-junk"
touch -t 202001010000 "$S/pending/5-20200101T000000.000000Z-0-junk"
run q cancel junk
status 1
err_has "junk: not cancelled, but moved to the dead letter queue"
is "$(where junk)" dead

t "eight cancels of one job at once: it ends once"
for r in 1 2 3 4 5; do
	q enqueue --id race$r -- sleep 300 >/dev/null
done
pool --count 2
await 10 has processing 2
for r in 1 2 3 4 5 6 7 8; do
	q cancel race1 race2 race3 race4 race5 >race.$r 2>>race.err &
	races="${races-} $!"
done
# shellcheck disable=SC2086
wait $races
for r in 1 2 3 4 5; do
	dead_by_cancel race$r
	is "$(grep -c cancelled "$S/ids/race$r")" 1
	ok grep -qx race$r race.1 race.2 race.3 race.4 race.5 race.6 race.7 race.8
done
is "$(count processing)" 0
stop_pool

t "many at once: waiting, running, ended, unknown, twice"
pool --count 1
q enqueue --id busy1 --priority 0 -- sleep 300 >/dev/null
await 10 in_state processing busy1
q pause # or the worker goes on to the next when busy1 has ended
awk 'BEGIN { for (i = 1; i <= 1200; i++)
    printf "{\"id\":\"many%d\",\"command\":\"touch ranmany\"}\n", i }' |
    q enqueue - >ids
# shellcheck disable=SC2046
run sh -c 'ulimit -n 50 && exec "$QUEUECTL" cancel "$@"' - nosuch many7 race1 \
    busy1 $(cat ids)
status 1
err_has "nosuch: no such job"
err_has "race1: has ended already: it is dead"
err_has "many7: has ended already: it is dead"
is "$(printf '%s\n' "$err" | grep -c .)" 3
{ echo busy1; cat ids; } | sort >want
sort "$T/c/out" >came
same came want
dead_by_cancel busy1
dead_by_cancel many7
dead_by_cancel many1200
is "$(cat "$S"/ids/many* | grep -c '^Attempt: .* cancelled ')" 1200
is "$(count pending)" 0
is "$(count processing)" 0
no ls ranmany
stop_pool
q resume

t "a job is cancelled while its pool is told to stop"
pool
q enqueue --id stopping -- sleep 60 >/dev/null
await 10 in_state processing stopping
q worker stop 2>/dev/null &
stop=$!
await 10 said "stopping when the current jobs have ended"
run q cancel stopping
like "$(outcomes stopping)" '^cancelled'
wait "$stop"
wait "$pool"

finish
