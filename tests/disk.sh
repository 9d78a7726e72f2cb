# disk.sh: what jobs may take of the disk: log-max, keep-*, purge, min-free.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

spool_init
size() { wc -c <"$S/log/$1.log" | tr -d ' '; }

t "a log of more than log-max: head, tail, and how much is missing"
q config set log-max 64K
awk 'BEGIN { for (i = 0; i < 30000; i++) printf "line %05d\n", i }' >text
q enqueue --id long -- cat "$PWD/text" >/dev/null
drain
is "$(where long)" 'done'
within "$(size long)" 32768 65536 "bytes of the log"
run q logs long
mark=$(grep -a '^\[queuectl: bytes [0-9]* to [0-9]* were dropped\]$' "$T/c/out")
is "$(printf '%s\n' "$mark" | wc -l | tr -d ' ')" 1
from=$(echo "$mark" | sed 's/.*bytes \([0-9]*\) to .*/\1/')
to=$(echo "$mark" | sed 's/.* to \([0-9]*\) were.*/\1/')
head -c "$from" text >want
printf '\n%s\n' "$mark" >>want
tail -c +$((to + 2)) text >>want
same "$T/c/out" want
within "$from" 16384 16384
within $((330000 - to - 1)) 16384 49152 "bytes at the tail"

t "one of just log-max is whole"
head -c 65536 text >just
q enqueue --id just -- cat "$PWD/just" >/dev/null
drain
same "$S/log/just.log" just

t "one byte more"
head -c 65537 text >one_more
q enqueue --id more -- cat "$PWD/one_more" >/dev/null
drain
within "$(size more)" 32768 65536
run q logs more
is "$(tail -c 1000 "$T/c/out")" "$(tail -c 1000 one_more)"

t "a job that writes for ever neither fills the disk nor blocks"
q enqueue --id yes --timeout 0.5 --max-retries 1 -- yes >/dev/null
pool
await 10 test -s "$S/log/yes.log"
n=0
while [ "$(where yes)" != dead ] && [ $n -lt 400 ]; do
	s=$(size yes)
	[ "$s" -le 65536 ] || fail "at most 64K" "$s"
	n=$((n + 1))
	nap
done
stop_pool
is "$(outcomes yes)" timeout
within "$(size yes)" 32768 65536
dropped=$(sed -n 's/.*bytes [0-9]* to \([0-9]*\) were dropped.*/\1/p' "$S/log/yes.log")
within "$dropped" 1000000 999999999999 "bytes written in half a second"

t "attempts: log= counts what was written, also what was dropped"
q enqueue --id tries --max-retries 3 -- sh -c \
    'echo "begin $QUEUECTL_ATTEMPT"; cat text; echo "end $QUEUECTL_ATTEMPT"; exit 1' >/dev/null
drain
is "$(where tries)" dead
within "$(size tries)" 32768 65536
for n in 1 2 3; do
	is "$(field log "$(attempt tries $n)")" $((330014 * (n - 1))) "log= of $n"
done
run q logs --attempt 1 tries
is "$(head -n 1 "$T/c/out")" "begin 1"
run q logs --attempt 2 tries
status 0
out_is ""
run q logs --attempt 3 tries
is "$(tail -n 1 "$T/c/out")" "end 3"
ok grep -q 'were dropped\]$' "$T/c/out"
q enqueue --id short --max-retries 3 -- sh -c 'echo "run $QUEUECTL_ATTEMPT"; exit 1' >/dev/null
drain
run q logs --attempt 2 short
out_is "run 2"

t "a job that fakes the line deceives nobody but its reader"
printf 'a\n[queuectl: bytes 900 to 999 were dropped]\nb\n' >fake
q enqueue --id fake --max-retries 2 -- sh -c "cat '$PWD/fake'; exit 1" >/dev/null
drain
is "$(field log "$(attempt fake 2)")" "$(wc -c <fake | tr -d ' ')"
run q logs --attempt 2 fake
same "$T/c/out" fake

t "logs -f over the drop"
q enqueue --id foll -- sh -c 'head -c 60000 text; until [ -e go ]; do sleep 0.05; done
    cat text; until [ -e go2 ]; do sleep 0.05; done; echo the end' >/dev/null
pool
await 10 test -s "$S/log/foll.log"
q logs -f foll >foll.out 2>&1 &
p=$!
full() { [ "$(wc -c <foll.out)" -ge 60000 ]; }
await 10 full
: >go
await 10 grep -aq 'were dropped' "$S/log/foll.log"
await 10 grep -aq 'line 29999' foll.out
: >go2
await 10 ended $p
wait $p
is $? 0
is "$(tail -n 1 foll.out)" "the end"
is "$(head -c 60000 foll.out)" "$(head -c 60000 text)"
stop_pool

t "none: the log is whole"
q config set log-max none
q enqueue --id whole -- cat "$PWD/text" >/dev/null
drain
same "$S/log/whole.log" text
q config unset log-max
is "$(q config get log-max)" 10M

t "no log before the first byte"
q enqueue --id silent -- true >/dev/null
drain
no test -e "$S/log/silent.log"
run q logs silent
status 0
out_is ""

t "a log that lay there from another job is not this one's"
echo old >"$S/log/anew.log"
q enqueue --id anew -- true >/dev/null
drain
run q logs anew
out_is ""

t "what a job left behind holds nothing and writes nowhere"
q enqueue --id behind -- sh -c \
    '(trap "" HUP; until [ -e go3 ]; do sleep 0.05; done; echo late; echo $? >left) &' >/dev/null
drain
is "$(where behind)" 'done'
: >go3
await 10 none_marked
no test -s left
run q logs behind
out_is ""

# --- keep, purge --------------------------------------------------------------

# aged STATE ID DAYS: the job ended so many days ago.
aged() {
	qt_n=$(name "$1" "$2")
	qt_d=$(awk -v now="$(date +%s)" -v days="$3" 'BEGIN {
		t = int(now - days * 86400); d = int(t / 86400) + 719468
		s = t % 86400
		era = int(d / 146097); doe = d - era * 146097
		yoe = int((doe - int(doe / 1460) + int(doe / 36524) - int(doe / 146096)) / 365)
		doy = doe - (365 * yoe + int(yoe / 4) - int(yoe / 100))
		mp = int((5 * doy + 2) / 153)
		m = mp < 10 ? mp + 3 : mp - 9
		printf "%04d%02d%02dT%02d%02d%02d.000000Z",
		    yoe + era * 400 + (m <= 2), m, doy - int((153 * mp + 2) / 5) + 1,
		    int(s / 3600), int(s / 60) % 60, s % 60 }')
	mv "$S/$1/$qt_n" "$S/$1/$(printf '%s\n' "$qt_n" |
	    sed "s/^\(..\)[^-]*-/\1$qt_d-/")"
}
is "$(q purge --state completed >/dev/null; count 'done')" 0
q dlq purge --all >/dev/null
for i in 1 2 3 4; do
	q enqueue --id "d$i" -- echo "$i" >/dev/null
	q enqueue --id "x$i" --max-retries 1 -- sh -c 'echo; exit 1' >/dev/null
done
drain
aged 'done' d1 8
aged 'done' d2 6
aged dead x1 8
aged dead x2 400

t "purge: what the settings say may go"
run q purge --dry-run
status 0
out_is d1
is "$(where d1)" 'done'
run q purge
status 0
out_is d1
is "$(where d1)" nowhere
no test -e "$S/ids/d1"
no test -e "$S/log/d1.log"
is "$(where d2) $(where x2)" "done dead"
run q purge
out_is ""
run q fsck
out_lacks d1

t "purge --older-than, --state"
run q purge --older-than 5d --dry-run
out_is d2
run q purge --older-than 5d --state dead --dry-run
out_is "x2${nl}x1"
run q purge --older-than 30d --state dead
out_is x2
is "$(where x2) $(where x1)" "nowhere dead"
run q purge --older-than 7d
out_is ""
run q purge --state completed -n
out_is "d2${nl}d3${nl}d4"
run q purge --older-than 0.5h --state 'done'
out_is d2

t "mistakes"
run q purge --state pending
status 2
err_has "only completed and dead jobs are purged"
run q purge --state bogus
status 2
for v in x -1 '' 1y 7dd d 99999999999d; do
	run q purge --older-than "$v"
	status 2
	err_has "--older-than must be a time from 0 to 24855d"
done
run q purge d3
status 0
out_is ""
err_has "the settings keep what matches"
run q purge 7d
status 1
err_has "7d: matches no job that has ended"
run q --spool "$T/w/none" purge
status 1
for k in keep-done keep-dead; do
	for v in x -1 '' 7y never; do
		run q config set $k "$v"
		status 2
		err_has "$k must be forever or a time"
	done
done
for v in x 1K 4095 -1 '' 10m 1.5M; do
	run q config set log-max "$v"
	status 2
done
for v in x 101 -1 '' 50%% %; do
	run q config set min-free "$v"
	status 2
done
is "$(q config get keep-done) $(q config get keep-dead)" "7d forever"

t "idle workers purge; what came only now is news, however old"
q config set keep-done 2
q config set keep-dead 2
until_ok 2 false
aged 'done' d4 8
aged dead x3 8
pool
await 10 said "Purged 1 completed job"
await 10 said "Purged 2 dead jobs"
is "$(where d3) $(where x1)" "nowhere nowhere"
is "$(where d4) $(where x3)" "done dead"
stop_pool
q config unset keep-done
q config unset keep-dead

t "keep-max: the newest of each"
for i in 1 2 3 4 5; do q enqueue --id "k$i" -- true; done >/dev/null
q config set keep-max 2
drain
is "$(entries 'done' | sed 's/.*-//' | tr '\n' ' ')" "k4 k5 "
is "$(entries dead | sed 's/.*-//' | tr '\n' ' ')" "x3 "
is "$(count ids)" 3
q config set keep-max 1
run q purge --dry-run
out_is k4
run q purge
out_is k4

t "more than one pass"
awk 'BEGIN { for (i = 0; i < 1100; i++) print "{\"command\":\"true\",\"id\":\"m" i "\"}" }' |
    q enqueue - >ids
xargs "$QUEUECTL" cancel <ids >/dev/null
is "$(count dead)" 1101
drain
is "$(entries dead | sed 's/.*-//' | tr '\n' ' ')" "m1099 "
is "$(entries 'done' | sed 's/.*-//' | tr '\n' ' ')" "k5 "
is "$(count ids)" 2
q config unset keep-max

# --- min-free -----------------------------------------------------------------

t "enqueue refuses below min-free, and says why"
q enqueue --id before -- true >/dev/null
q config set min-free 100%
refused 1 "no space left: fewer blocks of its file system are free than min-free says" \
    q enqueue --id m1 -- true
refused 1 "$S: nothing was enqueued" q enqueue '[{"command":"true"}]'
refused_in 1 "line 1: " '{"command":"true"}
{"command":"true"}
' q enqueue -
is "$(grep -c . "$T/c/err")" 1

t "recording results does not"
drain
is "$(where before)" 'done'
run q cancel before
status 1
q config set min-free 0
run q enqueue -- true
status 0
run q config get min-free
out_is "0%"
q config set min-free 1
run q config get min-free
out_is "1%"

finish
