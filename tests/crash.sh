# crash.sh: commands killed in the middle, jobs in motion, a disk that fills
# up at the end of a job, pools in other PID namespaces.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

# ids_in DIR: its jobs' ids, sorted.
ids_in() { entries "$1" | sed -n 's/^.[-@][0-9T.]*Z-[0-9]*-//p' | sort; }

spool_init

t "an enqueuer is killed in the middle of a batch"
awk 'BEGIN { for (i = 0; i < 2000; i++)
	printf "{\"id\":\"e%d\",\"command\":\"true\"}\n", i }' >in
for n in 1 2 3 4 5 6; do
	q config set sync "$([ $((n % 2)) = 0 ] && echo enqueue || echo none)"
	"$QUEUECTL" enqueue - <in >out 2>err &
	p=$!
	until_ok 5 holds ids $((n * 40))
	kill -9 $p
	wait $p 2>/dev/null
	# What was printed (the last line may be cut) is there; every job in pending/ has its entry.
	grep '^e[0-9]' out | sed '$d' | sort >said
	ids_in pending >there
	is "$(comm -23 said there | head -n 3)" "" "printed and not there"
	entries ids | sort >have
	is "$(comm -23 there have | head -n 3)" "" "without an entry in ids/"
	run q list --jsonl
	status 0
	is "$(wc -l <"$T/c/out" | tr -d ' ')" "$(wc -l <there | tr -d ' ')" "jobs listed"
done

t "and the same batch again completes it"
q enqueue - <in >out 2>err
within "$?" 0 1
is "$(grep -vc 'e[0-9]' err)" 0 "other complaints"
ids_in pending >there
is "$(wc -l <there | tr -d ' ')" 2000
is "$(count ids)" 2000
is "$(find "$S/pending" -type f ! -links 2 | head -n 3)" ""
rm -rf "$S"
spool_init

t "an array is published whole, or a leading part of it"
{
	printf '['
	awk 'BEGIN { for (i = 0; i < 1500; i++)
		printf "%s{\"id\":\"a%d\",\"command\":\"true\"}", i ? "," : "", i }'
	printf ']'
} >array
for n in 1 2 3; do
	"$QUEUECTL" enqueue "$(cat array)" >out 2>err &
	p=$!
	until_ok 5 holds ids 10
	kill -9 $p
	wait $p 2>/dev/null
	is "$(wc -l <out | tr -d ' ')" "$(grep -c . out)"
	entries pending | sed 's/.*-//' >order
	i=$(wc -l <order | tr -d ' ')
	awk -v n="$i" 'BEGIN { for (i = 0; i < n; i++) print "a" i }' >want
	same order want
	[ "$i" = 0 ] && continue
	rm -f "$S"/pending/*
	for f in "$S"/ids/a*; do rm -f "$f"; done
done
rm -rf "$S"
spool_init

t "while jobs move, every listing shows each of them once"
awk 'BEGIN { for (i = 0; i < 300; i++)
	printf "{\"id\":\"m%d\",\"command\":\"test $QUEUECTL_ATTEMPT = 2\",\"max_retries\":2}\n", i }' >in
q enqueue - <in | sort >want
pool --count 2
n=0
while ! has 'done' 300 && [ $n -lt 12 ]; do
	q list --jsonl >list.out || fail "list" "status $?"
	sed 's/.*"id": *"\([^"]*\)".*/\1/' list.out | sort >got
	if ! cmp -s want got; then
		fail "each job once" "$(diff want got | head -n 5)"
		break
	fi
	q show --json "m$((n * 5))" >show.out || fail "show" "status $?"
	n=$((n + 1))
done
pass
await 20 has 'done' 300
is "$(grep -hc '^Attempt: .*worker=' "$S"/ids/m* | sort | uniq -c | awk '{ print $1, $2 }')" \
    "300 2" "attempts"
stop_pool

t "dlq retry --all and purge --all while workers run"
awk 'BEGIN { for (i = 0; i < 100; i++)
	printf "{\"id\":\"d%d\",\"command\":\"false\",\"max_retries\":1}\n", i }' >in
q enqueue - <in >/dev/null
pool --count 2
for n in 1 2 3; do
	q dlq retry --all
	status 0
done >/dev/null 2>err
await 20 has dead 100
run q dlq purge --all
status 0
ok has dead 0
is "$(entries ids | grep -c '^d')" 0
stop_pool

t "a command killed at any time leaves the queue whole"
awk 'BEGIN { for (i = 0; i < 100; i++)
	printf "{\"id\":\"p%d\",\"command\":\"false\",\"max_retries\":1}\n", i }' >in
q enqueue - <in >/dev/null
drain 2
for c in 'dlq retry --all' 'dlq purge --all'; do
	# shellcheck disable=SC2086
	"$QUEUECTL" $c >/dev/null 2>err &
	p=$!
	nap
	kill -9 $p 2>/dev/null
	wait $p 2>/dev/null
	n=$(($(count dead) + $(count pending)))
	run q list --json
	status 0
	is "$(grep -c '"p[0-9]*"' "$T/c/out")" "$n"
done
q dlq retry --all >/dev/null 2>&1
drain 2
q dlq purge --all >/dev/null 2>&1
is "$(count dead)$(count pending)" 00

t "the disk is full at the end of a job"
mkdir disk
if [ "$qt_root_user" ] && mount -t tmpfs -o size=256k none disk 2>/dev/null; then
	mounted "$T/w/disk"
	S=$T/w/disk/spool
	QUEUECTL_SPOOL=$S
	spool_init
	# The Attempt: line crosses the end of a page, for which there is no
	# room: it is torn at first.
	cmd='until [ -e go ]; do sleep 0.03; done'
	q enqueue --id size --env PAD=x -- sh -c "$cmd" >/dev/null
	n=$((4096 - 20 - $(wc -c <"$S/ids/size")))
	rm "$S"/ids/size "$S"/pending/*
	q enqueue --id full --env "PAD=x$(printf "%0${n}d" 0)" -- sh -c "$cmd" >/dev/null
	is "$(wc -c <"$S/ids/full" | tr -d ' ')" 4076
	pool
	await 10 in_state processing full
	await 10 said 'Processing job full'
	dd if=/dev/zero of=disk/fill bs=1k count=1000 2>/dev/null
	: >go
	await 10 grep -qi 'no space' "$T/worker.err"
	is "$(where full)" processing
	run q status
	status 0
	rm disk/fill
	await 10 in_state 'done' full
	is "$(grep -ac '^Attempt: .*worker=[0-9]*$' "$S/ids/full")" 1 "whole lines"
	is "$(outcomes full)" exit=0
	run q show full
	status 0
	q enqueue --id next1 -- true >/dev/null
	await 10 in_state 'done' next1
	stop_pool
	S=$T/spool
	QUEUECTL_SPOOL=$S
else
	skip "a full disk: no right to mount one"
fi

t "a pool in a PID namespace: as PID 1 it reaps, and it obeys a stop"
# zombies_of PID: how many children of it nobody reaped.
zombies_of() {
	cat /proc/[0-9]*/stat 2>/dev/null | sed 's/.*) //' |
	    awk -v p="$1" '$1 == "Z" && $2 == p' | wc -l | tr -d ' '
}
reaped() { [ "$(zombies_of "$1")" = 0 ]; }
child_of() {
	cat /proc/[0-9]*/stat 2>/dev/null | sed 's/ (.*) / /' |
	    awk -v p="$1" '$3 == p { print $1; exit }'
}
if [ "$qt_root_user" ] && unshare -p -f true 2>/dev/null; then
	unshare -p -f "$QUEUECTL" worker start 2>>"$T/worker.err" &
	pool=$!
	q enqueue --id orphan -- sh -c 'for i in 1 2 3; do (sleep 0.1 &) done' >/dev/null
	await 10 in_state 'done' orphan
	p=$(child_of $pool)
	ok test -n "$p"
	q enqueue --id after -- sleep 0.3 >/dev/null
	await 10 in_state 'done' after
	await 5 reaped "$p"
	run q worker list
	status 0
	run q worker stop
	status 0
	pool_ends
else
	skip "PID namespaces: no right to make one"
fi

finish
