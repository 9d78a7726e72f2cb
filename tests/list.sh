# list.sh: list, show and status, for people and as JSON.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

spool_init
q config set max-retries 1 >/dev/null
feed '{"id":"good1","command":"echo fine"}
{"id":"dead1","command":"exit 3","max_retries":1}
{"id":"dead2","command":"kill -9 $$","max_retries":1}
{"id":"back1","command":"exit 4","max_retries":2,"backoff_base":3000}' q enqueue -
status 0
pool
await 10 in_state 'done' good1
await 10 in_state dead dead1 dead2
await 10 in_state failed back1
q enqueue --id now1 --cwd "$T/w" -- \
    sh -c 'until [ -e go ]; do sleep 0.03; done' >/dev/null
await 10 in_state processing now1
feed '{"id":"p5","command":"echo \u001b[31mred\u0007\nsecond\tline\u0085"}
{"id":"p0","argv":["echo","a b","it'"'"'s","\u001b]0;x"],"priority":0}
{"id":"p9","command":"true","priority":9}
{"id":"later1","command":"true","run_at":"2099-01-01T00:00:00Z"}' q enqueue -

t "the table"
run q list
status 0
err_is ""
is "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 10 "lines"
out_like '^ID +STATE +ATTEMPTS +PRIORITY +CREATED +COMMAND$'
out_like '^good1 +completed +1 +5 .*echo fine$'
out_like '^dead1 +dead +1 +5 .*exit 3$'
out_like '^back1 +failed +1 +5 .*exit 4  \[waits for its retry \(attempt 2 of 2\), due in [0-9]+ min [0-9]+ s]$'
out_like '^now1 +processing +1 +5 .*sh -c'
out_like '^p0 +pending +0 +0 '

t "the order: processing, pending (run order), failed, completed, dead"
is "$(printf '%s\n' "$out" | awk 'NR > 1 { print $2 }' | uniq | tr '\n' ' ')" \
    "processing pending failed completed dead "
is "$(printf '%s\n' "$out" | awk '$2 == "pending" { print $1 }' | tr '\n' ' ')" \
    "p0 p5 later1 p9 "

t "no control characters"
is "$(tr -d '\012\040-\176\200-\377' <"$T/c/out" | wc -c | tr -d ' ')" 0
out_lacks "$(printf '\302\205')"
out_has '\n'
out_has '\t'
run q show p5
is "$(tr -d '\011\012\040-\176\200-\377' <"$T/c/out" | wc -c | tr -d ' ')" 0

t "aligned"
run q list
is "$(awk '{ print match($0, /(STATE|processing|pending|failed|completed|dead) /) }' \
    "$T/c/out" | sort -u | wc -l | tr -d ' ')" 1 "columns at which STATE begins"

t "--state"
for s in completed 'done' Completed DONE; do
	run q list --state $s
	status 0
	is "$(printf '%s\n' "$out" | awk 'NR > 1 { print $1 }')" good1
done
for s in dead DEAD Dead; do
	run q list --state $s
	is "$(printf '%s\n' "$out" | awk 'NR > 1 { print $1 }' | sort | tr '\n' ' ')" \
	    "dead1 dead2 "
done
run q list --state Failed
out_has back1
run q list --state=processing
out_has now1
run q list --state pending --json
is "$(grep -c '"state": *"pending"' "$T/c/out")" 4

t "--limit"
run q list --limit 2
status 0
is "$(printf '%s\n' "$out" | awk 'NR > 1' | wc -l | tr -d ' ')" 2
run q list --limit 100 --jsonl
is "$(wc -l <"$T/c/out" | tr -d ' ')" 9
run q list --limit 1 --state pending --jsonl
jis id '"p0"'
is "$(wc -l <"$T/c/out" | tr -d ' ')" 1

t "--json: one array, a job on each of its lines"
run q list --json
status 0
json_lines
cp "$T/c/out" array
is "$(sed -n '1p;$p' array | tr '\n' ' ')" "[ ] "
is "$(wc -l <array | tr -d ' ')" 11 "lines"
is "$(grep -c '^{.*},$' array)" 8 "objects with a comma"
is "$(sed -n '/^{.*[^,]$/=' array)" 10 "the line of the object without"
if command -v jq >/dev/null 2>&1; then
	is "$(jq -r 'map(.id) | length' array)" 9 "jobs in the array"
fi
run q list --json --state failed
is "$(sed 's/{.*}/{}/' "$T/c/out" | tr '\n' ' ')" "[ {} ] "
run q list --json --jsonl
status 2
err_is "queuectl: --json and --jsonl do not go together"

t "--jsonl: the lines alone"
run q list --jsonl
status 0
json_lines
sed 's/^[][]$//; s/},$/}/' array | sed '/^$/d; s/"why":"[^"]*"/"why":""/' >one
sed 's/"why":"[^"]*"/"why":""/' "$T/c/out" >two
same one two
is "$(wc -l <"$T/c/out" | tr -d ' ')" 9 "lines"
for k in id state attempts max_retries priority created_at updated_at cwd; do
	is "$(grep -c "\"$k\":" "$T/c/out")" 9 "lines with $k"
done
is "$(tr -d '\012\040-\176\200-\377' <"$T/c/out" | wc -c | tr -d ' ')" 0 \
    "control characters"
grep '"good1"' "$T/c/out" >line
is "$(json state line)" '"completed"'
is "$(json attempts line)" 1
is "$(json exit_code line)" 0
is "$(json command line)" '"echo fine"'
like "$(json created_at line)" \
    '^"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z"$'
grep '"dead1"' "$T/c/out" >line
is "$(json state line)" '"dead"'
is "$(json exit_code line)" 3
grep '"dead2"' "$T/c/out" >line
is "$(json signal line)" 9
grep '"back1"' "$T/c/out" >line
is "$(json state line)" '"failed"'
is "$(json exit_code line)" 4
ok json next_retry_at line
is "$(minus "$(json next_retry_at line | tr -d '"')" \
    "$(name_stamp "$(name failed back1)")")" 0.000000
grep '"now1"' "$T/c/out" >line
is "$(json state line)" '"processing"'
is "$(json attempts line)" 1
ok kill -0 "$(json worker_pid line)"
grep '"later1"' "$T/c/out" >line
like "$(json run_at line)" '^"2099-01-01T00:00:00(\.0+)?Z"$'
is "$(json attempts line)" 0

t "show"
run q show dead1
status 0
out_has dead1
out_has "exit 3"
out_like dead
run q show --json dead1
json_lines
is "$(wc -l <"$T/c/out" | tr -d ' ')" 1 "lines"
jis id '"dead1"'
out_like '"history": *\[ *\{'
run q show dead1 --json
status 0
jis exit_code 3

t "prefixes"
run q show --json goo
status 0
jis id '"good1"'
run q show dead
status 1
err_has dead
q enqueue --id p -- true >/dev/null
run q show --json p
status 0
jis id '"p"'
rm "$S/pending/$(name pending p)" "$S/ids/p"

t "status"
run q status --json
status 0
json_lines
is "$(wc -l <"$T/c/out" | tr -d ' ')" 1 "lines"
jis spool "\"$S\""
jis pending 4
jis processing 1
jis completed 1
jis failed 1
jis dead 2
jis workers 1
run q status
status 0
out_like 'pending.* 4'
out_like 'dead.* 2'

t "dlq list"
run q dlq list
status 0
out_has dead1
out_has dead2
out_lacks good1
run q dlq list --json
json_lines
is "$(sed 's/{.*}/{}/' "$T/c/out" | tr '\n' ' ')" "[ {}, {} ] "
run q dlq list --jsonl
json_lines
is "$(wc -l <"$T/c/out" | tr -d ' ')" 2 "lines"
run q dlq list --json --jsonl
status 2

t "a copy of the queue by list --json"
: >go
await 10 in_state 'done' now1 p0 p9
await 10 in_state dead p5
q worker stop >/dev/null 2>&1
await 2 ended "$pool"
wait "$pool"
feed '{"id":"x1","command":"printf \"%s\" \"\u00fc\u001b\n\"","env":{"A":"1","B":"\n"},"stdin":"x\ny","timeout":1.5,"backoff_max":7,"priority":3,"max_retries":0,"backoff_base":9,"cwd":"/"}
{"id":"x2","argv":["a","","b c\n"],"delay":10000.25}
{"id":"x3","command":"true","run_at":"2098-01-01T00:00:00.5Z"}
{"id":"x4","command":"true","delay":0}' q enqueue -
status 0
run q list --json
cp "$T/c/out" all
feed "$(cat all)" q --spool "$T/w/copy" enqueue -
status 0
is "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" "$(grep -c '^{' all)"
S2=$T/w/copy
is "$(find copy/pending -type f | wc -l)" "$(grep -c '^{' all)"
for id in x1 x2 x3 x4 later1 good1 dead1; do
	sed '/^Created:/,$d' "$S/ids/$id" | sort >one
	sed '/^Created:/,$d' "$S2/ids/$id" | sort >two
	same one two
done
is "$(basename "$S2"/pending/*-x2 | cut -c 1-25)" "$(name pending x2 | cut -c 1-25)"
# A second copy is the first, but for times and what was run.
q --spool "$S2" list --json | q --spool "$T/w/copy2" enqueue - >/dev/null
q --spool "$T/w/copy3" enqueue "$(q --spool "$S2" list --json)" >/dev/null
q --spool "$S2" list --jsonl | q --spool "$T/w/copy4" enqueue - >/dev/null
for s in copy copy2 copy3 copy4; do
	q --spool "$T/w/$s" list --jsonl |
	    sed -e 's/"created_at": *"[^"]*",\{0,1\}//' \
	    -e 's/"updated_at": *"[^"]*",\{0,1\}//' | sort >$s.txt
done
same copy.txt copy2.txt
same copy.txt copy3.txt
same copy.txt copy4.txt

t "nothing is cut in a pipe"
long=$(printf '%0600d' 0)
q enqueue --id long -- echo "$long" >/dev/null
run q list
out_has "$long"
run q show long
out_has "$long"

t "cut to the terminal"
if command -v script >/dev/null 2>&1 &&
    script -qc true /dev/null >/dev/null 2>&1 </dev/null; then
	script -qc "stty cols 70; '$QUEUECTL' list" /dev/null </dev/null |
	    tr -d '\r' >tty.out
	like "$(cat tty.out)" '^long '
	is "$(awk 'length($0) > 72' tty.out | wc -l | tr -d ' ')" 0 "long lines"
else
	skip "a terminal: no script(1)"
fi

t "empty"
q --spool "$T/w/empty" config set sync none
run q --spool "$T/w/empty" list --json
status 0
out_is "[]"
run q --spool "$T/w/empty" list --jsonl
status 0
out_is ""
run q --spool "$T/w/empty" dlq list --json
status 0
out_is "[]"
run q --spool "$T/w/empty" list --json --limit 0
out_is "[]"
run q --spool "$T/w/empty" list
status 0
run q --spool "$T/w/empty" status --json
jis pending 0
jis workers 0

t "a file of a job's name that is none"
printf 'Queuectl: 1\nId: other\nCommand: true\nCreated: 2026-01-01T00:00:00Z\n' \
    >"$S/pending/5-20260101T000000.000000Z-0-alien"
run q list --state pending
status 0
out_like '^alien .*left alone: its Id'
run q show alien
out_has "left alone"
rm "$S/pending/5-20260101T000000.000000Z-0-alien"

finish
