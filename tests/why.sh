# why.sh: why a job is not running, in one phrase.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

spool_init
# why ID ERE: show, show --json and list say so; NONE: none of them says any.
why() {
	run q show "$1"
	if [ "$2" = NONE ]; then out_lacks "Why:"
	else out_like "^Why:        $2\$"; fi
	run q show "$1" --json
	if [ "$2" = NONE ]; then out_lacks '"why"'
	else like "$(json why)" "^\"$2\"\$"; fi
	run q list --json
	if [ "$2" = NONE ]; then no grep -q "\"id\":\"$1\".*\"why\"" "$T/c/out"
	else ok grep -Eq "\"id\":\"$1\".*\"why\":\"$2\"" "$T/c/out"; fi
	run q list
	if [ "$2" = NONE ]; then no grep -q "^$1 .*]\$" "$T/c/out"
	elif [ "${2#unreadable}" = "$2" ]; then
		ok grep -Eq "^$1 .*  \\[$2]\$" "$T/c/out"
	fi
}

t "no worker, due"
q enqueue --id first -- true >/dev/null
q enqueue --id later --delay 100 -- true >/dev/null
why first "no worker"
why later "due in 1 min [34][0-9] s"
q enqueue --id soon --delay 43 -- true >/dev/null
why soon "due in 4[0-3] s"
q cancel soon later >/dev/null
why soon NONE

t "paused"
q pause
why first paused
q resume
drain
why first NONE

t "all busy, n ahead of it; due ones count, others do not"
q enqueue --id run1 -- sh -c ': >in1; until [ -e go ]; do sleep 0.05; done' >/dev/null
pool
await 10 test -e in1
q enqueue --id b1 -- true >/dev/null
q enqueue --id b2 -- true >/dev/null
q enqueue --id b3 --priority 9 -- true >/dev/null
q enqueue --id b0 --priority 0 -- true >/dev/null
q enqueue --id far --priority 0 --delay 1000 -- true >/dev/null
jobfile failed1 true >new
ln new "$S/ids/failed1"
mv new "$S/failed/0@20200101T000000.000000Z-1-failed1"
why run1 NONE
why failed1 "all workers busy \\(0 ahead of it\\)"
why b0 "all workers busy \\(1 ahead of it\\)"
why b1 "all workers busy \\(2 ahead of it\\)"
why b2 "all workers busy \\(3 ahead of it\\)"
why b3 "all workers busy \\(4 ahead of it\\)"
why far "due in 16 min [34][0-9] s"
q pause
why b2 paused
q resume
: >go
await 10 in_state 'done' b3
stop_pool

t "its retry"
q enqueue --id retry --backoff-base 100 -- false >/dev/null
pool
await 10 in_state failed retry
why retry "waits for its retry \\(attempt 2 of 3\\), due in 1 min [34][0-9] s"
stop_pool

t "unreadable"
echo garbage >"$S/pending/5-20200101T000000.000000Z-0-junk"
why junk "unreadable file: the first line is not \\\\?\"Queuectl: 1\\\\?\""
rm "$S/pending/5-20200101T000000.000000Z-0-junk"

t "what is printed can be enqueued again"
q enqueue --id again -- true >/dev/null
q list --json --state pending | q --spool copy enqueue - >out
ok grep -qx again out

finish
