# lib.sh: what every black-box test sources first.
#
# A test is a POSIX sh script (dash, busybox ash, zsh --emulate sh) that looks at
# queuectl from outside.  `NAME=value function` is not in POSIX: in some shells
# the value stays.  A test gets a directory of its own, $T, with
#
#	$T/w      its working directory
#	$T/spool  QUEUECTL_SPOOL; not there before the first command makes it
#	$T/home, $T/tmp   HOME and TMPDIR: must stay empty
#	$T/c      what run() captured
#
# and ends with `finish`.  Every assertion counts as one, says on stderr what
# it expected and what came, and lets the test go on.  Whatever a test starts
# carries QT_MARK in its environment, so that the clean-up finds what was left
# behind: a process that survives `worker stop --now`, or a file outside of
# the directory, fails the test.
#
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2012,SC2034,SC2119,SC2120

set -u
LC_ALL=C
export LC_ALL
umask 022

qt_name=${0##*/}
qt_name=${qt_name%.sh}
qt_root=$(cd "${0%/*}/.." && pwd) || exit 1
[ -d "$qt_root/tests" ] || qt_root=${qt_root%/*} # a test of tests/ship
QUEUECTL=${QUEUECTL:-$qt_root/queuectl}
case $QUEUECTL in
/*) ;;
*) QUEUECTL=$(pwd)/$QUEUECTL ;;
esac
if [ ! -x "$QUEUECTL" ]; then
	echo "$qt_name: no program at $QUEUECTL" >&2
	echo "$qt_name: 0 passed, 1 failed"
	exit 1
fi

T=$(sh "$qt_root/tests/scratch" test) || exit 1
T=$(cd "$T" && pwd -P) || exit 1
QT_MARK=${QT_RUN:-$T}
QUEUECTL_SPOOL=$T/spool
S=$QUEUECTL_SPOOL
HOME=$T/home
TMPDIR=$T/tmp
unset XDG_STATE_HOME QT_RUN
export QUEUECTL QUEUECTL_SPOOL HOME TMPDIR QT_MARK
mkdir "$T/w" "$T/home" "$T/tmp" "$T/c" && cd "$T/w" || exit 1

qt_passed=0 qt_failed=0 qt_skipped=0
qt_case='' qt_why='' qt_finished='' qt_mounts=''
qt_after=''
qt_var=$(ls -d /var/spool/queuectl 2>/dev/null)
qt_root_user=
[ "$(id -u)" = 0 ] && qt_root_user=1
nl='
'

# Whether it is the portable build (QT_PORTABLE=1) that is tested: a job goes on
# when its worker is killed, and news come by polling.
portable() { [ -n "${QT_PORTABLE-}" ]; }

# The program.
q() { "$QUEUECTL" "$@"; }

# --- cases and assertions ---------------------------------------------------

# t NAME: what follows is about NAME.
t() { qt_case=$1 qt_after=''; }

pass() { qt_passed=$((qt_passed + 1)); }

# fail WANT GOT
fail() {
	qt_failed=$((qt_failed + 1))
	{
		printf '%s: %s: FAILED\n' "$qt_name.sh" "$qt_case"
		printf '    expected: %s\n' "$1"
		printf '    came:     %s\n' "$2" | cut -c 1-1500 | head -n 30
	} >&2
}

# skip REASON: a case that this machine cannot try.
skip() {
	qt_skipped=$((qt_skipped + 1))
	case $qt_why in
	*"$1"*) ;;
	*) qt_why="$qt_why${qt_why:+; }$1" ;;
	esac
}

qt_read() {
	out='' err=''
	[ ! -s "$T/c/out" ] || out=$(tr -d '\000' <"$T/c/out")
	[ ! -s "$T/c/err" ] || err=$(tr -d '\000' <"$T/c/err")
}

# run CMD...: st, $T/c/out, $T/c/err.  stdin is empty.
run() {
	qt_ran=$*
	"$@" >"$T/c/out" 2>"$T/c/err" </dev/null
	st=$?
	qt_read
}

# feed TEXT CMD...: the same with TEXT on stdin, as it is.
feed() {
	printf '%s' "$1" >"$T/c/in"
	shift
	qt_ran=$*
	"$@" >"$T/c/out" 2>"$T/c/err" <"$T/c/in"
	st=$?
	qt_read
}

qt_said() {
	printf 'status %s, stdout "%s", stderr "%s", from %s' "$st" \
	    "$(printf '%s' "$out" | cut -c 1-300)" \
	    "$(printf '%s' "$err" | cut -c 1-300)" \
	    "$(printf '%s' "$qt_ran" | cut -c 1-200)"
}

# About the last run: its status (one of the given), its words.
status() {
	for qt_w; do
		if [ "$st" = "$qt_w" ]; then
			pass
			return
		fi
	done
	fail "status $*" "$(qt_said)"
}
out_is() {
	if [ "$out" = "$1" ]; then pass; else fail "stdout \"$1\"" "$(qt_said)"; fi
}
out_has() {
	case $out in
	*"$1"*) pass ;;
	*) fail "stdout with \"$1\"" "$(qt_said)" ;;
	esac
}
out_lacks() {
	case $out in
	*"$1"*) fail "stdout without \"$1\"" "$(qt_said)" ;;
	*) pass ;;
	esac
}
err_is() {
	if [ "$err" = "$1" ]; then pass; else fail "stderr \"$1\"" "$(qt_said)"; fi
}
err_has() {
	case $err in
	*"$1"*) pass ;;
	*) fail "stderr with \"$1\"" "$(qt_said)" ;;
	esac
}
# ERE, any case
err_like() {
	if grep -aiqE -e "$1" "$T/c/err"; then pass
	else fail "stderr like /$1/" "$(qt_said)"; fi
}
out_like() {
	if grep -aiqE -e "$1" "$T/c/out"; then pass
	else fail "stdout like /$1/" "$(qt_said)"; fi
}

# is GOT WANT [WHAT]
is() {
	if [ "$1" = "$2" ]; then pass; else fail "${3:+$3: }$2" "$1"; fi
}
# like GOT ERE [WHAT]
like() {
	if printf '%s\n' "$1" | grep -aqE -e "$2"; then pass
	else fail "${3:+$3: }like /$2/" "$1"; fi
}
# within GOT LOW HIGH [WHAT]: numbers, fractions too
within() {
	if awk -v x="$1" -v l="$2" -v h="$3" \
	    'BEGIN { exit !(x != "" && x + 0 >= l && x + 0 <= h) }'; then pass
	else fail "${4:+$4: }from $2 to $3" "$1"; fi
}
# exact LOW HIGH CMD...: CMD prints seconds, never less than LOW, and once in
# five not more than HIGH: a busy machine delays anything now and then.  CMD
# gets the number of the try.
exact() {
	qt_low=$1 qt_high=$2 qt_all=''
	shift 2
	for qt_n in 1 2 3 4 5; do
		qt_took=$("$@" $qt_n)
		qt_all="$qt_all $qt_took"
		awk -v x="$qt_took" -v l="$qt_low" \
		    'BEGIN { exit !(x != "" && x + 0 >= l) }' || break
		if awk -v x="$qt_took" -v h="$qt_high" \
		    'BEGIN { exit !(x + 0 <= h) }'; then
			pass
			return
		fi
	done
	fail "seconds from $qt_low to $qt_high of: $*" "$qt_all"
}
# ok CMD..., no CMD...: it succeeds, it fails.
ok() {
	if "$@" >/dev/null 2>&1; then pass; else fail "success of: $*" failure; fi
}
no() {
	if "$@" >/dev/null 2>&1; then fail "failure of: $*" success; else pass; fi
}
same() {
	if cmp "$1" "$2" >"$T/c/cmp" 2>&1; then pass
	else fail "$1 same as $2" "$(cat "$T/c/cmp")"; fi
}

# unprivileged CMD...: modes count for it, also for root.
unprivileged() {
	if [ "$qt_root_user" ]; then
		setpriv --bounding-set=-dac_override,-dac_read_search "$@"
	else
		"$@"
	fi
}
# modes_count: whether they do; makes the directory closed, mode 500.
modes_count() {
	mkdir -m 500 closed
	unprivileged true 2>/dev/null &&
	    ! unprivileged touch closed/x 2>/dev/null
}

nap() { sleep 0.05 2>/dev/null || sleep 1; }

# until_ok SECONDS CMD...: polls; no assertion.
until_ok() {
	qt_end=$(($(date +%s) + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$qt_end" ] || return 1
		nap
	done
}
# await SECONDS CMD...: an assertion that it comes true in time.
await() {
	qt_secs=$1
	if until_ok "$@"; then
		pass
	else
		shift
		fail "within $qt_secs s: $*" "$(
			"$@" 2>&1
			printf 'status %s; the spool:\n' $?
			for d in pending processing failed dead 'done'; do
				entries "$d" | sed "s,^,$d/," | head -n 5
			done
			tail -n 4 "$T/worker.err" 2>&1
		)"
		return 1
	fi
}

# json KEY [FILE]: the first value of KEY in (a line of) JSON, as written.
json() {
	awk -v k="\"$1\"" '
	{ s = s $0 "\n" }
	END {
		while ((i = index(s, k)) > 0) {
			s = substr(s, i + length(k))
			if (s ~ /^ *:/)
				break
		}
		if (!i)
			exit 1
		sub(/^ *: */, "", s)
		if (s ~ /^"/)
			match(s, /^"([^"\\]|\\.)*"/)
		else
			match(s, /^[^],} \n]*/)
		print substr(s, 1, RLENGTH)
	}' "${2:-$T/c/out}"
}
# jis KEY VALUE: about the last run's output.
jis() { is "$(json "$1")" "$2" "$1 of $qt_ran"; }

# Every line of the last output is JSON, as far as this machine can tell.
json_lines() {
	if command -v jq >/dev/null 2>&1; then
		if jq -e . "$T/c/out" >/dev/null 2>"$T/c/jq"; then pass
		else fail "JSON" "$(cat "$T/c/jq"): $(qt_said)"; fi
	fi
}

# display N TEXT: the literal display of queuectl.N with a line that begins with
# TEXT, as it is typeset.
display() {
	awk -v text="$2" '
	/^\.Ed/ { if (found) printf "%s", all; on = found = 0 }
	on { all = all $0 "\n" }
	on && index($0, text) == 1 { found = 1 }
	/^\.Bd -literal/ { on = 1; all = "" }' "$qt_root/man/queuectl.$1" |
	    sed 's/\\&//g; s/\\-/-/g; s/\\e/\\/g'
}

# --- the spool ----------------------------------------------------------------

# entries DIR: the names in it, one a line; count DIR: how many.
entries() { ls -A "$S/$1" 2>/dev/null; }
count() { entries "$1" | awk 'END { print NR }'; }
# has DIR N: it holds N entries (for await).
has() { [ "$(count "$1")" -eq "$2" ]; }

# name DIR ID: the job's file name there.
name() {
	for qt_f in "$S/$1"/[0-9][-@][0-9]*Z-[0-9]*-"$2"; do
		if [ -e "$qt_f" ]; then
			printf '%s\n' "${qt_f##*/}"
			return
		fi
	done
	return 1
}
# holds DIR N: at least N entries.
holds() { [ "$(count "$1")" -ge "$2" ]; }
# in_state DIR ID...: each is there.
in_state() {
	qt_d=$1
	shift
	for qt_i; do
		name "$qt_d" "$qt_i" >/dev/null || return 1
	done
}
# where ID: the directory of its state; of a waiting job, after/PARENT.
where() {
	for qt_d in pending processing 'done' failed dead held \
	    $(cd "$S" && ls -d after/* 2>/dev/null); do
		if name "$qt_d" "$1" >/dev/null; then
			echo "$qt_d"
			return
		fi
	done
	echo nowhere
}
# The fields of a name.
name_stamp() { printf '%s\n' "$1" | sed 's/^.[-@]\([^-]*\)-.*/\1/'; }
name_attempt() { printf '%s\n' "$1" | sed 's/^.[-@][^-]*-\([0-9]*\)-.*/\1/'; }

# attempt ID N: its Nth Attempt: line; attempts ID: how many there are.
attempt() { grep -a '^Attempt: ' "$S/ids/$1" | sed -n "${2}p"; }
attempts() { grep -ac '^Attempt: .*worker=' "$S/ids/$1"; }
# tried ID N: it has at least N (for await).
tried() { [ "$(attempts "$1")" -ge "$2" ]; }
# field KEY LINE: KEY=value on an Attempt: line.
field() { printf '%s\n' "$2" | sed -n "s/.* $1=\([^ ]*\).*/\1/p"; }
# outcomes ID: the outcome of each attempt, on one line.
outcomes() {
	sed -n 's/^Attempt: [0-9]* start=[^ ]* end=[^ ]* \(.*\) log=.*/\1/p' \
	    "$S/ids/$1" | tr '\n' ' ' | sed 's/ $//'
}

# secs TIME: seconds since 1970 of either form of a time.
secs() {
	printf '%s\n' "$1" | tr -d ':Z-' | awk '{
		y = substr($0, 1, 4) + 0; m = substr($0, 5, 2) + 0
		d = substr($0, 7, 2) + 0
		if (m <= 2) { y--; m += 12 }
		days = 365 * y + int(y / 4) - int(y / 100) + int(y / 400) \
		    + int((153 * (m - 3) + 2) / 5) + d - 719469
		printf "%.6f\n", days * 86400 + substr($0, 10, 2) * 3600 \
		    + substr($0, 12, 2) * 60 + substr($0, 14)
	}'
}
# minus A B: A - B of two times.
minus() { awk -v a="$(secs "$1")" -v b="$(secs "$2")" \
    'BEGIN { printf "%.6f\n", a - b }'; }
# took LINE: seconds between start= and end= of an Attempt: line.
took() { minus "$(field end "$1")" "$(field start "$1")"; }

# spool_init: makes the spool, with settings that do not dawdle.
spool_init() {
	q config set backoff-base 0 && q config set sync none
} >"$T/c/init" 2>&1

# jobfile ID COMMAND [LINE...]: a job's text, on stdout.
jobfile() {
	printf 'Queuectl: 1\nId: %s\nCommand: %s\nMax-Retries: 3\n' "$1" "$2"
	printf 'Backoff-Base: 0\nPriority: 5\nCwd: %s\n' "$T/w"
	printf 'Created: 2020-01-02T03:04:05.000001Z\n'
	shift 2
	[ $# -eq 0 ] || printf '%s\n' "$@"
}
# plant DIR NAME ID COMMAND [LINE...]: that file, by both of its names.
plant() {
	qt_d=$1 qt_n=$2 qt_i=$3
	shift 2
	jobfile "$@" >"$S/ids/$qt_i" &&
	    ln "$S/ids/$qt_i" "$S/$qt_d/$qt_n"
}
# due ID: its backoff is over, by hand.
due() {
	qt_n=$(name failed "$1") &&
	    mv "$S/failed/$qt_n" \
	    "$S/failed/5@20200101T000000.000000Z-$(name_attempt "$qt_n")-$1"
}

# snap: all that must not change, as text: everything but times.
snap() {
	ls -AilR "$S" 2>/dev/null |
	    sed 's/ [A-Z][a-z][a-z]  *[0-9]*  *[0-9:]* / /' - "$S"/config \
	    "$S"/ids/* "$S"/log/* 2>/dev/null
}
# refused STATUS TEXT CMD...: the status, TEXT on stderr, nothing on stdout,
# nothing changed in the spool since then, or since the last refused of the
# case.
refused() {
	qt_st=$1 qt_tx=$2
	shift 2
	qt_before="${qt_after:-$(snap)}"
	run "$@"
	qt_refused
}
# The same with stdin.
refused_in() {
	qt_st=$1 qt_tx=$2 qt_in=$3
	shift 3
	qt_before="${qt_after:-$(snap)}"
	feed "$qt_in" "$@"
	qt_refused
}
qt_refused() {
	qt_after=$(snap)
	status "$qt_st"
	out_is ""
	err_has "$qt_tx"
	if [ "$qt_before" = "$qt_after" ]; then pass
	else fail "an unchanged spool" "$qt_before$nl -- then: $nl$qt_after
	    $(qt_said)"; fi
}

# --- workers ------------------------------------------------------------------

# pool ARG...: `worker start ARG...` in the background; its pid in $pool, what
# it says in $T/worker.err.
pool() {
	"$QUEUECTL" worker start "$@" >>"$T/worker.out" 2>>"$T/worker.err" &
	pool=$!
}
# said TEXT: a worker said so.
said() { grep -aqF -e "$1" "$T/worker.err"; }
# drain [N]: runs all there is.
drain() {
	q worker start --drain --count "${1:-1}" >>"$T/worker.out" \
	    2>>"$T/worker.err" </dev/null
	is $? 0 "status of worker start --drain"
}
# work ID...: a pool runs until these jobs are done, whatever else there is.
work() {
	pool
	await 20 in_state 'done' "$@"
	stop_pool
}
# ended PID: it is no more (a zombie is none).
ended() {
	kill -0 "$1" 2>/dev/null || return 0
	[ -r "/proc/$1/stat" ] || return 1
	case $(cat "/proc/$1/stat" 2>/dev/null) in
	*') Z '*|'') return 0 ;;
	esac
	return 1
}
# pool_ends [STATUS]: the pool in $pool ends in time, with that status.
pool_ends() {
	if await 10 ended "$pool"; then
		wait "$pool"
		is $? "${1:-0}" "status of the pool"
	fi
}
# stop_pool: ends it quietly.
stop_pool() {
	q worker stop --now >/dev/null 2>&1
	wait "$pool" 2>/dev/null
}

# --- processes and the end ----------------------------------------------------

# marked: the pids of all that this test started and that lives.
marked() (
	qt_m=QT_MARK=$QT_MARK
	unset QT_MARK
	grep -lzxF -e "$qt_m" /proc/[0-9]*/environ 2>/dev/null |
	    sed 's,^/proc/\([0-9]*\)/.*,\1,'
)
none_marked() { [ -z "$(marked)" ]; }

# mounted DIR: unmount it at the end.
mounted() { qt_mounts="$1 $qt_mounts"; }

finish() {
	qt_finished=1
	exit 0
}

qt_cleanup() {
	trap '' TERM INT HUP
	trap - EXIT
	t "at the end"
	[ "$qt_finished" ] || fail "the script runs to its end" "it ended early"
	cd /
	for qt_d in "$T"/*/workers "$T"/w/*/workers; do
		[ -d "$qt_d" ] || continue
		q --spool "${qt_d%/workers}" worker stop --now >/dev/null 2>&1
	done
	until_ok 2 none_marked
	qt_left=$(marked)
	if [ "$qt_left" ]; then
		fail "no process left behind" "$(for p in $qt_left; do
			printf '%s %s; ' "$p" \
			    "$(tr '\000' ' ' <"/proc/$p/cmdline" 2>/dev/null)"
		done)"
		# shellcheck disable=SC2086
		kill -9 $qt_left 2>/dev/null
	fi
	for qt_d in home tmp; do
		[ -z "$(ls -A "$T/$qt_d")" ] ||
		    fail "nothing in $qt_d" "$(ls -A "$T/$qt_d")"
	done
	[ "$qt_var" = "$(ls -d /var/spool/queuectl 2>/dev/null)" ] ||
	    fail "no /var/spool/queuectl" "it is there"
	for qt_d in $qt_mounts; do
		umount "$qt_d" || fail "umount $qt_d" "failure"
	done
	if [ "${KEEP:-}" ]; then
		echo "kept: $T" >&2
	else
		[ -z "${fixed-}" ] || chattr -R -i "$T" 2>/dev/null
		chmod -R u+rwx "$T" 2>/dev/null
		rm -rf "$T"
	fi
	printf '%s: %s passed, %s failed' "$qt_name" "$qt_passed" "$qt_failed"
	[ "$qt_skipped" = 0 ] || printf ', %s skipped: %s' "$qt_skipped" "$qt_why"
	printf '\n'
	[ "$qt_failed" = 0 ] && exit 0
	exit 1
}
trap qt_cleanup EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
trap 'exit 129' HUP
