# lock.sh: named locks with slots.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

# alone FILE SECONDS: a command that leaves FILE.clash if it is not alone.
alone() {
	printf 'set -C; : >%s || : >>%s.clash; sleep %s; rm %s' \
	    "$1" "$1" "$2" "$1"
}
# state ID: the word for it.
state() { q show --json "$1" | sed 's/.*"state":"\([a-z]*\)".*/\1/'; }
state_is() { [ "$(state "$1")" = "$2" ]; }
# end_pool: stops the pool that pool() started.
end_pool() {
	q worker stop "$@" 2>/dev/null
	wait "$pool"
}
# no_process PID: it has ended.
no_process() { ! kill -0 "$1" 2>/dev/null; }

spool_init
t "nothing is paid for what nobody uses"
q enqueue --id plain -- true >/dev/null
drain
no test -e "$S/locks"

t "bad names and lists are refused"
refused 2 'must be 1 to 32 of' q enqueue --lock 'a+b' -- true
refused 2 'must be 1 to 32 of' q enqueue --lock a/b -- true
refused 2 'must be 1 to 32 of' q enqueue --lock .a -- true
refused 2 'must be 1 to 32 of' q enqueue --lock '' -- true
refused 2 'must be 1 to 32 of' q enqueue --lock a, -- true
refused 2 'must be 1 to 32 of' q enqueue \
    --lock abcdefghijklmnopqrstuvwxyz1234567 -- true
refused 2 'at most four locks' q enqueue --lock a,b,c,d,e -- true
refused 2 'at most four locks' q enqueue --lock a,b --lock c,d,e -- true
refused 2 'same variable' q enqueue --lock a.b,x,a-b -- true
refused 2 '"lock" must be' q enqueue '{"command":"true","lock":7}'
refused 2 '"lock" must be' q enqueue '{"command":"true","lock":["a",null]}'
refused 2 'at most four' q enqueue \
    '[{"command":"true"},{"command":"true","lock":["a","b","c","d","e"]}]'
run q enqueue '{"command":"true","lock":[]}'
status 0
no test -e "$S/locks"

t "the name, the text, and what is printed"
run q enqueue --id named --lock gpu,db --lock db --lock a -- true
status 0
ok name pending named+a+db+gpu
is "$(grep -c '^Lock: ' "$S/ids/named")" 3
is "$(cd "$S/locks" && echo */*)" "a/1 db/1 gpu/1"
run q list --json
out_has '"lock":["a","db","gpu"]'
json_lines
sed 's/"id":"named"/"id":"copy"/; s/"id":"[a-z0-9]*",//' "$T/c/out" >copy
feed "$(grep named "$T/c/out" | sed 's/"id":"named"/"id":"copy"/; s/,$//')" \
    q enqueue -
status 0
ok name pending copy+a+db+gpu
run q show named
out_has "Lock:       a db gpu"
run q enqueue --id longest --lock \
    "$(printf 'a%031d,b%031d,c%031d,d%031d' 0 0 0 0)" --after named -- true
status 0
await 5 state_is longest waiting
drain
await 10 in_state 'done' "named+a+db+gpu"
is "$(state longest)" completed

t "one slot: one job at a time, the urgent ones first"
i=0
while [ "$i" -lt 8 ]; do
	q enqueue --id "m$i" --priority $((i < 6 ? 5 : i - 5)) --lock m \
	    --command "$(alone m 0.02); echo m$i >>order"
	i=$((i + 1))
done >/dev/null
drain 3
no test -e m.clash
is "$(count pending)" 0
# of equals, one that met the lock taken may be overtaken by the next
is "$(head -n 2 order | sort | tr '\n' ' ')" "m6 m7 "
is "$(sort order | tr '\n' ' ')" "m0 m1 m2 m3 m4 m5 m6 m7 "

t "as many jobs as slots"
run q lock two 2
status 0
out_is ""
i=0
while [ "$i" -lt 10 ]; do
	q enqueue --id "t$i" --lock two --command 'f=two.$QUEUECTL_LOCK_two
	    '"$(alone '"$f"' 0.05)"
	i=$((i + 1))
done >/dev/null
q enqueue --id both --command \
    'until [ -e two.1 ] && [ -e two.2 ]; do sleep 0.01; done' >/dev/null
drain 4
no test -e two.1.clash
no test -e two.2.clash
no test -e .clash
is "$(state both)" completed
is "$(count pending)$(count failed)$(count dead)" 000

t "several locks: no deadlock"
i=0
while [ "$i" -lt 6 ]; do
	q enqueue --lock x,y --command "$(alone x 0.01); $(alone y 0)"
	q enqueue --lock y,z --command "$(alone y 0.01); $(alone z 0)"
	q enqueue --lock z,x --command "$(alone z 0.01); $(alone x 0)"
	i=$((i + 1))
done >/dev/null
drain 4
no test -e x.clash
no test -e y.clash
no test -e z.clash
is "$(count pending)$(count failed)$(count dead)" 000

t "a retry, a requeue and a cancel keep the locks and let go of the slots"
q enqueue --id again --lock r --command '[ -e r2 ] || { : >r2; exit 1; }' \
    >/dev/null
pool
await 10 in_state 'done' again+r
q enqueue --id long --lock r --command ': >r.in; exec sleep 100' >/dev/null
await 10 test -e r.in
end_pool --now
ok name pending long+r
rm r.in
pool
await 10 test -e r.in
q enqueue --id next --lock r -- true >/dev/null
run q lock r
like "$out" "^r  *1  *1  *1  long$"
run q lock --json
out_has '{"lock":"r","slots":1,"taken":1,"waiting":1,"holders":["long"]}'
json_lines
run q show next
out_has "Why:        waits for lock r, held by long"
run q cancel long
status 0
await 10 in_state 'done' next+r
ok name dead long+r
end_pool

t "the slot of a worker that was killed is the job's to its end"
# the shell ends with its worker, where the kernel sees to that; its child not
q enqueue --id left --max-retries 1 --lock k \
    --command 'echo $PPID >k.worker
    (until [ -e k.go ]; do sleep 0.02; done) & echo $$ >k.pid; wait' \
    >/dev/null
q enqueue --id waits --lock k -- true >/dev/null
pool --count 2
await 10 test -s k.pid
ok kill -9 "$(cat k.worker)"
portable && kill -9 "$(cat k.pid)"
await 10 no_process "$(cat k.pid)"
q enqueue --id other -- true >/dev/null
await 10 in_state 'done' other
ok name pending waits+k
run q lock k
like "$out" "^k  *1  *1  *1 "
: >k.go
await 10 in_state 'done' waits+k
end_pool

t "a closed lock: jobs wait, and drain leaves them"
run q lock c 0
status 0
q enqueue --id shut --lock c -- true >/dev/null
q enqueue --id free -- true >/dev/null
no test -e "$S/locks/c/1"
run q show shut
out_has "lock c is closed: it has no slots; queuectl lock c 1 opens it"
run q worker start --drain
status 0
err_has "1 job left: closed locks; see queuectl lock"
is "$(state free)" completed
is "$(state shut)" pending
run q lock c
like "$out" "^c  *0  *0  *1  -$"
pool
await 10 said "workers on"
q lock c 1
await 10 in_state 'done' shut+c
rm -r "$S/locks/c"
q enqueue --id hand -- true >/dev/null
await 10 in_state 'done' hand
end_pool

t "the number of slots"
run q lock n 3
status 0
is "$(cd "$S/locks/n" && echo *)" "1 2 3"
: >"$S/locks/n/ttyUSB0"
q lock n 2
is "$(cd "$S/locks/n" && echo *)" "1 ttyUSB0"
q lock n 1
is "$(cd "$S/locks/n" && echo *)" ttyUSB0
refused 1 "has 1 slots whose names are not numbers" q lock n 0
refused 2 "a whole number from 0 to 100000" q lock n 1.5
refused 2 "a whole number" q lock n 100001
refused 2 "the name of a lock" q lock a+b
refused 1 "there is no lock nobody" q lock nobody
refused 2 "json" q lock n 1 --json
q enqueue --id tty --lock n --command 'echo $QUEUECTL_LOCK_n' >/dev/null
drain
run q logs tty
out_is ttyUSB0

t "by hand: flock(1), touch, rm"
pool
if command -v flock >/dev/null 2>&1; then
	q lock h 1
	flock "$S/locks/h/1" sh -c ': >h.in; until [ -e h.go ]; do
	    sleep 0.02; done' &
	script=$!
	await 10 test -e h.in
	q enqueue --id h1 --lock h -- true >/dev/null
	q enqueue --id h2 --priority 9 -- true >/dev/null
	await 10 in_state 'done' h2
	ok name pending h1+h
	run q show h1
	out_has "waits for lock h, held by a process that is not a job's"
	: >"$S/locks/h/x"
	await 10 in_state 'done' h1+h
	rm "$S/locks/h/x"
	q enqueue --id h3 --lock h -- true >/dev/null
	q enqueue --id h4 --priority 9 -- true >/dev/null
	await 10 in_state 'done' h4
	ok name pending h3+h
	: >h.go
	await 5 in_state 'done' h3+h
	wait "$script"
else
	skip "no flock(1)"
fi
# a lock that a hand gives to a job
q enqueue --id h5 --delay 100 -- true >/dev/null
f=$(name pending h5)
mv "$S/pending/$f" "$S/pending/$(printf '%s\n' "$f" | sed 's/@/-/')+h"
await 10 in_state 'done' h5+h
end_pool

t "files that cannot be slots are never taken, and named"
q lock odd 1
q enqueue --id o1 --lock odd --command ': >o.in; until [ -e o.go ]; do
    sleep 0.02; done' >/dev/null
q enqueue --id o2 --lock odd -- true >/dev/null
mkdir "$S/locks/odd/dir"
mkfifo "$S/locks/odd/fifo"
ln -s ../r/1 "$S/locks/odd/link"
: >"$S/locks/odd/.hidden"
: >"$S/locks/odd/a~"
: >"$S/locks/+bad"
mkdir "$S/locks/.x+1"
pool --count 2
await 10 test -e o.in
q enqueue --id o3 --priority 9 -- true >/dev/null
await 10 in_state 'done' o3
ok name pending o2+odd
run q fsck
status 1
for f in odd/dir odd/fifo odd/link odd/.hidden 'odd/a~' +bad .x+1; do
	out_has "locks/$f"
done
: >o.go
await 10 in_state 'done' o2+odd
end_pool
q fsck --repair >/dev/null
no test -e "$S/locks/.x+1"
rm -r "$S/locks/odd" "$S/locks/+bad"
run q fsck
status 0
mv "$S/locks" aside.locks
: >"$S/locks"
run q fsck
status 1
out_has "locks: not a directory"
run q lock
status 1
run q enqueue --lock a -- true
status 1
rm "$S/locks"
mv aside.locks "$S/locks"

t "many jobs that wait for a busy lock hide no other"
q enqueue --id holder --priority 0 --lock busy --command ': >b.in; until [ -e b.go ]; do
    sleep 0.02; done' >/dev/null
awk 'BEGIN { for (i = 0; i < 2500; i++)
	printf "{\"command\":\"true\",\"lock\":\"busy\",\"priority\":%d}\n", i % 5
    }' | q enqueue - >/dev/null
pool --count 2
await 10 test -e b.in
awk 'BEGIN { for (i = 0; i < 20; i++)
	printf "{\"id\":\"o%d\",\"command\":\"echo %d >>o.order\"," \
	    "\"lock\":\"l%d\",\"priority\":9}\n", 10 + i, i, i % 3
    }' | q enqueue - >/dev/null
await 20 q wait --timeout 0.1 o29
is "$(wc -l <o.order | tr -d ' ')" 20
is "$(count pending)" 2500
: >b.go
await 60 has pending 0
end_pool
is "$(count failed)$(count dead)" 01 "failed and dead"

finish
