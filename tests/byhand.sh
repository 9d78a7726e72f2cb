# byhand.sh: the two programs of queuectl(5) that enqueue without queuectl, as
# they are printed.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2086,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

display 5 'set -eC' >"$T/enqueue.sh"
display 5 'import fcntl' >"$T/enqueue.py"

t "the lines in the manual"
within "$(wc -l <"$T/enqueue.sh")" 5 10
within "$(wc -l <"$T/enqueue.py")" 5 12

# Programs in the place of those that the script uses.  Each says what it is
# about to do and what there is to see by then.
stubs=$T/stubs
mkdir "$stubs"
for tool in sync ln; do
	cat >"$stubs/$tool" <<-.
		#!/bin/sh
		echo "$tool \$* (\$(ls pending | wc -l | tr -d ' ') pending)" >>"$T/steps"
		[ "\${FAILS-}" != "$tool \${1%%/*}" ] || exit 1
		exec $(command -v $tool) "\$@"
	.
	chmod 755 "$stubs/$tool"
done
# The same for Python; with NOW the time and the pid stand still.
cat >"$T/steps.py" <<'.'
import os, stat, sys, time
link, fsync = os.link, os.fsync
def step(what, name):
    with open(os.environ["T"] + "/steps", "a") as f:
        print(what, "(%d pending)" % len(os.listdir("pending")), file=f)
    if os.environ.get("FAILS") == name:
        raise OSError(5, name)
def linked(old, new):
    step("ln %s %s" % (old, new), "ln ids")
    link(old, new)
def synced(f):
    path = os.readlink("/proc/self/fd/%d" % (f if type(f) is int else f.fileno()))
    path = os.path.relpath(path)
    step("sync " + path, "sync " + path.split("/")[0])
    fsync(f)
os.link, os.fsync = linked, synced
if "NOW" in os.environ:
    time.time_ns = lambda: 1
    os.getpid = lambda: 2
file = sys.argv.pop(1)
exec(compile(open(file).read(), file, "exec"))
.
export T

# enqueue WORD...: the program that is tested.  stepped: with the stubs.
enqueue() { $with "$program" "$@"; }
stepped() {
	case $program in
	*.py) run python3 "$T/steps.py" "$program" "$@" ;;
	*) run env PATH="$stubs:$PATH" $with "$program" "$@" ;;
	esac
}
# Whether the stubs are what it would run.
stubs_count() {
	[ "$with" != python3 ] || return 0
	[ "$(env PATH="$stubs:$PATH" $with -c 'command -v sync')" = "$stubs/sync" ]
}
# on COMMAND: enqueues it; its id is in $out.
on() {
	case $program in
	*.py) run enqueue sh -c "$1" ;;
	*) run enqueue "$1" ;;
	esac
	status 0
	like "$out" '^(sh|py)-[0-9A-Z-]+$'
	err_is ""
}
clean() {
	run q fsck
	status 0
	out_is ""
}
hammer() {
	i=0
	while [ $((i += 1)) -le 5 ]; do
		case $program in
		*.py) enqueue sh -c 'echo $QUEUECTL_ID >>ran' ;;
		*) enqueue 'echo $QUEUECTL_ID >>ran' ;;
		esac || echo failure
	done
}

# suite PROGRAM INTERPRETER...: all cases of one of the two.
suite() {
	program=$1
	shift
	with=$*
	rm -rf "$S" ran hammered
	spool_init

	t "$with: one job"
	on 'echo "$QUEUECTL_ID: it'\''s $PWD"
echo "  two \ lines"'
	id=$out
	run q show "$id"
	status 0
	out_has "$id"
	is "$(find "$S/ids/$id" -links 2 -perm 600)" "$S/ids/$id"
	clean
	drain
	run q logs "$id"
	out_is "$id: it's $T/w$nl  two \\ lines"
	is "$(outcomes "$id")" exit=0
	clean

	t "$with: a directory with a strange name"
	mkdir -p "a
Command: b"
	cd "a
Command: b" || exit
	on 'pwd; exit 3'
	cd ..
	id=$out
	drain
	run q logs "$id"
	is "$(printf '%s\n' "$out" | head -n 2)" "$T/w/a${nl}Command: b"

	if ! stubs_count; then
		skip "the steps of $with, which prefers its own tools"
		crowd
		return
	fi

	t "$with: what is synced, and when"
	rm -rf "$S"
	spool_init
	: >"$T/steps"
	stepped true
	status 0
	file=$(entries pending)
	is "$(sed 's/^\(sync pending\) ids/\1/' "$T/steps" | sort -u |
	    grep -c '(1 pending)')" "$(grep -c '(1 pending)' "$T/steps")"
	is "$(head -n 2 "$T/steps")" "sync ids/$out (0 pending)
ln ids/$out pending/$file (0 pending)"
	after=$(sed 1,2d "$T/steps" | tr '\n' ' ')
	case $after in
	'sync pending ids (1 pending) '|\
	'sync ids (1 pending) sync pending (1 pending) ') pass ;;
	*) fail "both directories to be synced" "$after" ;;
	esac

	t "$with: a step that fails"
	drain
	for FAILS in 'sync ids' 'ln ids' 'sync pending'; do
		export FAILS
		stepped true
		no test "$st" = 0
		out_is ""
	done
	unset FAILS
	# the third was committed, but not acknowledged
	drain
	is "$(count 'done')" 2
	is "$(count ids)" 4
	run q fsck --repair
	status 0
	is "$(count ids)" 2
	clean

	t "$with: an id that is taken"
	case $program in
	*.py)
		NOW=1 python3 "$T/steps.py" "$program" true >id
		q hold "$(cat id)" >/dev/null
		cp "$S/ids/$(cat id)" before
		run env NOW=1 python3 "$T/steps.py" "$program" false
		;;
	*)
		# two in one process and one second
		cat >"$stubs/date" <<-'.'
			#!/bin/sh
			case $* in
			*%FT*) echo 2020-01-01T00:00:00Z ;;
			*) echo 20200101T000000 ;;
			esac
		.
		chmod 755 "$stubs/date"
		run env PATH="$stubs:$PATH" $with -c '
			set -- true; (. "$0") >id || exit 9
			"$QUEUECTL" hold "$(cat id)" || exit 9
			cp "$QUEUECTL_SPOOL/ids/$(cat id)" before
			set -- false; (. "$0")' "$program"
		out=$(printf '%s\n' "$out" | sed 1d)
		rm "$stubs/date"
		;;
	esac
	no test "$st" = 0
	no test "$st" = 9
	out_is ""
	err_like 'exist'
	same "$S/ids/$(cat id)" before
	is "$(where "$(cat id)")" held
	is "$(count pending)" 0
	q cancel "$(cat id)" >/dev/null

	t "$with: no spool"
	run env QUEUECTL_SPOOL="$T/w/none" $with "$program" true
	no test "$st" = 0
	run env -u QUEUECTL_SPOOL $with "$program" true
	no test "$st" = 0
	out_is ""
	no test -e none
	no test -e ids
	no test -e pending

	crowd
}

# crowd: the last case of a suite.
crowd() {
	t "$with: eight at once, a pool, and fsck"
	ended=$(count 'done')
	pool --count 2
	for n in 1 2 3 4 5 6 7 8; do
		# of one file, an unbuffered writer's lines would be mixed
		hammer >"hammered.$n" 2>"$T/hammer.$n" &
		hammers="${hammers-} $!"
	done
	(while [ ! -e hammered.all ]; do q fsck --repair; nap; done) >fsck.out 2>&1 &
	fsck=$!
	wait $hammers
	hammers=
	cat hammered.[1-8] >hammered
	: >hammered.all
	wait $fsck
	rm hammered.*
	is "$(cat "$T"/hammer.*)" "" "what they said"
	is "$(wc -l <hammered | tr -d ' ')" 40
	await 20 has 'done' $((ended + 40))
	is "$(sort ran)" "$(sort hammered)"
	stop_pool
	clean
	is "$(grep -c 'Left alone' "$T/worker.err")" 0
}

suite "$T/enqueue.sh" sh
if busybox sh -c : 2>/dev/null; then
	# that of Debian has no flock
	mkdir "$T/busybox"
	for tool in sed date flock sync ln; do
		! busybox --list | grep -qx $tool ||
		    ln -s "$(command -v busybox)" "$T/busybox/$tool"
	done
	qt_path=$PATH
	PATH=$T/busybox:$PATH
	suite "$T/enqueue.sh" busybox sh
	PATH=$qt_path
else
	skip "no busybox"
fi
if python3 -c 'import fcntl' 2>/dev/null; then
	suite "$T/enqueue.py" python3
else
	skip "no python3"
fi

finish
