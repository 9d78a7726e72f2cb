# after.sh: jobs that wait for jobs, and held ones.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2013,SC2016,SC2034,SC2046,SC2094,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

# Nothing is left in after/ but these directories.
after_is() { is "$(ls -A "$S/after" | tr '\n' ' ')" "$1" "after/"; }
# ran: what the jobs of this test wrote, in order.
ran() { tr '\n' ' ' <ran 2>/dev/null; }
# note ID OPTION...: a job that notes its id.
note() {
	qt_id=$1
	shift
	q enqueue --id "$qt_id" "$@" -- sh -c "echo $qt_id >>ran"
}
fresh() {
	rm -rf "$S" ran
	spool_init
}

t "no job waits: no directory"
spool_init
note plain >/dev/null
drain
no test -e "$S/after"
no test -e "$S/held"

t "--after: when the parents are completed"
fresh
q enqueue --id a -- sh -c 'sleep 0.3; echo a >>ran' >/dev/null
run note b --after a
status 0
out_is b
is "$(where b)" after/a
note c --after a,b >/dev/null
note d --after c --after b --after b >/dev/null
is "$(grep -c '^After: ' "$S/ids/d")" 2
is "$(grep '^After' "$S/ids/c" | tr '\n' ' ')" "After: a After: b "
run q list --state waiting
out_has "[waits for a]"
out_has "[waits for c]"
run q show d
out_has "State:      waiting"
out_has "After:      c b"
out_has "Why:        waits for c, and also for a"
run q list --jsonl --state WAITING
is "$(grep -c . "$T/c/out")" 3
is "$(sed -n 's/.*"id":"c".*"after":\(\[[^]]*\]\).*/\1/p' "$T/c/out")" '["a","b"]'
jis state '"waiting"'
run q status --json
jis waiting 3
jis blocked 0
pool
await 10 in_state 'done' a b c d
is "$(ran)" "a b c d "
after_is ""
run q show d
out_has "After:      c b"
out_lacks "Why:"
stop_pool

t "the beginning of an id will do"
q enqueue --id parent-1 -- true >/dev/null
q enqueue --id parent-2 -- true >/dev/null
note pre --after parent-1 --after-any b >/dev/null
note pre2 --after parent-2,b >/dev/null
is "$(grep '^After' "$S/ids/pre2" | tr '\n' ' ')" "After: parent-2 After: b "
q enqueue --id other-long -- true >/dev/null
note pre3 --after other >/dev/null
is "$(where pre3)" after/other-long
refused 1 "parent: more than one job's id begins so" \
    q enqueue --after parent -- true
drain

t "a parent that is completed counts as completed"
note e --after a,d >/dev/null
is "$(where e)" pending
drain
is "$(where e)" 'done'

t "a parent that is dead blocks, and a retry repairs the chain"
fresh
q enqueue --id a --max-retries 1 -- sh -c 'echo a >>ran; test -e go' >/dev/null
note b --after a >/dev/null
note c --after b >/dev/null
note any --after-any a >/dev/null
note both --after-any a --after any >/dev/null
work any both
is "$(where a) $(where b) $(where c)" "dead after/a after/b"
run q list --state waiting
out_has "[waits for a, which is dead]"
out_has "[waits for b]"
run q show c
out_has "Why:        waits for b, and also for a, which is dead"
run q status
out_has "waiting     2"
out_has "blocked     1: waits for a, which will not be completed"
run q status --json
jis waiting 2
jis blocked 1
run q status --prometheus
out_has 'queuectl_jobs{state="waiting"} 2'
out_has "queuectl_jobs_blocked 1"
run q wait c
status 1
err_has "c: blocked: it waits for a, which will not be completed"
run q wait b c
status 1
err_has "2 of 2 jobs did not succeed"
run q worker start --drain
status 0
err_has "left 2 waiting jobs: 0 held, 1 blocked"
: >go
q dlq retry a >/dev/null
drain
is "$(ran)" "a any both a b c "
after_is ""

t "wait returns when a job becomes blocked"
fresh
q enqueue --id a --max-retries 1 -- sh -c 'sleep 0.3; exit 1' >/dev/null
note b --after a >/dev/null
note c --after b >/dev/null
pool
run q wait c
status 1
err_has "c: blocked"
stop_pool

t "a cancelled parent"
fresh
q enqueue --id a -- true >/dev/null
note b --after a >/dev/null
note any --after-any a >/dev/null
q cancel a >/dev/null
is "$(where b) $(where any)" "after/a pending"
run q show b
out_has "Why:        waits for a, which is dead"
t "to cancel a job that waits"
note c --after-any b >/dev/null
run q cancel b
status 0
out_is b
is "$(where b) $(where c)" "dead pending"
is "$(outcomes b)" cancelled
t "its retry waits again"
q dlq retry b >/dev/null
is "$(where b)" after/a
q dlq retry a >/dev/null
drain
is "$(where a) $(where b) $(where c)" "done done done"

t "a running parent that is cancelled"
fresh
q enqueue --id a -- sleep 60 >/dev/null
note any --after-any a >/dev/null
note b --after a >/dev/null
pool
await 10 in_state processing a
q cancel a >/dev/null
await 10 in_state 'done' any
is "$(where b)" after/a
stop_pool

t "a parent that was removed by hand"
fresh
q enqueue --id a -- true >/dev/null
note b --after a >/dev/null
note any --after-any a >/dev/null
rm "$S/pending/"*-a "$S/ids/a"
run q show any
out_has "Why:        waits for a, which is gone"
run q wait b
status 1
run q status --json
jis blocked 2
run q worker start --drain
status 0
err_has "left 2 waiting jobs: 0 held, 2 blocked"
t "mv after/ID/F pending/ drops it"
mv "$S/after/a/"*-b "$S/pending/"
drain
is "$(ran)" "b "
run q fsck
status 0

t "mv pending/F after/ID/ adds a dependency"
fresh
q enqueue --id a -- sh -c 'echo a >>ran' >/dev/null
note b --priority 0 >/dev/null
mkdir -p "$S/after/a"
chmod 700 "$S/after" "$S/after/a"
mv "$S/pending/"*-b "$S/after/a/"
run q show b
out_has "Why:        waits for a"
drain
is "$(ran)" "a b "
after_is ""

t "what a crash left between the parent's end and the release"
fresh
q enqueue --id a -- true >/dev/null
note b --after a >/dev/null
note c --after a,b >/dev/null
pending=$(name pending a)
mv "$S/pending/$pending" "$S/done/"
work b c
after_is ""

t "a mark that was left behind"
fresh
q enqueue --id a -- true >/dev/null
note b --after a >/dev/null
: >"$S/after/a/+zz"
chmod 600 "$S/after/a/+zz"
run q fsck
status 1
out_has "after/a/+zz: its job does not wait for this one; would remove it"
run q fsck --repair
status 0
no test -e "$S/after/a/+zz"
is "$(where b)" after/a

t "purge spares parents, the second and third, too"
fresh
q enqueue --id slow -- sh -c 'test -e go2' >/dev/null
for i in p2 p3 other; do q enqueue --id $i -- true >/dev/null; done
q config set backoff-base 0
note c --after slow,p2,p3 >/dev/null
note one --after slow >/dev/null
q config set max-retries 100
pool
await 10 in_state 'done' p2 p3 other
stop_pool
run q purge --older-than 0
status 0
out_is other
run q purge --state completed
out_is ""
is "$(where p2) $(where p3)" "done done"
q config set keep-done 0
q config set keep-dead 0
q enqueue --id tick -- true >/dev/null
pool
await 10 test ! -e "$S/ids/tick"
is "$(where p2) $(where p3)" "done done"
stop_pool
q config unset keep-done
q config unset keep-dead
: >go2
name dead slow >/dev/null && q dlq retry slow >/dev/null
drain
is "$(where c)" 'done'
run q purge --older-than 0
is "$(tr '\n' ' ' <"$T/c/out" | wc -w | tr -d ' ')" 5
is "$(ls "$S/ids")" ""

t "dlq purge spares them"
fresh
q enqueue --id a --max-retries 1 -- false >/dev/null
q enqueue --id z --max-retries 1 -- false >/dev/null
note b --after a >/dev/null
drain
run q dlq purge a
status 1
err_has "a: kept, because a waiting job names it as a parent"
run q dlq purge --all
status 1
out_is z
err_has "a: kept"
q cancel b >/dev/null
run q dlq purge --all
status 0
is "$(ls "$S/ids")" ""

t "a held child keeps its parents"
fresh
q enqueue --id a -- true >/dev/null
note b --after a >/dev/null
q hold b >/dev/null
is "$(where b)" held
drain
run q purge --older-than 0
status 0
out_is ""
run q release b
status 0
out_is b
is "$(where b)" pending
drain
run q purge --older-than 0
is "$(ls "$S/ids")" ""

t "an array is a workflow"
fresh
run q enqueue '[{"id":"report","command":"echo report >>ran","after_any":["build","test"]},
 {"id":"test","command":"echo test >>ran; exit 1","max_retries":1,"after":"build"},
 {"id":"build","command":"echo build >>ran"},
 {"command":"echo anonymous >>ran","after":["report"]}]'
status 0
is "$(sed -n '1,3p' "$T/c/out" | tr '\n' ' ')" "report test build "
is "$(count pending)" 1
drain
is "$(ran)" "build test report anonymous "

t "a ring"
fresh
run q enqueue '[{"id":"x","command":"true"},{"id":"a","command":"true","after":"c"},
 {"id":"b","command":"true","after":"a"},{"id":"c","command":"true","after_any":"b"}]'
status 2
out_is ""
err_has "would wait for itself: its parents wait for it"
is "$(ls "$S/ids")" ""
no test -e "$S/after"

t "JSON lines may name earlier lines"
feed '{"id":"l1","command":"echo l1 >>ran"}
{"id":"bad","command":1}
{"id":"l2","command":"echo l2 >>ran","after":"l1"}
{"id":"l3","command":"echo l3 >>ran","after":"bad"}
{"id":"l4","command":"echo l4 >>ran","after":"l5"}
{"id":"l5","command":"echo l5 >>ran","after":["l2"]}' q enqueue -
status 1
is "$(tr '\n' ' ' <"$T/c/out")" "l1 l2 l5 "
err_has 'line 4: there is no job "bad" to wait for'
err_has 'line 5: there is no job "l5" to wait for'
drain
is "$(ran)" "l1 l2 l5 "

t "list --json | enqueue - copies jobs that wait"
fresh
q enqueue --id a -- true >/dev/null
q enqueue --id h --hold -- true >/dev/null
note b --after a --after-any h >/dev/null
q list --json >list
run env QUEUECTL_SPOOL="$T/copy" "$QUEUECTL" enqueue - <list
q list --json | QUEUECTL_SPOOL=$T/copy "$QUEUECTL" enqueue - >copied
is "$(sort copied | tr '\n' ' ')" "a b h "
run env QUEUECTL_SPOOL="$T/copy" "$QUEUECTL" list --jsonl
is "$(sed -n 's/.*"id":"b".*"after":\(.*\),"created.*/\1/p' "$T/c/out")" \
    '["a"],"after_any":["h"]'
is "$(sed -n 's/.*"id":"h".*\("hold":true\).*/\1/p' "$T/c/out")" '"hold":true'
rm -rf "$T/copy"

t "hold and release"
fresh
run q enqueue --id h1 --hold -- sh -c 'echo h1 >>ran'
status 0
is "$(where h1)" held
note h2 >/dev/null
note h3 >/dev/null
q enqueue --id f --max-retries 9 --backoff-base 1000 -- false >/dev/null
run q hold h2
status 0
out_is h2
pool
await 10 in_state failed f
await 10 in_state 'done' h3
stop_pool
run q hold f h3 nope
status 1
out_is f
err_has "h3: cannot be held: it is completed"
err_has "nope: no such job"
run q hold h1
status 1
err_has "h1: is held already"
run q release h3
status 1
err_has "h3: is not held: it is completed"
run q list
out_has "[held; queuectl release lets it go]"
run q status
out_has "held        3; queuectl release lets them go"
run q worker start --drain
err_has "left 3 waiting jobs: 3 held, 0 blocked"
held=$(name held f)
run q release f h1 h2
status 0
is "$(name pending f)" "$held" "its name, with its time"
run q cancel f
status 0
t "by mv"
mv "$S/pending/"*-h1 "$S/held/"
drain
is "$(ran)" "h3 h2 "
run q wait --timeout 0.1 h1
status 124
mv "$S/held/"*-h1 "$S/pending/"
drain
is "$(ran)" "h3 h2 h1 "

t "--unique: a waiting job counts as one that waits"
q enqueue --id p --hold -- true >/dev/null
q enqueue --id u --unique --after p -- true >/dev/null
run q enqueue --id u --unique -- true
status 0
out_is u
is "$(where u)" after/p

t "wait --all, and a job that is held for long"
run q wait --all --timeout 0.1
status 124

t "bad input changes nothing"
refused 1 'there is no job "nope" to wait for' q enqueue --id n --after nope -- true
refused 1 'there is no job "nope" to wait for' \
    q enqueue '[{"id":"n","command":"true"},{"id":"m","command":"true","after":["p","n","nope"]}]'
refused 2 'a job cannot wait for itself' q enqueue --id n --after n -- true
refused 2 'a job cannot wait for itself' \
    q enqueue '{"id":"n","command":"true","after_any":["p","n"]}'
refused 2 '"after" must be the id of a job, or an array of ids, not ""' \
    q enqueue --id n --after '' -- true
refused 2 '"after" must be the id of a job, or an array of ids, not "a/b"' \
    q enqueue --id n --after p,a/b -- true
refused 2 '"after" must be the id of a job, or an array of ids' \
    q enqueue '{"command":"true","after":[1]}'
refused 2 '"after_any" must be the id of a job, or an array of ids' \
    q enqueue '{"command":"true","after_any":{}}'
refused 2 '"hold" must be true or false' q enqueue '{"command":"true","hold":1}'

t "after/ is a file"
fresh
q enqueue --id a -- true >/dev/null
: >"$S/after"
chmod 600 "$S/after"
refused 1 "/after: " q enqueue --id b --after a -- true
run q fsck
status 1
out_has "after: not a directory"
rm "$S/after"
t "after/ID is a file, and other things that a hand may leave"
q enqueue --id k --hold -- true >/dev/null
mkdir -m 700 "$S/after"
: >"$S/after/a"
chmod 600 "$S/after/a"
refused 1 "after/a" q enqueue --id b --after a -- true
rm "$S/after/a"
note b --after a >/dev/null
mkdir "$S/after/a/5-20200101T000000.000000Z-0-dir"
ln -s "$S/config" "$S/after/a/5-20200101T000000.000000Z-0-link"
echo x >"$S/after/a/readme"
work b
is "$(ls "$S/after/a" | wc -l | tr -d ' ')" 3
rm -r "$S/after/a"
t "a damaged child goes to dead/"
q enqueue --id p2 --hold -- true >/dev/null
note c --after p2 >/dev/null
f=$(ls "$S/after/p2/")
rm "$S/after/p2/$f" "$S/ids/c"
echo garbage >"$S/after/p2/$f"
chmod 600 "$S/after/p2/$f"
run q list
status 0
q release p2 >/dev/null
pool
await 10 in_state dead c
stop_pool

t "a scheduled child keeps its time"
fresh
q enqueue --id a -- true >/dev/null
q enqueue --id b --after a --delay 3600 -- true >/dev/null
pool
await 10 in_state pending b
case $(name pending b) in
5@*) pass ;;
*) fail "a time" "$(name pending b)" ;;
esac
stop_pool

t "a ring that a hand made"
fresh
q enqueue --id p --hold -- true >/dev/null
note a --after p >/dev/null
note b --after a >/dev/null
note c --after b >/dev/null
mkdir -m 700 "$S/after/c"
mv "$S/after/p/"*-a "$S/after/c/"
run q show b
out_has "Why:        waits for a, in a ring of jobs that wait for each other"
run q wait a b c
status 1
err_has "3 of 3 jobs did not succeed"
note d --after c >/dev/null
run q wait d
status 1
run q worker start --drain
status 0

t "a ring that a unique job would close"
fresh
q enqueue --id x --max-retries 1 -- false >/dev/null
note y --after x >/dev/null
drain
refused 1 "it would wait for itself" q enqueue --unique --id x --after y -- true
is "$(where x) $(where y)" "dead after/x"
q enqueue --unique --id x -- true >/dev/null
drain
is "$(where x) $(where y)" "done done"

t "a second parent that is dead blocks, although the first one works"
fresh
q enqueue --id a --hold -- true >/dev/null
q enqueue --id b --max-retries 1 -- false >/dev/null
note c --after a,b >/dev/null
drain
run q wait c
status 1
err_has "c: blocked: it waits for b, which will not be completed"
run q show c
out_has "Why:        waits for a, and also for b, which is dead"

t "cancel of children while their parent ends"
fresh
q config set sync none
for n in 1 2 3; do
	q enqueue --id p$n -- sleep 0.1 >/dev/null
	awk -v p=p$n 'BEGIN { for (i = 0; i < 200; i++)
	    print "{\"id\":\"" p "c" i "\",\"command\":\"true\",\"after\":\"" p "\"}" }' |
	    q enqueue - >ids
	pool
	await 10 in_state processing p$n
	run q cancel $(cat ids)
	stop_pool
	is "$(grep -v 'has ended already: it is completed;' "$T/c/err")" "" "complaints"
	drain
	is "$(for i in $(cat "$T/c/out"); do
		name dead "$i" >/dev/null || echo "$i"
	done)" "" "cancelled, and not dead"
done

t "dlq retry of children while pools sweep"
fresh
q enqueue --id p --hold -- true >/dev/null
awk 'BEGIN { for (i = 0; i < 300; i++)
	print "{\"id\":\"c" i "\",\"command\":\"true\",\"after\":\"p\"}" }' |
    q enqueue - >ids
q cancel $(cat ids) >/dev/null
rmdir "$S/after/p" 2>/dev/null
: >over
rm over
while [ ! -e over ]; do
	q worker start --drain 2>/dev/null
done &
sweeps=$!
run q dlq retry --all
: >over
wait $sweeps
status 0
is "$(wc -l <"$T/c/out" | tr -d ' ')" 300
is "$(ls "$S/after/p" | wc -l | tr -d ' ')" 300

t "many children, and a long chain"
fresh
q config set sync none
# without inotify each link of the chain waits for a look
chain=500
! portable || chain=60
awk -v chain=$chain 'BEGIN {
	print "{\"id\":\"root\",\"command\":\"true\"}"
	for (i = 0; i < 2000; i++)
		print "{\"id\":\"c" i "\",\"command\":\"true\",\"after\":\"root\"}"
	print "{\"id\":\"n0\",\"command\":\"true\"}"
	for (i = 1; i < chain; i++)
		print "{\"id\":\"n" i "\",\"command\":\"true\",\"after\":\"n" i - 1 "\"}"
	printf "{\"id\":\"join\",\"command\":\"true\",\"after\":[\"root\""
	for (i = 0; i < 500; i++)
		printf ",\"c" i "\""
	print "]}"
}' | q enqueue - >ids
is "$(wc -l <ids | tr -d ' ')" $((2002 + chain))
run q wait --timeout 0 "n$((chain - 1))"
status 124
run q worker start --drain --count 4
status 0
is "$(count 'done')" $((2002 + chain))
after_is ""
finish
