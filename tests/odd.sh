# odd.sh: no /proc, no /dev/null, no inotify, few descriptors, file systems and
# namespaces of other kinds.  What this machine cannot show is skipped.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2013,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

# A way into a mount namespace; none for others than root.
mounts=
[ "$qt_root_user" ] && unshare -m mount -t tmpfs none "$T/tmp" 2>/dev/null &&
    mounts=1
pids=
[ "$qt_root_user" ] && unshare -pf --mount-proc true 2>/dev/null && pids=1

# in_mounts SCRIPT: in a mount namespace of its own, which takes its mounts
# with it: $Q is the program, $R the source, $S the spool.
in_mounts() {
	run env "Q=$QUEUECTL" "R=$qt_root" "S=$S" "T=$T" unshare -m sh -c "exec 2>&1; $1"
}
# says KEY VALUE [WHAT]: the last run printed KEY=VALUE.
says() { is "$(sed -n "s/^$1=//p" "$T/c/out")" "$2" "${3:-$1}"; }
# fresh NAME: another spool.
fresh() {
	QUEUECTL_SPOOL=$T/$1/spool
	S=$QUEUECTL_SPOOL
	mkdir "$T/$1"
}
# stop_all: the pools of this spool end, as fast as they can.
stop_all() { q worker stop --now >/dev/null 2>&1; }

# --- no /proc, no inotify, few descriptors ----------------------------------

t "no /proc"
fresh proc
if [ "$mounts" ] && ! unshare -m sh -c \
    'mount -t tmpfs none /proc && "$QUEUECTL" --version' >/dev/null 2>&1; then
	skip "no /proc: the program needs one (a sanitizer)"
elif [ "$mounts" ]; then
	in_mounts 'mount -t tmpfs none /proc || exit
	"$Q" enqueue --id p1 -- sh -c "echo out; { echo x >&9; } 2>/dev/null && echo held; true"
	"$Q" enqueue --id p2 --max-retries 1 -- false
	exec 9>"$T/w/nine"
	"$Q" worker start --drain --count 2 2>"$T/w/err"
	echo drain=$?
	"$Q" worker start --daemon; echo daemon=$?
	"$Q" enqueue --id p3 -- true
	"$Q" worker stop 2>/dev/null; echo stop=$?
	"$Q" worker start --drain 2>/dev/null
	"$Q" status >/dev/null; echo status=$?
	"$Q" list >/dev/null; echo list=$?
	"$Q" fsck; echo fsck=$?'
	for k in drain daemon stop status list fsck; do
		says $k 0
	done
	ok in_state 'done' p1 p3
	ok in_state dead p2
	run q logs p1
	out_is out
else
	skip "no /proc: only root can hide it"
fi

t "no /dev/null"
fresh dev
if [ "$mounts" ]; then
	in_mounts 'mount -t tmpfs none /dev || exit
	"$Q" enqueue --id v1 -- cat
	"$Q" enqueue --id v2 --command "cat; echo out"
	"$Q" worker start --drain 2>"$T/w/err"
	echo drain=$?
	"$Q" worker start --daemon; echo daemon=$?
	"$Q" enqueue --id v3 -- cat
	"$Q" wait --timeout 20 v3; echo wait=$?
	"$Q" worker stop 2>"$T/w/err"; echo stop=$?
	"$Q" enqueue - <&-; echo closed0=$?
	"$Q" enqueue --id v4 --delay 60 -- true >&-; echo closed1=$?
	"$Q" enqueue --id v5 --delay 60 -- true 2>&- >&-; echo closed2=$?
	"$Q" enqueue --id v5 -- true 2>&- >&- <&-; echo closed3=$?
	"$Q" fsck; echo fsck=$?'
	for k in drain daemon wait stop closed0 fsck; do
		says $k 0
	done
	for k in closed1 closed2 closed3; do
		says $k 1
	done
	is "$(cat "$S"/log/*)" out
	for i in v1 v2 v3; do
		is "$(outcomes $i)" exit=0 "$i"
	done
	# what was said on a closed stream went into no file
	for i in v4 v5; do
		is "$(grep -c "^Queuectl\|^Created" "$S/ids/$i")" 2 "$i"
		no grep "escriptor\|queuectl:\|^$i" "$S/ids/$i"
	done
else
	skip "no /dev/null: only root can hide it"
fi

t "no programs can be run in TMPDIR"
if [ "$mounts" ]; then
	mkdir noexec
	in_mounts 'mount -t tmpfs -o noexec none noexec || exit
	TMPDIR=$PWD/noexec
	for w in "run made" "unit check_name" made.sh "coverage check_name"; do
		sh "$R"/tests/$w && echo "passed: $w"
	done
	ls noexec'
	for w in run unit test coverage; do
		out_has "$w: no program can be run in $PWD/noexec"
	done
	is "$(grep -c "set TMPDIR to another directory" "$T/c/out")" 4
	is "$(wc -l <"$T/c/out" | tr -d ' ')" 4 "lines"
else
	skip "no programs in TMPDIR: only root can mount"
fi

t "no inotify"
fresh inotify
# A way to start a program that gets no inotify.
silent='' program=$QUEUECTL
if unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_inotify_instances' \
    2>/dev/null; then
	silent='echo 0 >/proc/sys/user/max_inotify_instances &&'
elif [ -x "$qt_root/queuectl-portable" ]; then
	program=$qt_root/queuectl-portable
else
	program=
fi
if [ "$program" ]; then
	q enqueue --id n0 -- true >/dev/null
	set -- "$program" worker start --count 2
	[ -z "$silent" ] ||
	    set -- unshare -Ur sh -c "$silent"' exec "$@"' sh "$@"
	"$@" >>"$T/worker.out" 2>>"$T/worker.err" &
	pool=$!
	await 10 in_state 'done' n0
	q enqueue --id n1 --delay 0.3 -- true >/dev/null
	q enqueue --id n2 --max-retries 2 --backoff-base 0 -- \
	    sh -c 'test $QUEUECTL_ATTEMPT = 2' >/dev/null
	await 5 in_state 'done' n1 n2
	if [ "$silent" ] && [ -d "/proc/$pool/fd" ]; then
		no sh -c "ls -l /proc/$pool/fd | grep anon_inode:inotify"
	fi
	run q worker stop
	status 0
	pool_ends
else
	skip "no inotify: no user namespaces and no ./queuectl-portable"
fi

t "16 descriptors"
fresh nofile
# shellcheck disable=SC3045
few() { (ulimit -n 16 && exec "$QUEUECTL" "$@"); }
# shellcheck disable=SC3045
if (ulimit -n 16) 2>/dev/null; then
	run few enqueue --id d0 -- sh -c 'echo d0'
	status 0
	run few enqueue "[$(awk 'BEGIN { for (i = 0; i < 40; i++)
		printf "%s{\"command\":\"echo %d\"}", i ? "," : "", i }')]"
	status 0
	is "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 40
	feed "$(awk 'BEGIN { for (i = 0; i < 40; i++)
		print "{\"command\":\"echo x\",\"stdin\":\"y\"}" }')$nl" \
	    few enqueue -
	status 0
	run few enqueue --id d1 --max-retries 1 -- false
	run few worker start --drain --count 2
	status 0
	is "$(count 'done')" 81
	ok in_state dead d1
	for w in "list" "list --json" "logs d0" "show d0" "status" \
	    "worker list" "dlq list" "dlq retry d1" "fsck" "worker stop" \
	    "config get"; do
		# shellcheck disable=SC2086
		run few $w
		status 0
	done
	is "$(where d1)" pending
else
	skip "16 descriptors: no ulimit -n"
fi

# --- file systems -------------------------------------------------------------

t "a read-only spool"
fresh ro
if [ "$mounts" ]; then
	q enqueue --id r1 -- echo r1 >/dev/null
	q enqueue --id r2 --max-retries 1 -- false >/dev/null
	drain
	q enqueue --id r3 -- true >/dev/null
	before=$(snap)
	in_mounts 'mount --bind "$S" "$S" && mount -o remount,bind,ro "$S" || exit
	for w in list "list --json" "show r1" "logs r1" status "status --json" \
	    "worker list" "dlq list" "config get" "worker stop"; do
		"$Q" $w >"$T/w/ro.out" 2>"$T/w/ro.err" || {
			echo "bad=$w"
			cat "$T/w/ro.err"
		}
		[ "$w" = list ] && cat "$T/w/ro.out"
		[ "$w" = "logs r1" ] && sed s/^/log=/ "$T/w/ro.out"
	done
	echo in >"$T/w/ro.in"
	for w in "enqueue --id r4 -- true" "dlq retry r2" "dlq purge r2" \
	    "config set timeout 5" "worker start --drain"; do
		"$Q" $w 2>&1
		echo "refused=$?"
	done'
	out_like '^r1 +completed'
	out_like '^r3 +pending'
	says log r1
	says bad ""
	out_lacks "r4$nl"
	is "$(sed -n 's/^refused=//p' "$T/c/out" | tr '\n' ' ')" "1 1 1 1 1 "
	is "$(grep -ic 'read-only file system' "$T/c/out")" 5 "reasons"
	is "$(snap)" "$before" "the spool"
else
	skip "a read-only spool: only root can mount it"
fi

# a life of jobs, in $S; prints key=value
life='"$Q" enqueue --id l1 -- echo l1 >/dev/null
	"$Q" enqueue --id l2 --max-retries 2 --backoff-base 0 -- sh -c "test \$QUEUECTL_ATTEMPT = 2" >/dev/null
	"$Q" enqueue --id l3 --max-retries 1 -- false >/dev/null
	"$Q" enqueue --id l4 --delay 0.2 -- true >/dev/null
	echo "taken=$("$Q" enqueue --id l1 -- true 2>/dev/null; echo $?)"
	"$Q" worker start --count 2 2>"$T/w/life.err" &
	"$Q" enqueue --id l5 -- true >/dev/null
	i=0
	until [ "$(ls "$S/done" | wc -l)" -ge 4 ] || [ $i -gt 200 ]; do
		sleep 0.05
		i=$((i + 1))
	done
	"$Q" dlq retry l3; echo retry=$?
	"$Q" worker stop 2>/dev/null; echo stop=$?
	wait
	"$Q" worker start --drain 2>/dev/null; echo drain=$?
	"$Q" dlq purge l3; echo purge=$?
	"$Q" list --json | sed -n "s/^{\"id\":\"\([^\"]*\)\".*\"state\":\"\([^\"]*\)\".*/\1=\2/p"
	"$Q" logs l1 | sed s/^/log=/
	"$Q" fsck; echo fsck=$?'
lived() {
	for k in retry stop drain purge fsck; do
		says $k 0
	done
	says taken 1
	says log l1
	says l3 ""
	for k in l1 l2 l4 l5; do
		says $k completed
	done
}

t "tmpfs"
fresh tmpfs
if [ "$mounts" ]; then
	in_mounts 'mount -t tmpfs -o mode=700 none "$T/tmpfs" || exit
	'"$life"
	lived
else
	skip "tmpfs: only root can mount it"
fi

# What there is of an overlay is below $T/overlay.
overlay='cd "$T/overlay" && mount -t tmpfs -o mode=700 none . && cd "$T/overlay" &&
	mkdir lower upper work spool &&
	layer() {
		mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work spool
	} || exit
	S=$T/overlay/spool/q
	export QUEUECTL_SPOOL=$S'
mkdir "$T/overlay"
if [ "$mounts" ] && unshare -m sh -c "T=$T; $overlay; layer" 2>/dev/null; then
	t "overlayfs"
	in_mounts "$overlay; layer || exit; cd /; $life"
	lived

	t "jobs in a lower layer of an overlay"
	# To write to one is to copy it up, which breaks its hard link, and
	# makes it another file than the one that was opened before.
	in_mounts "$overlay"'
	export QUEUECTL_SPOOL=$PWD/lower/q
	"$Q" config set sync none
	"$Q" enqueue --id u1 --max-retries 1 -- false >/dev/null
	"$Q" enqueue --id u2 --max-retries 1 -- false >/dev/null
	"$Q" enqueue --id u3 --max-retries 2 --backoff-base 3 -- sh -c "test \$QUEUECTL_ATTEMPT = 2" >/dev/null
	"$Q" worker start --count 2 2>/dev/null &
	i=0
	until [ "$(ls lower/q/failed lower/q/dead | grep -c u)" = 3 ] || [ $i -gt 200 ]; do
		sleep 0.05
		i=$((i + 1))
	done
	"$Q" worker stop 2>/dev/null
	wait
	for i in 1 2 3 4 5; do
		"$Q" enqueue --id "p$i" -- sh -c "echo \$QUEUECTL_ID >>\"$PWD/ran\"" >/dev/null
	done
	export QUEUECTL_SPOOL=$S
	layer || exit
	"$Q" fsck; echo before=$?
	"$Q" dlq retry u1; echo retry=$?
	"$Q" dlq purge u2; echo purge=$?
	"$Q" worker start --count 3 --drain 2>/dev/null; echo drain=$?
	"$Q" fsck; echo fsck=$?
	"$Q" list --json | sed -n "s/^{\"id\":\"\([^\"]*\)\".*\"state\":\"\([^\"]*\)\".*/\1=\2/p"
	echo runs=$(sort ran | tr "\n" " ")
	echo leaves=$(ls "$S/ids" | tr "\n" " ")'
	for k in before retry purge drain fsck; do
		says $k 0
	done
	for k in p1 p2 p3 p4 p5 u3; do
		says $k completed
	done
	says u1 dead
	says runs "p1 p2 p3 p4 p5"
	says leaves "p1 p2 p3 p4 p5 u1 u3"
else
	skip "overlayfs: it cannot be mounted"
fi

t "names of less than 143 bytes"
fresh names
spool_init
id=$(awk 'BEGIN { while (n++ < 63) printf "i"; print "d" }')
jobfile "$id" 'ls -R "$QUEUECTL_SPOOL" >names.running; exit 1' |
    sed 's/^Max-Retries.*/Max-Retries: 2147483647/' >"$S/ids/$id"
ln "$S/ids/$id" "$S/pending/5-20200101T000000.000000Z-2147483646-$id"
pool --count 2
await 10 in_state dead "$id"
q worker stop >/dev/null 2>&1
pool_ends
is "$(name_attempt "$(name dead "$id")")" 2147483647 "attempt"
longest() { awk '{ if (length($0) > n) n = length($0) } END { print n + 0 }' "$@"; }
ls -R "$S" >names.after
for f in names.running names.after; do
	within "$(grep -v : $f | longest)" 64 142 "longest name"
done
like "$(cat names.running)" '^5-[^ ]*-2147483647-i*d$'

# --- PID namespaces -----------------------------------------------------------

# inside COMMAND...: in a PID namespace, as its PID 1; $ns is who waits for it
# out here, $one that PID 1 as it is called out here.
inside() {
	unshare -pf --mount-proc "$@" >>"$T/worker.out" \
	    2>>"$T/worker.err" &
	ns=$!
	await 10 grep -q . "/proc/$ns/task/$ns/children"
	read -r one _ <"/proc/$ns/task/$ns/children"
}
zombies() {
	for p in $(cat "/proc/$one/task/$one/children" 2>/dev/null); do
		case $(cat "/proc/$p/stat" 2>/dev/null) in
		*') Z '*) echo "$p" ;;
		esac
	done
}
no_zombies() { [ -z "$(zombies)" ]; }
children() { wc -w <"/proc/$one/task/$one/children"; }
has_children() { [ "$(children)" -eq "$1" ]; }

if [ "$pids" ] && [ -r "/proc/$$/task/$$/children" ]; then
	t "PID 1 reaps the orphans of its jobs"
	fresh pid1
	for n in 1 2 3 4 5; do
		q enqueue --id "z$n" -- sh -c 'sleep 0.1 & sleep 0.2 & (sleep 0.3 & exit) & exit 0' >/dev/null
	done
	q enqueue --id z6 -- sh -c 'echo $PPID; cat /proc/1/comm' >/dev/null
	inside "$QUEUECTL" worker start --count 2
	await 10 in_state 'done' z1 z2 z3 z4 z5 z6
	like "$(cat "$S/log/z6.log")" '^queuectl'
	# The two workers and nobody else.
	await 10 has_children 2
	await 5 no_zombies
	q enqueue --id z7 -- sh -c ': >z7.on; (sleep 0.1 &) ; until [ -e z7.go ]; do sleep 0.03; done' >/dev/null
	q enqueue --id z8 --delay 0.5 -- true >/dev/null
	await 10 test -e z7.on
	kill -TERM "$one"
	nap
	no ended "$one"
	is "$(where z7)" processing
	: >z7.go
	await 10 ended "$ns"
	wait "$ns"
	is $? 0 "status of PID 1"
	ok in_state 'done' z7
	is "$(where z8)" pending

	t "two PID namespaces with the same PIDs share a spool"
	fresh twins
	q config set backoff-base 0 >/dev/null
	# Another spool's pool, which nobody stops.
	q --spool "$T/w/third" worker start 2>/dev/null >&2 &
	third=$!
	inside "$QUEUECTL" worker start
	ns_a=$ns one_a=$one
	q enqueue --id a1 -- sh -c 'echo $PPID >a1.pid; [ $QUEUECTL_ATTEMPT = 1 ] && [ ! -e a1.on ] || exit 0; : >a1.on; sleep 1000' >/dev/null
	await 10 test -e a1.on
	inside "$QUEUECTL" worker start
	q enqueue --id b1 -- sh -c 'echo $PPID >b1.pid; : >b1.on; until [ -e b1.go ]; do sleep 0.03; done' >/dev/null
	await 10 test -e b1.on
	is "$(cat a1.pid)" "$(cat b1.pid)" "the same PID"
	run q worker list
	status 0
	is "$(printf '%s\n' "$out" | grep -c ' [ab]1 since ')" 2 "workers listed"
	run q status --json
	jis workers 2
	# One of them dies with all of its namespace, the other's worker has
	# the same PID, and lives.
	kill -KILL "$one_a"
	await 10 ended "$ns_a"
	wait "$ns_a" 2>/dev/null
	run q status --json
	jis workers 1
	is "$(where a1)" processing
	is "$(where b1)" processing
	: >b1.go
	await 10 in_state 'done' b1
	# A worker recovers at its start.
	q enqueue --id b2 -- sh -c 'kill -9 $PPID; sleep 100' >/dev/null
	await 10 in_state 'done' a1
	is "$(outcomes a1)" "lost exit=0"
	is "$(outcomes b1)" "exit=0"

	t "worker stop from a third place stops both, and only them"
	q dlq purge b2 >/dev/null 2>&1
	rm -f "$S/"*/*-b2
	inside "$QUEUECTL" worker start
	two=$ns
	for n in 1 2 3 4; do
		q enqueue --id "c$n" -- sleep 0.1 >/dev/null
	done
	await 10 in_state 'done' c1 c2 c3 c4
	await 5 test "$(ls "$S/workers" | wc -l)" -ge 2
	run q worker stop
	status 0
	await 5 ended "$two"
	wait "$two"
	is $? 0
	run q status --json
	jis workers 0
	is "$(entries workers | tr '\n' ' ')" "" "left in workers/"
	no ended "$third"
	q --spool "$T/w/third" worker stop 2>/dev/null
	await 5 ended "$third"
	wait "$third"
	is $? 0
else
	skip "PID namespaces: only root can make them"
fi
until_ok 5 none_marked

finish
