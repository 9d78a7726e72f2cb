# faults.sh: the whole program, with the nth call failing: it says so, exits 1
# and leaves nothing half-done, or goes on.  check_crash.c does the same to the
# spool's functions, at every call and for every error.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2154,SC2164
. "${0%/*}/lib.sh"

t "the program with faults in it"
echo 'int main(void) { return 0; }' >x.c
# shellcheck disable=SC2046,SC2086 # words
if ! ${CC:-cc} -Wl,--wrap=write -o x x.c 2>/dev/null; then
	skip "faults: the linker knows no --wrap"
	finish
elif ! (cd "$qt_root" && ${CC:-cc} $(make -s language) -O1 -o "$T/faulty" \
    tests/fault.c ${OBJ-$(make -s sources)} $(sh tests/unit --wraps)) 2>cc.err; then
	fail "a program" "$(cat cc.err)"
	finish
fi
clean="$QUEUECTL"
QUEUECTL=$T/faulty

# whole NAME: what must hold of the spool after a failure of an enqueue.
whole() {
	is "$(ls "$S/pending" | wc -l | tr -d ' ')" "$1" "$2: pending"
	is "$(ls "$S/ids" | wc -l | tr -d ' ')" "$1" "$2: ids"
}

spool_init
points=0
for e in 28 5 24 36; do # ENOSPC, EIO, EMFILE, ENAMETOOLONG
	for what in object array line locks; do
		t "enqueue, $what, errno $e"
		n=1 last=1
		while [ $last -ne 0 ] && [ $n -lt 60 ]; do
			case $what in
			object) set -- '{"command":"true"}' ;;
			array) set -- '[{"command":"true"},{"command":"true"}]' ;;
			line) set -- - ;;
			locks) set -- '{"command":"true","lock":["a","b"]}' ;;
			esac
			echo '{"command":"true"}' |
			    FAULT=f:$n:$e "$QUEUECTL" enqueue "$@" >out 2>err
			last=$?
			points=$((points + 1))
			if [ $last -ne 0 ]; then
				is $last 1 "call $n: status"
				ok test -s err
				is "$(cat out)" "" "call $n: ids printed"
				whole 0 "call $n"
			fi
			n=$((n + 1))
		done
		is $last 0 "in the end it works"
		# what was not needed (close-on-exec…) may fail: then it is done
		rm -f "$S/pending/"* "$S/ids/"*
	done
done

t "enqueue, without memory"
n=1 last=1
while [ $last -ne 0 ] && [ $n -lt 60 ]; do
	FAULT=m:$n:12 "$QUEUECTL" enqueue '{"command":"true","env":{"A":"b"}}' \
	    >out 2>err
	last=$?
	points=$((points + 1))
	[ $last -eq 0 ] || {
		like "$(cat err)" "[Mm]emory" "allocation $n"
		whole 0 "allocation $n"
	}
	n=$((n + 1))
done
is $last 0 "in the end it works"
rm -f "$S/pending/"* "$S/ids/"*

# A worker goes on, or waits and tries again; what it cannot do at all (start)
# it says.  No job is lost and none is run twice.

# workers FIRST: every fourth point from there on, in a spool of its own; prints
# what went wrong, and a line for each point.
workers() (
	mkdir "$T/lane$1" && cd "$T/lane$1" || exit
	S=$PWD/spool QUEUECTL_SPOOL=$PWD/spool
	n=$1
	while [ "$n" -le 80 ]; do
		rm -rf ran spool
		"$clean" enqueue --id w1 -- sh -c 'echo w1 >>ran' >out
		"$clean" enqueue --id w2 --max-retries 1 -- \
		    sh -c 'echo w2 >>ran; exit 1' >out
		case $((n % 3)) in
		0) e=28 ;; 1) e=5 ;; *) e=24 ;;
		esac
		FAULT=f:$n:$e "$QUEUECTL" worker start --drain >out 2>err &
		pid=$!
		until_ok 20 ended $pid || kill -9 $pid # the tick comes after 60
		wait $pid
		last=$?
		if [ $last -ne 0 ]; then
			[ $last -eq 1 ] && [ -s err ] ||
			    echo "call $n: status $last: $(cat err)"
			"$clean" worker start --drain >out 2>&1
		fi
		came="$(sort ran | tr '\n' ' ')$(where w1) $(where w2)"
		[ "$came" = "w1 w2 done dead" ] || echo "call $n: $came"
		echo point
		n=$((n + 4)) # the other lanes do those between
	done
)

t "a worker"
for n in 1 2 3 4; do
	workers $n >lane$n.out 2>&1 &
done
wait
is "$(cat lane?.out | grep -v '^point$')" "" "what went wrong"
n=$(cat lane?.out | grep -c '^point$')
is "$n" 80 "points"
echo "faults: $((points + n)) points"
QUEUECTL=$clean
finish
