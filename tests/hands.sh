# hands.sh: the spool worked with mv, rm and cp while workers run.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

spool_init
pool --count 2

t "mv dead/F pending/ is a retry"
q enqueue --id h1 --max-retries 1 -- test -e h1.go >/dev/null
await 10 in_state dead h1
: >h1.go
mv "$S/dead/$(name dead h1)" "$S/pending/"
await 10 in_state 'done' h1
is "$(outcomes h1)" "exit=1 exit=0"

t "mv done/F pending/ runs it again"
mv "$S/done/$(name 'done' h1)" "$S/pending/"
await 10 tried h1 3
await 10 in_state 'done' h1
await 5 sh -c "[ \$(grep -c ^Attempt '$S/ids/h1') = 3 ]"
is "$(count pending)" 0

t "mv failed/F pending/ is a retry at once"
q enqueue --id h2 --max-retries 5 --backoff-base 1000 -- test -e h2.go >/dev/null
await 10 in_state failed h2
: >h2.go
f=$(name failed h2)
mv "$S/failed/$f" "$S/pending/$(printf '%s\n' "$f" | sed 's/@/-/')"
await 10 in_state 'done' h2

t "rm pending/F is a cancel"
q enqueue --id h3 --delay 0.7 -- sh -c ': >h3.ran' >/dev/null
rm "$S/pending/$(name pending h3)"
q enqueue --id h4 --delay 0.8 -- true >/dev/null
await 10 in_state 'done' h4
no test -e h3.ran
is "$(where h3)" nowhere
run q list
status 0
out_lacks h3
run q enqueue --id h3 -- sh -c ': >h3.ran'
status 0
out_is h3
await 10 test -e h3.ran

t "rm -f of everything pending"
q worker stop
pool_ends
for i in 1 2 3; do
	q enqueue --id "r$i" -- sh -c ': >r.ran' >/dev/null
done
rm -f "$S"/pending/*
pool --count 2
q enqueue --id r4 -- true >/dev/null
await 10 in_state 'done' r4
no test -e r.ran

t "a job file written elsewhere and moved in is an enqueue"
jobfile m1 'echo moved' >"$S/m1.tmp"
mv "$S/m1.tmp" "$S/pending/5-20200102T030405.000001Z-0-m1"
await 10 in_state 'done' m1
same "$S/ids/m1" "$S/done/$(name 'done' m1)"
is "$(find "$S/done/$(name 'done' m1)" -links 2 | wc -l | tr -d ' ')" 1
run q logs m1
out_is moved

t "its Timeout may have a unit"
jobfile unit 'sleep 300' | sed 's/^Priority/Timeout: 0.001m\
&/; s/^Max-Retries.*/Max-Retries: 1/' >"$S/unit.tmp"
mv "$S/unit.tmp" "$S/pending/5-20200102T030405.000001Z-0-unit"
await 10 in_state dead unit
is "$(outcomes unit)" timeout

t "with a later time and another priority in its name"
jobfile m2 'echo later' >"$S/m2.tmp"
mv "$S/m2.tmp" "$S/pending/0@20990101T000000.000000Z-0-m2"
q enqueue --id m3 -- true >/dev/null
await 10 in_state 'done' m3
is "$(where m2)" pending
run q show --json m2
status 0
jis id '"m2"'
run q list --json --state pending
out_has '"m2"'
mv "$S/pending/0@20990101T000000.000000Z-0-m2" "$S/pending/0-20990101T000000.000000Z-0-m2"
await 10 in_state 'done' m2

t "mv pending/F to another priority"
q enqueue --id m4 --delay 1000 -- true >/dev/null
mv "$S/pending/$(name pending m4)" "$S/pending/1-20200101T000000.000000Z-0-m4"
await 10 in_state 'done' m4

t "an id that is another job's is left and reported"
jobfile m1 ': >clash.ran' >"$S/m1.tmp"
mv "$S/m1.tmp" "$S/pending/5-20200102T030405.000002Z-0-m1"
cp "$S/pending/5-20200102T030405.000002Z-0-m1" copy
await 10 said 5-20200102T030405.000002Z-0-m1
q enqueue --id m5 -- true >/dev/null
await 10 in_state 'done' m5
same copy "$S/pending/5-20200102T030405.000002Z-0-m1"
no test -e clash.ran
like "$(cat "$S/ids/m1")" '^Command: echo moved'
run q status
status 0
rm "$S/pending/5-20200102T030405.000002Z-0-m1"

t "cp pending/F is no second job"
q enqueue --id m6 --delay 1000 -- sh -c 'echo x >>m6.ran' >/dev/null
f=$(name pending m6)
cp "$S/pending/$f" "$S/m6.tmp"
mv "$S/m6.tmp" "$S/pending/5-20200101T000000.000000Z-0-m6"
q enqueue --id m7 -- true >/dev/null
await 10 in_state 'done' m7
no test -e m6.ran
mv "$S/pending/$f" "$S/pending/5-20200101T000000.000001Z-0-m6"
await 10 test -e m6.ran
q enqueue --id m8 -- true >/dev/null
await 10 in_state 'done' m8
is "$(wc -l <m6.ran | tr -d ' ')" 1
rm "$S/pending/"*

t "ids/ID removed by hand"
q enqueue --id i1 --delay 1000 -- echo i1 >/dev/null
rm "$S/ids/i1"
mv "$S/pending/$(name pending i1)" "$S/pending/5-20200101T000000.000000Z-0-i1"
await 10 in_state 'done' i1
ok test -e "$S/ids/i1"

t "rm done/F and its log"
rm "$S/done/"* "$S/log/"*
run q list
status 0
run q status --json
jis completed 0
q enqueue --id h1 -- echo fresh >/dev/null
await 10 in_state 'done' h1
run q logs h1
out_is fresh

t "rm processing/F while it runs"
q enqueue --id p1 -- sh -c ': >p1.on; until [ -e p1.go ]; do sleep 0.03; done' >/dev/null
await 10 test -e p1.on
rm "$S/processing/$(name processing p1)"
: >p1.go
q enqueue --id p2 -- true >/dev/null
q enqueue --id p3 -- true >/dev/null
await 10 in_state 'done' p2 p3
no ended "$pool"

t "mv processing/F while it runs"
q enqueue --id p4 -- sh -c 'echo x >>p4.ran; : >p4.on; until [ -e p4.go ]; do sleep 0.03; done' >/dev/null
await 10 test -e p4.on
mv "$S/processing/$(name processing p4)" "$S/pending/5-20200101T000000.000000Z-0-p4"
q enqueue --id p5 -- true >/dev/null
await 10 in_state 'done' p5
is "$(wc -l <p4.ran | tr -d ' ')" 1 "runs while it runs"
: >p4.go
await 10 in_state 'done' p4
no ended "$pool"

t "a directory emptied and made again"
q worker stop
pool_ends
rm -rf "$S/done" "$S/log"
q enqueue --id d1 -- true >/dev/null
run q list
status 0 1
mkdir -p "$S/done" "$S/log"
drain
is "$(where d1)" 'done'

t "names by hand that do not parse"
pool
jobfile n1 ': >n.ran' >job
for n in n1 5-n1 5-20200101T000000.000000Z-n1 5-20200101T000000.000000Z-0- \
    10-20200101T000000.000000Z-0-n1 5-20200101T000000Z-0-n1 \
    5-20201301T000000.000000Z-0-n1 5-20200101T000000.000000Z-x-n1 \
    5-20200101T000000.000000Z-0-.n1 5-20200101T000000.000000Z-0-n+ \
    5+20200101T000000.000000Z-0-n1 .hidden 'a b' "new
line" 5-20200101T000000.000000Z-01-n1; do
	cp job "$S/n.tmp"
	mv "$S/n.tmp" "$S/pending/$n"
done
q enqueue --id n2 -- true >/dev/null
await 10 in_state 'done' n2
no test -e n.ran
is "$(find "$S/pending" -type f -exec echo x \; | grep -c x)" 15
run q status
status 0
out_like 'pending/.* 15 '
stop_pool
drain

t "files that are refused hold up nothing"
i=0
while [ $((i += 1)) -le 60 ]; do
	jobfile other true >"$S/pending/0-20200101T000000.000000Z-0-r$i"
done
q enqueue --id r0 -- true >/dev/null
pool
await 10 in_state 'done' r0
ok test "$(grep -c 'Left alone: pending/0-.*-r[0-9]' "$T/worker.err")" -ge 60
rm "$S"/pending/0-*
stop_pool

finish
