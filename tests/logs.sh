# logs.sh: what a job wrote, byte for byte.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

spool_init

t "every byte, stdout and stderr in order"
awk 'BEGIN { for (i = 0; i < 256; i++) printf "\\%03o", i }' >octal
# shellcheck disable=SC2059
printf "$(cat octal)" >bytes
is "$(wc -c <bytes | tr -d ' ')" 256
cat >job <<'E'
cat bytes; echo err >&2; printf 'no newline'
E
q enqueue --id bytes -- sh job >/dev/null
drain
{ cat bytes; echo err; printf 'no newline'; } >want
run q logs bytes
status 0
same "$T/c/out" want
same "$S/log/bytes.log" want
err_is ""

t "a job that wrote nothing"
q enqueue --id mute -- true >/dev/null
drain
run q logs mute
status 0
is "$(wc -c <"$T/c/out" | tr -d ' ')" 0

t "a job that has not run"
q enqueue --id fresh --delay 1000 -- true >/dev/null
run q logs fresh
status 0
out_is ""

t "attempts are appended, log=N tells where each begins"
q enqueue '{"id":"three","command":"printf \"run $QUEUECTL_ATTEMPT.\"; exit 1"}' >/dev/null
rm "$S/pending/$(name pending fresh)" "$S/ids/fresh"
drain
is "$(where three)" dead
printf 'run 1.run 2.run 3.' >want
run q logs three
same "$T/c/out" want
for n in 1 2 3; do
	is "$(field log "$(attempt three $n)")" $((6 * (n - 1))) "log= of $n"
	run q logs --attempt $n three
	status 0
	out_is "run $n."
done
run q logs three --attempt 2
out_is "run 2."
run q logs --attempt=1 three
out_is "run 1."
run q logs --attempt 4 three
status 1
out_is ""
err_has 4
refused 2 attempt q logs --attempt 0 three

t "after dlq retry"
q dlq retry three >/dev/null
drain
run q logs three
out_is "run 1.run 2.run 3.run 1.run 2.run 3."
is "$(field log "$(attempt three 6)")" 30

t "by prefix"
run q logs mut
status 0

t "a log that is gone"
rm "$S/log/three.log"
run q logs three
status 0
out_is ""

t "-f follows a running job"
q enqueue --id tail1 -- sh -c 'echo one; until [ -e go2 ]; do sleep 0.03; done
echo two; until [ -e go3 ]; do sleep 0.03; done; printf three' >/dev/null
pool
await 10 grep -q one "$S/log/tail1.log"
q logs -f tail1 >tail.out 2>tail.err </dev/null &
p=$!
await 5 grep -q one tail.out
: >go2
await 5 grep -q two tail.out
no ended $p
: >go3
await 5 ended $p
wait $p
is $? 0
printf 'one\ntwo\nthree' >want
same tail.out want
is "$(cat tail.err)" ""

t "-f of a job that has ended"
run q logs -f tail1
status 0
same "$T/c/out" want

t "-f begins before the job does, and ends through retries"
rm -f go2
q enqueue --id tail2 --delay 0.3 --max-retries 2 -- \
    sh -c 'echo "begun $QUEUECTL_ATTEMPT"; exit 1' >/dev/null
q logs -f tail2 >tail.out 2>tail.err </dev/null &
p=$!
await 10 in_state dead tail2
await 5 ended $p
wait $p
is $? 0
is "$(sed -n 1p tail.out)" "begun 1"

t "-f when the reader goes away"
rm -f go3 go2
q enqueue --id tail3 -- sh -c 'while [ ! -e go3 ]; do echo line; sleep 0.03; done' >/dev/null
await 10 in_state processing tail3
{
	q logs -f tail3
	: >tail.end
} 2>tail.err | head -n 1 >tail.out &
await 5 test -e tail.end
is "$(cat tail.out)" line
: >go3
await 10 in_state 'done' tail3
stop_pool

finish
