# retry.sh: backoff, the dead letter queue, max-crashes.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

# deadline ID N SECONDS: it waits in failed/ after attempt N, that long.
failed_with() {
	case $(name failed "$1") in
	*-"$2"-"$1") ;;
	*) return 1 ;;
	esac
}
deadline() {
	await 10 failed_with "$1" "$2" || return
	f=$(name failed "$1")
	like "$f" "^5@[0-9T.]+Z-$2-$1\$"
	await 5 tried "$1" "$2"
	within "$(minus "$(name_stamp "$f")" "$(field end "$(attempt "$1" "$2")")")" \
	    "$3" "$3" "seconds of backoff after attempt $2"
}

q config set sync none
q config set backoff-max 500 >/dev/null

t "the backoff is in the file's name"
q enqueue '{"id":"back","command":"exit 7","max_retries":4,"backoff_base":10}' >/dev/null
pool
deadline back 1 10
run q show --json back
jis next_retry_at "\"$(field end "$(attempt back 1)" | cut -c 1-11)$(name_stamp "$(name failed back)" |
    sed 's/.*T\(..\)\(..\)\(.*\)/\1:\2:\3/')\""
due back
deadline back 2 100
due back
deadline back 3 500
due back
await 10 in_state dead back
is "$(outcomes back)" "exit=7 exit=7 exit=7 exit=7"
like "$(name dead back)" '^5-[0-9T.]+Z-4-back$'
await 5 said "Job failed: back"
like "$(grep back "$T/worker.err" | tail -n 1)" "moved to the dead letter queue"
q worker stop
pool_ends

t "backoff_max of the job"
q enqueue '{"id":"bmax","command":"false","max_retries":9,"backoff_base":50,"backoff_max":70}' >/dev/null
pool
deadline bmax 1 50
due bmax
deadline bmax 2 70

t "the biggest numbers"
q enqueue '{"id":"huge","command":"false","max_retries":2147483647,"backoff_base":2147483647,"backoff_max":2147483647}' >/dev/null
deadline huge 1 2147483647
due huge
deadline huge 2 2147483647
stop_pool
rm -f "$S/failed/"* "$S/ids/bmax" "$S/ids/huge"

t "max_retries"
for n in 0 1 2; do
	q enqueue "{\"id\":\"m$n\",\"command\":\"false\",\"max_retries\":$n,\"backoff_base\":0}" >/dev/null
done
q enqueue '{"id":"m3","command":"false","backoff_base":0}' >/dev/null
drain 2
is "$(outcomes m0)" "exit=1"
is "$(outcomes m1)" "exit=1"
is "$(outcomes m2)" "exit=1 exit=1"
is "$(outcomes m3)" "exit=1 exit=1 exit=1"
ok in_state dead m0 m1 m2 m3

t "settings are fixed at enqueue"
q config set max-retries 2 >/dev/null
q config set backoff-base 0 >/dev/null
q enqueue --id fixed -- false >/dev/null
q config set max-retries 9 >/dev/null
q config set backoff-base 1000 >/dev/null
drain
is "$(outcomes fixed)" "exit=1 exit=1"
q config set max-retries 3 >/dev/null
q config set backoff-base 0 >/dev/null

t "a job that succeeds at last"
q enqueue '{"id":"last","command":"test $QUEUECTL_ATTEMPT = 3"}' >/dev/null
drain
is "$(outcomes last)" "exit=1 exit=1 exit=0"
like "$(name 'done' last)" '^5-[0-9T.]+Z-3-last$'

t "exact deadlines, and a drain that waits for them"
# shellcheck disable=SC2329 # exact runs it
backed_off() {
	q enqueue --id "exact$1" --max-retries 2 --backoff-base 1 -- false \
	    >/dev/null
	drain
	minus "$(field start "$(attempt "exact$1" 2)")" \
	    "$(field end "$(attempt "exact$1" 1)")"
}
exact 1 1.05 backed_off
is "$(where exact1)" dead

t "a retry survives a restart of the worker"
q enqueue '{"id":"again","command":"test $QUEUECTL_ATTEMPT = 2","backoff_base":1}' >/dev/null
pool
await 10 in_state failed again
q worker stop
pool_ends
is "$(where again)" failed
drain
is "$(outcomes again)" "exit=1 exit=0"

t "a deadline further off than any backoff is due"
q enqueue --id clock --max-retries 2 -- false >/dev/null
q config set backoff-base 400 >/dev/null
q enqueue --id clock2 --max-retries 2 --backoff-base 400 -- false >/dev/null
pool
await 10 in_state failed clock2
await 10 in_state dead clock
q worker stop
pool_ends
mv "$S/failed/$(name failed clock2)" "$S/failed/5@20990101T000000.000000Z-1-clock2"
drain
is "$(outcomes clock2)" "exit=1 exit=1"
q config set backoff-base 0 >/dev/null

t "dlq retry"
run q dlq retry m3
status 0
f=$(name pending m3)
like "$f" '^5-[0-9T.]+Z-0-m3$'
like "$(tail -n 1 "$S/ids/m3")" '^Retried: [0-9-]+T[0-9:.]+Z$'
run q show --json m3
jis state '"pending"'
jis attempts 0
drain
is "$(where m3)" dead
is "$(outcomes m3)" "exit=1 exit=1 exit=1 exit=1 exit=1 exit=1"
like "$(name dead m3)" '^5-[0-9T.]+Z-3-m3$'
is "$(attempt m3 4 | cut -d' ' -f2)" 1 "number of the attempt after"

t "dlq retry by prefix"
run q dlq retry fix
status 0
is "$(where fixed)" pending
run q dlq retry fixed
status 1
err_has fixed
drain

t "dlq retry --all"
q dlq purge back >/dev/null
q dlq purge clock2 >/dev/null
n=$(count dead)
run q dlq retry --all
status 0
ok has dead 0
ok has pending "$n"
drain 2
ok has dead "$n"

t "dlq retry of what is not dead"
for i in nope last; do
	refused 1 $i q dlq retry $i
	refused 1 $i q dlq purge $i
done

t "dlq purge"
ok test -e "$S/ids/m2"
run q dlq purge m2
status 0
is "$(where m2)" nowhere
no test -e "$S/ids/m2"
no test -e "$S/log/m2.log"
run q show m2
status 1
run q enqueue --id m2 -- true
status 0
drain

t "dlq purge --all"
run q dlq purge --all
status 0
ok has dead 0
is "$(count ids)" "$(count 'done')"
no test -e "$S/ids/m3"
ok in_state 'done' last again m2
run q dlq list --json
status 0
out_is "[]"
run q dlq purge --all
status 0
run q dlq retry --all
status 0

t "a dead job of which a process lives is refused"
if command -v flock >/dev/null 2>&1; then
	q enqueue --id held --max-retries 1 -- false >/dev/null
	drain
	flock "$S/ids/held" sh -c ': >held; exec sleep 1000' &
	p=$!
	await 5 test -e held
	run q dlq retry held
	status 1
	err_has held
	is "$(where held)" dead
	run q dlq purge held
	status 1
	is "$(where held)" dead
	for k in $(marked); do
		kill -9 "$k" 2>/dev/null
	done
	wait $p 2>/dev/null
	await 5 none_marked
	run q dlq retry held
	status 0
	rm "$S/pending/"* "$S/ids/held"
else
	skip "a job held by another: no flock(1)"
fi

t "max-crashes"
q config set max-crashes 2 >/dev/null
q enqueue --id crash --backoff-base 0 --max-retries 9 -- \
    sh -c 'echo x >>crashes; kill -9 $PPID; exec sleep ${QT_PORTABLE:-1000}' >/dev/null
q enqueue --id other -- true >/dev/null
pool
await 20 in_state dead crash
is "$(outcomes crash)" "lost lost"
is "$(wc -l <crashes | tr -d ' ')" 2
await 10 in_state 'done' other
run q dlq retry crash
status 0
await 20 in_state dead crash
is "$(outcomes crash)" "lost lost lost lost"
stop_pool

t "dead-exit: such an exit is final"
q config set dead-exit 65-78,2
run q config get dead-exit
out_is "2,65-78"
q enqueue --id final --max-retries 5 -- sh -c 'exit 70' >/dev/null
q enqueue --id not --max-retries 2 -- sh -c 'exit 64' >/dev/null
q enqueue --id own --max-retries 5 --dead-exit 64 -- sh -c 'exit 64' >/dev/null
q enqueue '{"id":"none","max_retries":2,"dead_exit":"","command":"exit 70"}' >/dev/null
drain
is "$(where final)" dead
is "$(outcomes final)" exit=70
is "$(name_attempt "$(name dead final)")" 1
is "$(outcomes not)" "exit=64 exit=64"
is "$(outcomes own)" exit=64
is "$(outcomes none)" "exit=70 exit=70"
ok said "Job failed: final: exit 70; attempt 1 of 5, moved to the dead letter queue"
run q show own
out_has "Dead exit:  64"
run q list --json --state dead
json_lines
ok grep -q '"id":"own".*"dead_exit":"64"' "$T/c/out"
q dlq retry final >/dev/null
drain
is "$(outcomes final)" "exit=70 exit=70"
q config set dead-exit ''
is "$(q config get dead-exit)" ""
for v in 0 256 x "1," 2-1 "1 2"; do
	run q config set dead-exit "$v"
	status 2
	err_has "dead-exit must be"
	run q enqueue --dead-exit "$v" -- true
	status 2
	err_has "--dead-exit: "
done
run q enqueue '{"dead_exit":65,"command":"true"}'
status 2
err_has '"dead_exit" must be a string'

t "backoff-jitter: never before the backoff, spread over what is allowed"
q config unset backoff-max
q config set backoff-jitter 50
run q config get backoff-jitter
out_is "50%"
for i in 1 2 3 4 5 6 7 8; do
	q enqueue --id "jit$i" --backoff-base 1000 -- false >/dev/null
done
pool
await 10 in_state failed jit1 jit2 jit3 jit4 jit5 jit6 jit7 jit8
for i in 1 2 3 4 5 6 7 8; do
	w=$(minus "$(name_stamp "$(name failed "jit$i")")" \
	    "$(field end "$(attempt "jit$i" 1)")")
	within "$w" 1000 1500
	echo "$w"
done >waits
# of 1024 that there are: two are alike in one run of 37
within "$(sort -u waits | wc -l | tr -d ' ')" 6 8 "different waits"
run q show jit1 --json
jis state '"failed"'

t "a deadline that the jitter made long is not taken for a clock's mistake"
q config set backoff-max 1000
until_ok 1 tried jit1 2
for i in 1 2 3 4 5 6 7 8; do is "$(attempts "jit$i")" 1; done
stop_pool
q config unset backoff-max
for v in 101 -1 x '' 5.5; do
	run q config set backoff-jitter "$v"
	status 2
done
q cancel jit1 jit2 jit3 jit4 jit5 jit6 jit7 jit8 >/dev/null
q config unset backoff-jitter

t "dlq list --limit"
q dlq purge --all >/dev/null
for i in 1 2 3; do
	q enqueue --id "limit$i" --max-retries 1 -- false >/dev/null
done
drain 2>/dev/null
run q dlq list --limit 2
is "$(printf '%s\n' "$out" | grep -c limit)" 2
run q dlq list -n 1 --json
is "$(printf '%s\n' "$out" | grep -c limit1)" 1
run q dlq list --limit 0
is "$(printf '%s\n' "$out" | grep -c limit)" 0
run q dlq list --limit x
status 2

t "a job that was retried for days is sound"
plant dead 5-20200102T030405.000001Z-3-days days 'echo last; exit 0'
awk 'BEGIN {
	for (i = 0; i < 360000; i++)
		printf "Attempt: %d start=2020-01-02T03:04:05.000001Z " \
		    "end=2020-01-02T03:04:06.000001Z exit=1 log=%d " \
		    "worker=4242\n", i % 3 + 1, i
	printf "Attempt: 3 start=2020" # torn
}' >>"$S/ids/days"
within "$(wc -c <"$S/ids/days")" 37000000 60000000 "bytes"
awk 'BEGIN { for (i = 0; i < 360000; i++) printf "%d", i % 10 }' >"$S/log/days.log"
# shown ID: its attempts, as the table and the line above it say
shown() { q show "$1" | awk '/came before these/ { n = $1 }
    /exit [01]( \(.*\))?$/ && $1 ~ /^[0-9]+$/ { n++; rows++ } END { print n, (rows >= 300) }'; }
is "$(shown days)" "360000 1"
run q show --json days
json_lines
is $(($(json earlier_attempts) + $(grep -o '"attempt":' "$T/c/out" | wc -l))) 360000
run q dlq retry days
status 0
out_is days
run q logs --attempt 1 days
out_is 7
work days
is "$(shown days)" "360001 1"
run q logs days
is "$(tail -c 10 "$T/c/out")" "56789last"

t "and what show says of it can be enqueued"
q show --json days | sed 's/"id":"days"/"id":"copy"/' >copy
run q enqueue "$(cat copy)"
status 0
work copy

t "a short history is whole"
run q show --json copy
out_lacks earlier_attempts
run q show copy
out_lacks "came before"

t "dlq retry --all of more jobs than there are descriptors"
q dlq purge --all >/dev/null
q config unset sync
# bury N: so many dead jobs, d1 to dN
bury() {
	awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++)
	    printf "{\"id\":\"d%d\",\"command\":\"true\"}\n", i }' |
	    q enqueue - >ids
	# shellcheck disable=SC2046
	q cancel $(cat ids) >"$T/c/cancelled"
}
bury 1100
is "$(count dead)" 1100
run sh -c 'ulimit -n 40 && exec "$QUEUECTL" dlq retry --all'
status 0
err_is ""
sort ids >want
sort "$T/c/out" >came
same came want
is "$(count dead)" 0
is "$(count pending)" 1100
is "$(cat "$S"/ids/d[0-9]* | grep -c '^Retried: ')" 1100
run q list --limit 1 --json
jis attempts 0

t "dlq retry --all, twice at once"
# shellcheck disable=SC2046
q cancel $(cat ids) >/dev/null
q dlq retry --all >one 2>one.err &
first=$!
q dlq retry --all >two 2>two.err
is $? 0
wait "$first"
is $? 0
is "$(cat one.err two.err)" ""
is "$(count pending)" 1100
is "$(cat one two | sort -u | wc -l | tr -d ' ')" 1100

t "and where one cannot be moved"
# shellcheck disable=SC2046
q cancel $(cat ids) >/dev/null
echo broken >"$S/ids/d500"
run q dlq retry --all
status 1
err_has "d500: its text is damaged"
is "$(wc -l <"$T/c/out" | tr -d ' ')" 1099
is "$(count dead)" 1
is "$(count pending)" 1099

t "output that nobody takes: what was not printed is in one state all the same"
# shellcheck disable=SC2046
q cancel $(grep -vx d500 ids) >/dev/null
q dlq retry --all >/dev/full 2>"$T/c/err"
is $? 1
is "$(($(count dead) + $(count pending)))" 1100

finish
