# worker.sh: pools, how they stop, and what is left when they are killed.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

# until_job FILE: a command that says who runs it and runs until FILE exists.
until_job() {
	printf 'echo $PPID >%s.pid; until [ -e %s ]; do sleep 0.03; done' "$1" "$1"
}
# gated ID [OPTION...]: such a job, with its id as the file; and wait for it.
gated() {
	i=$1
	shift
	q enqueue --id "$i" "$@" -- sh -c "$(until_job "$i")" >/dev/null
	await 10 test -s "$i.pid"
}
# workers N: so many, for await.
workers() {
	run q status --json
	[ "$(json workers)" = "$1" ]
}

spool_init
q config set kill-grace 1 >/dev/null

t "a drain of nothing ends"
drain 2

t "workers run at the same time"
for i in 1 2 3; do
	q enqueue --id "par$i" -- sh -c ": >par$i.on
until [ -e par1.on ] && [ -e par2.on ] && [ -e par3.on ]; do sleep 0.03; done" >/dev/null
done
drain 3
ok in_state 'done' par1 par2 par3

t "worker list, status"
run q worker list
status 0
pool --count 2
gated l1
gated l2
await 5 workers 2
run q worker list
status 0
for i in l1 l2; do
	out_like "(^|[^0-9])$(cat $i.pid)([^0-9]|\$).*$i"
done
await 5 has workers 1
ls "$S/workers" >pools
: >l1
await 10 in_state 'done' l1

t "worker stop finishes the current job and returns when all have ended"
q enqueue --id notyet -- true >/dev/null
await 10 in_state 'done' notyet
q worker stop >stop.out 2>stop.err &
p=$!
# the idle worker has ended
await 10 sh -c "[ \$('$QUEUECTL' worker list | wc -l) -eq 2 ]"
q enqueue --id left -- true >/dev/null
no ended $p
no ended "$pool"
is "$(where l2)" processing
: >l2
await 10 ended $p
wait $p
is $? 0
await 2 ended "$pool"
pool_ends
is "$(outcomes l2)" exit=0
is "$(where left)" pending
is "$(cat stop.out)" ""
is "$(entries workers | tr '\n' ' ')" "" "left in workers/"
run q worker list
status 0
drain

t "worker stop, when there is none"
run q worker stop
status 0
run q worker stop --now
status 0
q enqueue --id later -- true >/dev/null
drain
is "$(where later)" 'done'

t "worker stop --now requeues, no attempt used up"
q enqueue --id req1 --max-retries 1 -- sh -c 'echo $$ >req1.job; sleep 1000 & sleep 1000' >/dev/null
stamp=$(name_stamp "$(name pending req1)")
pool --count 2
await 10 test -s req1.job
run q worker stop --now
status 0
await 2 ended "$pool"
pool_ends
is "$(name pending req1)" "5-$stamp-0-req1"
is "$(outcomes req1)" requeued
await 5 none_marked
run q show --json req1
jis state '"pending"'
jis attempts 0
rm "$S/pending/"*-req1 "$S/ids/req1"

t "worker stop --now gives kill-grace"
q enqueue --id req2 -- sh -c 'trap "echo term; sleep 0.2; echo bye; exit 0" TERM
echo on; while :; do sleep 0.03; done' >/dev/null
mkfifo never
q enqueue --id req3 -- sh -c 'trap "" TERM; echo on; read x <never' >/dev/null
pool --count 2
await 10 grep -q on "$S/log/req2.log"
await 10 grep -q on "$S/log/req3.log"
run q worker stop --now
status 0
pool_ends
run q logs req2
out_like '^term$'
out_like '^bye$'
ok in_state pending req2 req3
is "$(outcomes req3)" requeued
within "$(took "$(attempt req3 1)")" 1 20 "seconds"
await 5 none_marked
rm "$S/pending/"*

t "SIGTERM finishes the current job"
q enqueue --id term1 -- true >/dev/null
pool
gated term2
q enqueue --id term3 -- true >/dev/null
kill -TERM "$pool"
await 10 said "top"
no ended "$pool"
: >term2
pool_ends
is "$(outcomes term2)" exit=0
is "$(where term3)" pending
drain

t "a second SIGTERM, a second later, is --now"
pool --count 2
gated term4
kill -TERM "$pool"
# again and again: those within the first second are the same request
again() { kill -TERM "$pool" 2>/dev/null; in_state pending term4; }
await 10 again
pool_ends
is "$(outcomes term4)" requeued
within "$(took "$(attempt term4 1)")" 1 20 "seconds"
is "$(name_attempt "$(name pending term4)")" 0
: >term4
drain

t "one stop that arrives many times is one"
pool --count 2
gated twice1
kill -TERM "$pool"
kill -INT "$pool"
kill -TERM "$pool"
kill -HUP "$pool"
kill -HUP "$pool"
nap
: >twice1
pool_ends
is "$(outcomes twice1)" exit=0
if command -v timeout >/dev/null; then
	q enqueue --id twice2 -- sh -c ': >twice2.on
	    until [ -e twice2 ]; do sleep 0.03; done' >/dev/null
	# it signals its child, and then the group
	timeout 0.5 "$QUEUECTL" worker start --count 4 2>twice.err &
	p=$!
	await 10 test -e twice2.on
	await 10 grep -q stopping twice.err
	nap
	: >twice2
	wait $p
	is "$(outcomes twice2)" exit=0
fi

t "SIGTERM to everybody does not charge the jobs"
for first in job pool; do
	pool
	q enqueue --id "all$first" -- sh -c "echo \$\$ >all$first.pid
	    exec sleep 300" >/dev/null
	await 10 test -s "all$first.pid"
	if [ $first = job ]; then
		kill -TERM "$(cat all$first.pid)"
		kill -TERM "$pool"
	else
		kill -TERM "$pool"
		kill -TERM "$(cat all$first.pid)"
	fi
	pool_ends
	is "$(outcomes all$first)" requeued
	is "$(name_attempt "$(name pending all$first)")" 0
	q cancel all$first >/dev/null
done
q enqueue --id allalone --max-retries 1 -- sh -c 'kill -TERM $$' >/dev/null
drain
is "$(outcomes allalone)" signal=15 "nobody stops the pool"

t "stop-grace: a stop waits for a job so long, and charges nobody"
q config set stop-grace 30
pool
gated grace1
kill -TERM "$pool"
nap
no ended "$pool"
: >grace1
pool_ends
is "$(outcomes grace1)" exit=0
pool
q enqueue --id grace2 -- sh -c ': >grace2.in; exec sleep 300' >/dev/null
await 10 test -e grace2.in
# also where it is set after the job has begun
q config set stop-grace 0.2
kill -TERM "$pool"
pool_ends
is "$(outcomes grace2)" requeued
is "$(name_attempt "$(name pending grace2)")" 0
pool
await 10 in_state processing grace2
run q worker stop
status 0
wait "$pool"
is $? 0
is "$(outcomes grace2)" "requeued requeued"
q cancel grace2 >/dev/null
q config unset stop-grace
is "$(q config get stop-grace)" none

t "NOTIFY_SOCKET is not for jobs"
q enqueue --id notify -- sh -c 'echo "<${NOTIFY_SOCKET-}>"' >/dev/null
NOTIFY_SOCKET=$PWD/nobody drain
run q logs notify
out_is "<>"

t "SIGINT is a stop, too"
pool
gated int1
kill -INT "$pool"
nap
no ended "$pool"
: >int1
pool_ends
is "$(outcomes int1)" exit=0

t "SIGTERM to one worker process is survived"
pool --count 1
gated one1
kill -TERM "$(cat one1.pid)"
nap
: >one1
await 10 in_state 'done' one1
q enqueue --id one2 -- true >/dev/null
until_ok 1 in_state 'done' one2
stop_pool
until_ok 1 in_state 'done' one2 || drain
is "$(outcomes one2)" exit=0

t "SIGHUP loses nothing"
rm -f hup1
pool
gated hup1
kill -HUP "$pool"
nap
: >hup1
await 10 in_state 'done' hup1
stop_pool

t "--daemon"
run q worker start --daemon --count 2
status 0
out_is ""
# when it returns, its workers count
run q worker list
is "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 3 "lines of worker list"
q enqueue --id dae1 -- sh -c 'echo $PPID; pwd' >/dev/null
await 10 in_state 'done' dae1
run q worker list
status 0
out_has "$(head -n 1 "$S/log/dae1.log")"
is "$(sed -n 2p "$S/log/dae1.log")" "$T/w"
like "$(cat "$S/worker.log")" 'Processing job dae1'
run q worker stop
status 0
await 5 none_marked
if [ -r /proc/self/stat ]; then
	t "--daemon detaches"
	q worker start --daemon
	q enqueue --id dae2 -- sh -c 'cut -d" " -f6 /proc/$PPID/stat' >/dev/null
	await 10 in_state 'done' dae2
	no test "$(cat "$S/log/dae2.log")" = "$(cut -d' ' -f6 /proc/self/stat)"
	q worker stop
fi

t "--daemon --drain"
q enqueue --id dae3 --delay 0.2 -- true >/dev/null
run q worker start --daemon --drain
status 0
await 10 in_state 'done' dae3
await 10 none_marked

t "--drain waits for what is due later"
q enqueue --id dr1 --delay 0.4 -- true >/dev/null
q enqueue '{"id":"dr2","command":"test $QUEUECTL_ATTEMPT = 2","backoff_base":1}' >/dev/null
drain 2
ok in_state 'done' dr1 dr2

t "--drain waits for the other pool's job"
pool
gated other1
q worker start --drain 2>>"$T/worker.err" &
p=$!
q enqueue --id other2 -- true >/dev/null
await 10 in_state 'done' other2
no ended $p
: >other1
await 10 ended $p
wait $p
is $? 0
stop_pool

t "two pools at once, one stop"
: >two
awk 'BEGIN { for (i = 0; i < 150; i++)
	print "{\"command\":\"echo $QUEUECTL_ID >>two\"}" }' >in
q worker start --count 2 2>>"$T/worker.err" &
pool2=$!
pool --count 2
q enqueue - <in | sort >want
await 20 sh -c "[ \$(wc -l <two) = 150 ]"
await 5 has pending 0
await 5 has processing 0
sort two >two.sorted
same two.sorted want
await 5 workers 4
run q worker stop
status 0
await 2 ended "$pool2"
await 2 ended "$pool"
pool_ends
wait $pool2
is $? 0

t "SIGKILL of a worker: the job is lost uncharged and runs again"
q enqueue --id kill1 --max-retries 1 -- sh -c '[ ! -e kill1.pid ] || exit 0
echo $$ >kill1.job; echo $PPID >kill1.pid; exec sleep 1000' >/dev/null
pool
await 10 test -s kill1.pid
kill -9 "$(cat kill1.pid)"
if portable; then
	await 5 workers 1
	is "$(where kill1)" processing
	kill -9 "$(cat kill1.job)"
fi
await 10 in_state 'done' kill1
is "$(outcomes kill1)" "lost exit=0"
is "$(name_attempt "$(name 'done' kill1)")" 1

t "a worker that is ended alone is started again"
q enqueue --id alone1 -- sh -c 'kill -TERM $PPID' >/dev/null
q enqueue --id alone2 -- true >/dev/null
await 10 in_state 'done' alone1 alone2
no ended "$pool"

t "a crashed worker is started again"
q enqueue --id kill2 -- true >/dev/null
await 10 in_state 'done' kill2
await 5 workers 1
no ended "$pool"
stop_pool

t "a killed worker's job dies with it"
if [ "$(uname)" = Linux ] && ! portable; then
	q enqueue --id kill3 --max-retries 1 -- sh -c '[ ! -e kill3.pid ] || exit 0
echo $$ >kill3.job; echo $PPID >kill3.pid; exec sleep 1000' >/dev/null
	pool
	await 10 test -s kill3.pid
	kill -9 "$(cat kill3.pid)"
	await 5 ended "$(cat kill3.job)"
	await 10 in_state 'done' kill3
	stop_pool
else
	skip "PR_SET_PDEATHSIG: only on Linux"
fi

t "what outlives its worker holds the job"
rm -f kill4.go
q enqueue --id kill4 -- sh -c 'echo start >>kill4.ran; [ ! -e kill4.pid ] || exit 0
(until [ -e kill4.go ]; do sleep 0.03; done) &
echo $$ >kill4.job; echo $PPID >kill4.pid; exec sleep 1000' >/dev/null
pool
await 10 test -s kill4.pid
kill -9 "$(cat kill4.pid)"
portable && kill -9 "$(cat kill4.job)"
await 5 workers 1
q enqueue --id kill5 -- true >/dev/null
await 10 in_state 'done' kill5
is "$(where kill4)" processing
is "$(wc -l <kill4.ran | tr -d ' ')" 1 "runs"
run q status
status 0
out_has kill4
run q show kill4
status 0
: >kill4.go
await 20 in_state 'done' kill4
is "$(outcomes kill4)" "lost exit=0"
stop_pool

t "SIGKILL of the supervisor ends the workers gracefully"
pool --count 2
gated sup1
kill -9 "$pool"
wait "$pool" 2>/dev/null
nap
ok kill -0 "$(cat sup1.pid)"
is "$(where sup1)" processing
: >sup1
await 10 in_state 'done' sup1
is "$(outcomes sup1)" exit=0
await 10 none_marked
q enqueue --id sup2 -- true >/dev/null
run q worker list
status 0
run q status --json
jis workers 0
is "$(where sup2)" pending

t "after it, a pool starts as ever"
drain
is "$(where sup2)" 'done'
is "$(entries workers | tr '\n' ' ')" "" "left in workers/"

t "SIGKILL of all"
q enqueue --id all1 -- sh -c '[ ! -e all1.pid ] || exit 0
echo $PPID >all1.pid; exec sleep 1000' >/dev/null
pool
await 10 test -s all1.pid
for k in $(marked); do
	kill -9 "$k" 2>/dev/null
done
wait "$pool" 2>/dev/null
await 5 none_marked
is "$(where all1)" processing
run q list
status 0
out_like '^all1 +processing'
drain
is "$(outcomes all1)" "lost exit=0"
ok has processing 0

ran() { awk 'END { print NR }' kran 2>/dev/null; }
ran_more() { [ "$(ran)" -gt "$1" ]; }
: >kran
t "jobs are not lost while workers are killed at random"
awk 'BEGIN { for (i = 0; i < 60; i++)
	printf "{\"id\":\"k%d\",\"command\":\"sleep 0.02; echo $QUEUECTL_ID >>kran\"}\n", i }' >in
q enqueue - <in >/dev/null
q config set max-crashes 100 >/dev/null
pool --count 3
n=0
while [ $n -lt 6 ]; do
	m=$(ran)
	until_ok 5 ran_more "$m"
	p=$(q worker list | grep -Eo 'k[0-9]+' | head -n 1)
	k=$(q show --json "${p:-k0}" | awk '{ print }' >pj; json worker_pid pj)
	[ -z "$k" ] || kill -9 "$k" 2>/dev/null
	n=$((n + 1))
done
await 20 sh -c "[ \$(ls '$S/done' | grep -c -e '-k[0-9]*\$') = 60 ]"
is "$(sort -u kran | wc -l | tr -d ' ')" 60
is "$({ entries pending; entries processing; entries failed; } |
    grep -c -e '-k[0-9]*$')" 0 "jobs left"
stop_pool

t "stdout of a pool is empty"
is "$(cat "$T/worker.out")" ""

t "nohup"
(trap '' HUP; exec "$QUEUECTL" worker start 2>nohup.err) &
p=$!
await 5 workers 1
kill -HUP $p
q enqueue --id nohup -- true >/dev/null
await 10 in_state 'done' nohup
no ended $p
q worker stop 2>/dev/null
wait $p

t "a job has no terminal, and a group of its own"
# group ID: ends after its timeout, with its child, or keeps the test waiting
group() {
	q enqueue --id "$1" --timeout 0.3 --max-retries 0 -- \
	    sh -c 'sleep 60 & echo $! >'"$1"'.pid; wait' >/dev/null
}
gone() { ! kill -0 "$(cat "$1.pid")" 2>/dev/null; }
if command -v script >/dev/null 2>&1 &&
    script -qc 'true </dev/tty' /dev/null >/dev/null 2>&1 </dev/null; then
	q enqueue --id tty1 --max-retries 0 -- sh -c ': </dev/tty' >/dev/null
	group tty2
	script -qc '"$QUEUECTL" worker start --drain; : >ended' /dev/null \
	    >/dev/null 2>&1 </dev/null
	await 10 [ -e ended ]
	ok in_state dead tty1 tty2
	await 5 gone tty2
else
	skip "no script(1) that makes a terminal"
fi
q enqueue --id notty1 --max-retries 0 -- sh -c ': </dev/tty' >/dev/null
group notty2
if command -v setsid >/dev/null; then
	setsid "$QUEUECTL" worker start --drain 2>/dev/null </dev/null &
	wait $!
	ok in_state dead notty1 notty2
	await 5 gone notty2
else
	skip "no setsid(1)"
fi
drain

t "a daemon keeps nothing open"
: >held
if command -v flock >/dev/null; then
	(
		flock 9
		q worker start --daemon 2>/dev/null
	) 9>held
	ok flock -n held true
	q worker stop 2>/dev/null
else
	skip "a lock held by a daemon: no flock(1)"
fi

t "a worker that has ended is not listed"
pool --count 3
gated ends1
q worker stop 2>/dev/null &
p=$!
await 10 workers 1
run q worker list
is "$(printf '%s\n' "$out" | grep -c ends1)" 1
is "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 2
: >ends1
wait $p
pool_ends

t "a job that asks about itself"
q enqueue --id self1 --max-retries 1 -- sh -c '"$0" wait self1' "$QUEUECTL" \
    >/dev/null
q enqueue --id self2 --max-retries 1 -- sh -c '"$0" wait --all' "$QUEUECTL" \
    >/dev/null
q enqueue --id self3 --max-retries 1 -- sh -c '"$0" worker stop --now' \
    "$QUEUECTL" >/dev/null
pool
await 10 in_state dead self1 self2 self3
run q logs self1
out_has "cannot wait for its own end"
run q logs self2
out_has "cannot wait for its own end"
run q logs self3
out_has "leave out --now"
q enqueue --id self4 -- sh -c '"$0" worker stop; echo $?' "$QUEUECTL" >/dev/null
pool_ends
is "$(outcomes self4)" exit=0
run q logs self4
out_has "asked 1 pool to stop"
q dlq purge --all >/dev/null

t "a pool that cannot record an end can be stopped"
pool
gated record1
rmdir "$S/done" 2>/dev/null || mv "$S/done" "$S/done.away"
: >"$S/done" # a file: nothing can be moved there
: >record1
await 10 said "cannot record the end"
q worker stop --now 2>/dev/null
pool_ends
ok said "the next pool recovers the job: record1"
is "$(where record1)" processing
rm "$S/done"
mv "$S/done.away" "$S/done" 2>/dev/null || mkdir -m 700 "$S/done"
drain
is "$(where record1)" 'done'
is "$(outcomes record1)" exit=0 "runs"

t "the spool is removed or replaced under a pool"
for how in 'rm -r' 'mv away'; do
	mkdir -p gone
	q --spool "$PWD/gone/s" config set sync none
	QUEUECTL_SPOOL=$PWD/gone/s "$QUEUECTL" worker start --count 2 \
	    2>gone.err &
	p=$!
	await 10 eval 'ls gone/s/workers | grep -q .'
	case $how in
	rm*) rm -r gone/s ;;
	*) mv gone/s gone/away ;;
	esac
	await 10 ended $p
	wait $p
	is $? 1
	ok grep -q 'was removed or replaced; stopping' gone.err
	ok test "$(wc -l <gone.err)" -lt 20
	rm -rf gone
done

t "a worker that is stopped keeps no job from the others"
pool --count 2
await 10 workers 2
frozen=$(sed -n 's/^worker=1 pid=\([0-9]*\) .*/\1/p' "$S"/workers/*)
kill -STOP "$frozen"
for i in 1 2 3; do
	q enqueue --id "frozen$i" -- true >/dev/null
done
await 10 in_state 'done' frozen1 frozen2 frozen3
kill -CONT "$frozen"
for i in 1 2 3; do
	is "$(outcomes frozen$i)" exit=0
done
stop_pool

t "more workers than descriptors"
few='ulimit -Sn 40' # not in POSIX, but in all shells that we know
if (eval "$few") 2>/dev/null; then
	q enqueue --id limit1 -- sh -c 'ulimit -Sn' >/dev/null
	(eval "$few"; q worker start --count 60 --drain) 2>limit.err
	ok in_state 'done' limit1
	is "$(grep -c 'cannot start' limit.err)" 0
	run q logs limit1
	out_is 40
	# it needs some itself, and would find no job if workers had them all
	run sh -c 'ulimit -n 64; exec "$QUEUECTL" worker start -c 51'
	status 1
	err_like 'too few open files for 51 workers: 64'
	q enqueue --id limit2 --max-retries 2 --backoff-base 0 -- false \
	    >/dev/null
	run sh -c 'ulimit -n 64; exec "$QUEUECTL" worker start -c 50 --drain'
	status 0
	ok in_state dead limit2
else
	skip "the limit of descriptors cannot be set"
fi

finish
