# unique.sh: enqueue --unique, the cure for a cron job that overtakes itself.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

spool_init
t "pending: its id is printed, nothing is enqueued"
run q enqueue --unique --id cron -- sh -c 'echo ran >>RAN; [ -e good ]'
status 0
out_is cron
cp "$S/ids/cron" was
run q enqueue --unique --id cron --priority 0 -- echo other
status 0
out_is cron
err_is ""
same was "$S/ids/cron"
run q enqueue '{"id":"cron","unique":true,"command":"echo other"}'
status 0
out_is cron
same was "$S/ids/cron"
is "$(count pending)" 1

t "not unique: the id exists"
run q enqueue --id cron -- true
status 1
err_has 'id "cron" exists already'

t "it is shown, and so a copy is whole"
run q list --json
jis unique true
ok grep -qx 'Unique: yes' "$S/ids/cron"
q list --json | q --spool copy enqueue - >out
is "$(cat out)" cron
run q --spool copy show cron --json
jis unique true
run q enqueue '{"id":"plain","unique":false,"command":"true"}'
status 0
run q show plain --json
out_lacks unique
q cancel plain >/dev/null

t "failed, waiting for its retry"
q config set backoff-base 3600
sed 's/^Backoff-Base.*/Backoff-Base: 3600/' was >"$S/ids/cron"
pool
await 10 in_state failed cron
run q enqueue --unique --id cron -- true
status 0
out_is cron
is "$(count pending)" 0
q config set backoff-base 0

t "processing"
: >good
due cron
q enqueue --id slow --unique -- sh -c ': >in; until [ -e go ]; do sleep 0.05; done' >/dev/null
await 10 test -e in
run q enqueue --unique --id slow -- true
status 0
out_is slow
is "$(count pending)" 0
: >go
run q wait slow cron
status 0
stop_pool

t "done: the new one takes its place"
run q logs slow
cp "$S/ids/slow" was
run q enqueue --unique --id slow -- echo new
status 0
out_is slow
is "$(where slow)" pending
is "$(attempts slow)" 0
is "$(count log | tr -d ' ')" "$(entries log | grep -vc slow)"
drain
run q logs slow
out_is new
is "$(ls "$S"/*/*-slow | wc -l | tr -d ' ')" 1

t "dead: so it does"
q enqueue --id bad --max-retries 1 -- false >/dev/null
drain
is "$(where bad)" dead
run q enqueue --unique --id bad -- true
status 0
drain
is "$(where bad)" 'done'
is "$(outcomes bad)" exit=0

t "in an array and in lines: each id is printed, in order"
q enqueue --id a2 --delay 3600 -- true >/dev/null
run q enqueue '[{"id":"a1","command":"true"},
    {"id":"a2","unique":true,"command":"true"},
    {"id":"a3","unique":true,"command":"true"},
    {"id":"a3","unique":true,"command":"true"}]'
status 0
out_is "a1${nl}a2${nl}a3${nl}a3"
is "$(count pending)" 3
feed '{"id":"l1","command":"true"}
{"id":"a2","unique":true,"command":"true"}
{"id":"l1","unique":true,"command":"true"}
{"id":"l1","command":"true"}
{"id":"l2","unique":true,"command":"true"}
' q enqueue -
status 1
out_is "l1${nl}a2${nl}l1${nl}l2"
err_like '^queuectl: line 4: id "l1" exists already; [^;]*$'
is "$(count pending)" 5

t "an entry that was left behind is in nobody's way"
: >"$S/ids/left"
chmod 600 "$S/ids/left"
run q enqueue --unique --id left -- true
status 0
out_is left
is "$(where left)" pending

t "one that a hand has put aside keeps its id"
q enqueue --id aside -- true >/dev/null
mv "$S"/pending/*-aside kept
run q enqueue --unique --id aside -- true
status 1
err_has 'id "aside" exists already'
feed '{"id":"aside","unique":true,"command":"true"}
' q enqueue -
status 1
err_has 'line 1: id "aside" exists already'
rm kept
run q enqueue --unique --id aside -- true
status 0
q cancel aside >/dev/null

t "with --wait: for the one that is there"
q enqueue --id there --max-retries 1 -- sh -c 'exit 5' >/dev/null
pool
run q enqueue --unique --wait --id w -- sh -c 'exit 0'
status 0
run q wait there
status 5
stop_pool

t "mistakes"
refused 2 '--unique: "unique" needs an "id"' q enqueue --unique -- true
refused 2 '"unique" needs an "id"' q enqueue '{"unique":true,"command":"true"}'
refused 2 '"unique" must be true or false, not null' q enqueue \
    '{"id":"n","unique":null,"command":"true"}'
refused 2 '"unique" must be true or false, not a number' q enqueue \
    '{"id":"n","unique":1,"command":"true"}'
refused 2 '"unique" must be true or false, not a string' q enqueue \
    '{"id":"n","unique":"true","command":"true"}'
refused 2 "takes no value" q enqueue --unique=yes --id n -- true
refused 2 "go with -- CMD" q enqueue --unique '{"id":"n","command":"true"}'

t "eight at once, again and again: one job"
for r in 1 2 3 4 5 6 7 8 9 10; do
	for k in 1 2 3 4 5 6 7 8; do
		q enqueue --unique --id many -- true >>many.out 2>>many.err &
		eval "k$k=$!"
	done
	# shellcheck disable=SC2154
	for k in "$k1" "$k2" "$k3" "$k4" "$k5" "$k6" "$k7" "$k8"; do
		wait "$k" || fail "status 0" "$?: $(cat many.err)"
	done
	is "$(entries pending | grep -c many)" 1
	q cancel many >/dev/null
done
is "$(grep -c '^many$' many.out)" 80
is "$(cat many.err)" ""

finish
