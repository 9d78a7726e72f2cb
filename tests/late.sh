# late.sh: commands that wait for a pool, and what they say when it takes long.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

spool_init

t "a stop that takes long says what it waits for, once, and waits on"
# What keeps each from ending: the whole pool is stopped, its supervisor, the
# worker that runs a job, its idle worker; a long job, and one that is deaf.
late='whole supervisor busy idle long deaf'
for how in $late; do
	mkdir "stop.$how"
	(
		QUEUECTL_SPOOL=$PWD/stop.$how/s
		q config set sync none
		q config set kill-grace 5
		q enqueue --id "$how" -- sh -c "trap '' TERM; : >stop.$how/on
		    until [ -e stop.$how/go ]; do sleep 0.03; done"
		[ "$how" != idle ] || : >stop.idle/go
		"$QUEUECTL" worker start 2>>"$T/worker.err" &
		echo $! >"stop.$how/pool"
		until_ok 10 test -e "stop.$how/on"
		[ "$how" != idle ] || q wait idle
		q worker list | awk 'NR == 2 { print $3 }' >"stop.$how/worker"
		case $how in
		whole) kill -STOP "$(cat "stop.$how/worker")" "$(cat "stop.$how/pool")" ;;
		supervisor) kill -STOP "$(cat "stop.$how/pool")" ;;
		busy | idle) kill -STOP "$(cat "stop.$how/worker")" ;;
		esac
	) >/dev/null
done
began=$(date +%s)
for how in $late; do
	case $how in deaf) o=--now ;; *) o='' ;; esac
	# shellcheck disable=SC2086
	q --spool "stop.$how/s" worker stop $o 2>"stop.$how/err" &
	echo $! >"stop.$how/stop"
done
await 20 test -s stop.whole/err
within $(($(date +%s) - began)) 3 20 seconds
for how in $late; do
	await 20 test -s "stop.$how/err"
	worker=$(cat "stop.$how/worker") pool=$(cat "stop.$how/pool")
	what="waiting for pool [0-9a-z]*-$pool to end $how"
	stopped='but processes of the pool are stopped; to let them go on: kill'
	case $how in
	whole) what="$what, $stopped -CONT $pool $worker" ;;
	supervisor) what="$what, $stopped -CONT $pool" ;;
	busy) what="$what, $stopped -CONT $worker" ;;
	idle) what="${what% to end*}, $stopped -CONT $worker" ;;
	long) what="$what; worker stop --now would end and requeue" ;;
	deaf) what="$what; SIGKILL comes kill-grace after SIGTERM" ;;
	esac
	if [ ! -r /proc/self/stat ]; then
		case $how in whole | supervisor | busy | idle)
			what=${what%, but*} ;;
		esac
	fi
	like "$(cat "stop.$how/err")" "^queuectl: $what"
	[ "$how" = deaf ] || no ended "$(cat "stop.$how/stop")"
	: >"stop.$how/go"
	# the words tell what to do
	case $how in whole | supervisor | busy | idle)
		k=$(sed -n 's/.*: kill -CONT/kill -CONT/p' "stop.$how/err")
		eval "${k:-kill -CONT $pool $worker}" ;;
	esac
done
for how in $late; do
	await 20 ended "$(cat "stop.$how/stop")"
	await 20 ended "$(cat "stop.$how/pool")"
	is "$(sed 1d "stop.$how/err")" 'queuectl: stopped 1 pool'
done

t "a job that takes long to end: cancel says what it waits for, once"
# What keeps each from ending: its worker is stopped, its supervisor, or the
# job is deaf to SIGTERM.
late='worker supervisor deaf'
for how in $late; do
	mkdir "cancel.$how"
	q --spool "cancel.$how/s" config set kill-grace 5
	q --spool "cancel.$how/s" enqueue --id "$how" -- sh -c "
	    [ $how != deaf ] || trap '' TERM; : >cancel.$how/on
	    while :; do sleep 0.05; done" >/dev/null
	"$QUEUECTL" --spool "cancel.$how/s" worker start 2>>"$T/worker.err" &
	echo $! >"cancel.$how/supervisor"
	await 10 test -e "cancel.$how/on"
	q --spool "cancel.$how/s" worker list |
	    awk 'NR == 2 { print $3 }' >"cancel.$how/worker"
	[ "$how" = deaf ] || kill -STOP "$(cat "cancel.$how/$how")"
	date +%s >"cancel.$how/began"
	q --spool "cancel.$how/s" cancel "$how" 2>"cancel.$how/err" \
	    >"cancel.$how/out" &
	echo $! >"cancel.$how/cancel"
done
for how in $late; do
	await 20 test -s "cancel.$how/err"
	within $(($(date +%s) - $(cat "cancel.$how/began"))) 3 20 seconds
	frozen=$(cat "cancel.$how/$how" 2>/dev/null)
	what="waiting for the end of $how"
	if [ "$how" = deaf ]; then
		what="$what; SIGKILL comes kill-grace after SIGTERM"
	elif [ -r /proc/self/stat ]; then
		what="$what, but processes .*: kill -CONT $frozen\$"
	fi
	like "$(cat "cancel.$how/err")" "^queuectl: $what"
	[ "$how" = deaf ] || no ended "$(cat "cancel.$how/cancel")"
	[ "$how" = deaf ] || kill -CONT "$frozen"
done
for how in $late; do
	await 20 ended "$(cat "cancel.$how/cancel")"
	is "$(cat "cancel.$how/out")" "$how"
	is "$(grep -c . "cancel.$how/err")" 1 "lines said"
	q --spool "cancel.$how/s" worker stop --now 2>/dev/null
done

t "what is quick says nothing"
q enqueue --id quick -- sleep 300 >/dev/null
pool
await 10 in_state processing quick
run q cancel quick
err_is ""
run q worker stop
err_is "queuectl: stopped 1 pool"
pool_ends

# --- a request that cannot be written ----------------------------------------

modes=
modes_count && modes=1
mounts=
[ "$qt_root_user" ] && unshare -m mount -t tmpfs none "$T/tmp" 2>/dev/null &&
    mounts=1

# two_pools: that run a job each; one of them says nothing of its first worker,
# as if that had just died.
two_pools() {
	q enqueue --id p1 -- sh -c 'echo $PPID >p1; until [ -e p1.off ]; do
	    sleep 0.03; done' >/dev/null
	pool
	pool1=$pool
	await 10 test -s p1
	pool --count 2
	q enqueue --id p2 -- sh -c 'echo $PPID >p2; until [ -e p2.off ]; do
	    sleep 0.03; done' >/dev/null
	await 10 test -s p2
	printf '%479s\n' '' |
	    dd of="$(echo "$S"/workers/*-"$pool")" conv=notrunc 2>/dev/null
}
# told WORD: each pool is named once with its kill, which is run, and ends it.
told() {
	status 1
	err_has "$1"
	err_like "to stop the pool [0-9a-z]*-$pool1 all the same: kill -TERM $pool1\$"
	err_like "to stop the pool [0-9a-z]*-$pool all the same: kill -TERM $pool\$"
	is "$(grep -c 'kill -TERM' "$T/c/err")" 2 "pools named"
	sed -n 's/.*all the same: kill/kill/p' "$T/c/err" >kills
	. ./kills
	: >p1.off
	: >p2.off
	pool_ends
	await 10 ended "$pool1"
	is "$(outcomes p1)" exit=0
	is "$(outcomes p2)" exit=0
	rm -f p1 p2 p1.off p2.off
	q purge --state completed >/dev/null
}

t "workers/ is closed: worker stop says how all the same"
if [ "$modes" ]; then
	for o in '' --now; do
		two_pools
		chmod 500 "$S/workers"
		# shellcheck disable=SC2086
		run unprivileged "$QUEUECTL" worker stop $o
		chmod 700 "$S/workers"
		told 'Permission denied'
	done
else
	skip "modes that count: root, and no setpriv"
fi

t "a read-only file system: the same"
if [ "$mounts" ]; then
	two_pools
	run env "S=$S" "Q=$QUEUECTL" unshare -m sh -c 'mount --bind "$S" "$S" &&
	    mount -o remount,bind,ro "$S" && exec "$Q" worker stop'
	told 'Read-only file system'
else
	skip "a read-only spool: only root can mount it"
fi

t "done/ is closed: the pool cannot record the end, and that is said"
if [ "$modes" ]; then
	q enqueue --id p1 -- sh -c ': >p1' >/dev/null
	chmod 500 "$S/done"
	unprivileged "$QUEUECTL" worker start 2>>"$T/worker.err" &
	pool=$!
	await 10 said 'cannot record the end'
	q worker stop 2>err &
	p=$!
	await 10 grep -q "waiting for pool .* to end p1; worker stop --now" err
	chmod 700 "$S/done"
	await 10 ended $p
	pool_ends
	is "$(outcomes p1)" exit=0
else
	skip "modes that count: root, and no setpriv"
fi

finish
