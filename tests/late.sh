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
		whole) kill -STOP "$(cat stop.$how/worker)" "$(cat stop.$how/pool)" ;;
		supervisor) kill -STOP "$(cat stop.$how/pool)" ;;
		busy | idle) kill -STOP "$(cat stop.$how/worker)" ;;
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
	[ $how = deaf ] || kill -STOP "$(cat "cancel.$how/$how")"
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
	if [ $how = deaf ]; then
		what="$what; SIGKILL comes kill-grace after SIGTERM"
	elif [ -r /proc/self/stat ]; then
		what="$what, but processes .*: kill -CONT $frozen\$"
	fi
	like "$(cat "cancel.$how/err")" "^queuectl: $what"
	[ $how = deaf ] || no ended "$(cat "cancel.$how/cancel")"
	[ $how = deaf ] || kill -CONT "$frozen"
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

finish
