# died.sh: worker start --drain --check, whose status says whether a job died.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

# job ID ARG...
job() {
	i=$1
	shift
	q enqueue --id "$i" --max-retries 1 "$@" >/dev/null
}
# checks STATUS [ARG...]: that of a pool that drains the queue.
checks() {
	want=$1
	shift
	run q worker start --drain --check "$@"
	status "$want"
	out_is ""
	err_like '\] stopped'
}
# said_dead N: the last pool told of so many.
said_dead() { err_like "^\[queuectl\] $1 died; see queuectl dlq list\$"; }
# died_unsaid: it did not.
died_unsaid() {
	case $err in
	*'died; see'*) fail "no word about dead jobs" "$(qt_said)" ;;
	*) pass ;;
	esac
}

t "it goes with --drain, and not with --daemon"
run q worker start --check
status 2
err_has "--check goes with --drain"
run q worker start --drain --check --daemon
status 2
err_has "--check and --daemon do not go together"
no test -e "$S"

spool_init

t "nothing to do; all is well; a failure that a retry mends"
checks 0
job a -- true
q enqueue --id b --max-retries 2 -- sh -c 'test $QUEUECTL_ATTEMPT = 2' >/dev/null
checks 0
is "$(outcomes b)" "exit=1 exit=0"
died_unsaid

t "one that died: the others run all the same"
job c -- sh -c 'exit 3'
job d -- true
checks 1
ok in_state dead c
ok in_state 'done' d
said_dead "1 job"

t "without --check the status says nothing"
job e -- false
run q worker start --drain
status 0
died_unsaid

t "what was dead before does not count"
job f -- true
checks 0 --count 2

t "three workers; out of attempts, dead at once, not started, timed out"
for k in 1 2 3 4 5 6; do
	job "g$k" -- true
done
q enqueue --id h1 --max-retries 2 -- false >/dev/null
q enqueue --id h2 --dead-exit 7 -- sh -c 'exit 7' >/dev/null
job h3 -- ./no-such-program
job h4 --timeout 0.1 -- sleep 300
checks 1 -c 3
ok in_state dead h1 h2 h3 h4
said_dead "4 jobs"

t "a job that was retried by hand after it had died counts"
job i -- sh -c 'test -e mended'
job j --priority 9 -- sh -c ': >mended; "$QUEUECTL" dlq retry i'
checks 1
ok in_state 'done' i j
is "$(outcomes i)" "exit=1 exit=0"
said_dead "1 job"

t "cancelled while it ran, or before"
job k1 -- sh -c 'until [ -e k.go ]; do sleep 0.02; done'
job k2 -- true
q cancel k2 >/dev/null
q worker start --drain --check 2>>"$T/worker.err" &
pool=$!
await 10 in_state processing k1
q cancel k1 >/dev/null
await 10 ended "$pool"
wait "$pool"
is $? 1 "status of the pool"
job k3 -- true
q cancel k3 >/dev/null
checks 0

t "a file that is not a job"
(umask 077 && echo nonsense >new)
touch -t 202001010000 new
mv new "$S/pending/5-20260101T000000.000000Z-0-bad"
checks 1
ok in_state dead bad
said_dead "1 job"

t "a job that was lost with its worker too often"
q config set max-crashes 1
job l -- sh -c 'echo $PPID >l.worker; echo $$ >l.pid; exec sleep 1000'
q worker start --drain --check --count 2 2>>"$T/worker.err" &
pool=$!
await 10 test -s l.pid
kill -9 "$(cat l.worker)"
portable && kill -9 "$(cat l.pid)"
await 20 ended "$pool"
wait "$pool"
is $? 1 "status of the pool"
is "$(outcomes l)" lost
ok in_state dead l

t "a pool that another one has left to recover"
job m -- sh -c 'echo $PPID >m.worker; echo $$ >m.pid; exec sleep 1000'
pool
await 10 test -s m.pid
kill -9 "$pool" "$(cat m.worker)"
portable && kill -9 "$(cat m.pid)"
wait "$pool" 2>/dev/null
await 5 ended "$(cat m.pid)"
checks 1
is "$(outcomes m)" lost
said_dead "1 job"
q config unset max-crashes

t "one that is stopped before the queue is drained"
job n -- sh -c ': >n.runs; until [ -e n.go ]; do sleep 0.02; done'
job o --priority 9 -- false
q worker start --drain --check 2>>"$T/worker.err" &
pool=$!
await 10 test -e n.runs
q worker stop >/dev/null 2>&1 &
stop=$!
await 10 said "stopping when the current jobs have ended"
: >n.go
await 10 ended "$pool"
wait "$pool"
is $? 0 "status of the pool"
wait "$stop"
is "$(where o)" pending

finish
