# original.sh: the walk of the tool that this one reimplements, as its README
# has it, and what that tool gets wrong.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

t "enqueue"
run q enqueue "[{\"command\":\"echo Hello QueueCTL\"}]"
status 0
id=$out
like "$id" '^[A-Za-z0-9_][A-Za-z0-9._-]{0,11}$' "a generated id"
is "$(where "$id")" pending

t "list"
run q list
status 0
out_like "^ID +STATE +ATTEMPTS +PRIORITY +CREATED +COMMAND"
out_like "^$id +pending +0 +5 .*echo Hello QueueCTL(  \\[no worker])?\$"

t "worker start --count 2, worker stop"
pool --count 2
await 10 in_state 'done' "$id"
run q worker stop
status 0
pool_ends
like "$(cat "$T/worker.err")" \
    "^\[Worker [12]\] Processing job $id: echo Hello QueueCTL\$"
like "$(cat "$T/worker.err")" \
    "^\[Worker [12]\] Job completed successfully: $id \([0-9]+ ms\)\$"
run q logs "$id"
out_is "Hello QueueCTL"

t "status"
run q status
status 0
for word in pending processing completed failed dead; do
	out_like "$word"
done

t "dlq list, empty"
run q dlq list
status 0

t "config set, config get"
run q config set max-retries 5
status 0
run q config get
status 0
out_like '^max-retries = 5$'
out_like '^backoff-base = 2$'
run q config set backoff-base 2
status 0
run q config set max_retries 3
status 0
run q config get max-retries
out_is 3

t "list --state completed"
run q list --state completed
status 0
out_like "^$id +completed +1 "

t "invalidcommand backs off and dies"
run q enqueue '{"id":"bad1","command":"invalidcommand"}'
out_is bad1
pool --count 2
for n in 1 2; do
	await 10 in_state failed bad1
	f=$(name failed bad1)
	is "$(name_attempt "$f")" $n "attempt in the name"
	end=$(field end "$(attempt bad1 $n)")
	within "$(minus "$(name_stamp "$f")" "$end")" $((2 * n)) $((2 * n)) \
	    "seconds until the next attempt"
	due bad1
	await 10 tried bad1 $((n + 1))
done
await 10 in_state dead bad1
is "$(outcomes bad1)" "exit=127 exit=127 exit=127"
like "$(cat "$T/worker.err")" "Job failed: bad1"
like "$(cat "$T/worker.err")" "bad1.*moved to the dead letter queue"
run q dlq list
status 0
out_like "^bad1 .*invalidcommand"
run q logs bad1
out_like "invalidcommand"

t "dlq retry"
q worker stop >/dev/null
pool_ends
run q dlq retry bad1
status 0
f=$(name pending bad1)
like "$f" '^5-[0-9T.]*Z-0-bad1$'
rm "$S/pending/$f"
is "$(where bad1)" nowhere

# What it gets wrong.

t "--count 1 runs one job at a time"
for i in 1 2 3 4; do
	printf '{"id":"one%s","command":"mkdir lock && sleep 0.05 && rmdir lock"}\n' $i
done >jobs.in
feed "$(cat jobs.in)" q enqueue -
status 0
drain 1
ok in_state 'done' one1 one2 one3 one4

t "eight workers run no job twice"
i=0
while [ $i -lt 200 ]; do
	echo '{"command":"echo $QUEUECTL_ID >>ran"}'
	i=$((i + 1))
done >jobs.in
q config set sync none
feed "$(cat jobs.in)" q enqueue -
status 0
printf '%s\n' "$out" | sort >ids
is "$(sort -u ids | wc -l | tr -d ' ')" 200 "ids"
drain 8
sort ran >ran.sorted
same ids ran.sorted

t "dlq retry nope"
run q dlq retry nope
status 1
err_like '^queuectl: .*nope'

t "list --state bogus"
run q list --state bogus
status 2
err_like bogus
err_like pending

t "max_retries 0"
run q enqueue '{"id":"zero","command":"false","max_retries":0}'
status 0
drain
is "$(where zero)" dead
is "$(outcomes zero)" exit=1

t "50 MB of output"
q config set log-max none
run q enqueue '{"id":"big","command":"dd if=/dev/zero bs=1048576 count=50 2>/dev/null"}'
drain
is "$(where big)" 'done'
is "$(wc -c <"$S/log/big.log" | tr -d ' ')" 52428800 "bytes in the log"
q config unset log-max
rm -f "$S/log/big.log"

t "a job that reads stdin"
run q enqueue '{"id":"cat","command":"cat; echo end"}'
drain
is "$(where cat)" 'done'
run q logs cat
out_is end

t "config set max-retries abc"
refused 2 abc q config set max-retries abc

t "the current directory does not matter"
run q list
was=$out
cd /
run q list
is "$out" "$was"
cd "$T"
run q --spool spool list
is "$out" "$was"
cd "$T/w"

finish
