# recovery.sh: what a crash leaves, built by hand, and what becomes of it.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

spool_init
stp=20240101T000000.000001Z
start=2024-01-01T00:00:00.000001Z
end=2024-01-01T00:00:02.500000Z
ends=20240101T000002.500000Z
# line OUTCOME [START]: an attempt.
line() {
	printf 'Attempt: 1 start=%s end=%s %s log=0 worker=99' "${2:-$start}" $end "$1"
}

t "no attempt line: lost, uncharged, run again"
plant processing 5-$stp-1-lost1 lost1 'echo again'
drain
is "$(where lost1)" 'done'
is "$(outcomes lost1)" "lost exit=0"
like "$(attempt lost1 1)" "^Attempt: 1 start=$start end=[^ ]* lost "
is "$(name_attempt "$(name 'done' lost1)")" 1
is "$(attempt lost1 2 | cut -d' ' -f2)" 1

t "the end is written: the move is completed, nothing is run"
for o in exit=0 exit=3 signal=9 timeout 'error=no such program: x'; do
	i=whole$(printf '%s' "$o" | tr -dc 'a-z0-9' | cut -c 1-6)
	plant processing 5-$stp-3-"$i" "$i" ': >RAN' "$(line "$o")"
	cp "$S/ids/$i" want
	drain
	if [ "$o" = exit=0 ]; then
		is "$(name 'done' "$i")" "5-$ends-3-$i"
	else
		is "$(name dead "$i")" "5-$ends-3-$i"
	fi
	same want "$S/ids/$i"
	is "$(count processing)" 0
done
no test -e RAN

t "the end is written, attempts are left: failed, with its deadline"
jobfile back1 'echo again' "$(line exit=1)" | sed 's/^Backoff-Base.*/Backoff-Base: 10/' \
    >"$S/ids/back1"
ln "$S/ids/back1" "$S/processing/5-$stp-1-back1"
pool
await 10 in_state 'done' back1
stop_pool
is "$(outcomes back1)" "exit=1 exit=0"
is "$(name_attempt "$(name 'done' back1)")" 2

t "requeued is written"
plant processing 4-$stp-2-req1 req1 'echo again' "$(line requeued)"
pool
await 10 in_state 'done' req1
stop_pool
is "$(outcomes req1)" "requeued exit=0"
is "$(name_attempt "$(name 'done' req1)")" 2

t "an older attempt's end is not this one's"
plant processing 5-$stp-2-old1 old1 'echo again' "$(line exit=0 2023-12-31T00:00:00.000001Z)"
drain
is "$(outcomes old1)" "exit=0 lost exit=0"
is "$(name_attempt "$(name 'done' old1)")" 2

t "a torn line"
for cut in 10 30 60 86; do
	i=torn$cut
	plant processing 5-$stp-1-$i $i 'echo again'
	line exit=0 | cut -c 1-$cut | tr -d '\n' >>"$S/ids/$i"
	drain
	is "$(where $i)" 'done'
	is "$(outcomes $i)" "lost exit=0"
	run q show $i
	status 0
	is "$(grep -c '^Attempt: 1 start=[^ ]* end=[^ ]* [^ ]* log=[0-9]*\( user=.*\)* worker=[0-9]*$' \
	    "$S/ids/$i")" 2 "whole lines"
done

t "a line without its newline, torn or not"
plant processing 5-$stp-1-nonl nonl 'echo again'
line exit=0 >>"$S/ids/nonl"
drain
is "$(where nonl)" 'done'
is "$(grep -c 'worker=.*Attempt' "$S/ids/nonl")" 0 "lines glued together"

t "torn, then more"
plant processing 5-$stp-1-torn2 torn2 'echo again' 'Attempt: 1 start=2024' "$(line exit=4)"
drain
is "$(outcomes torn2)" "exit=4 exit=0"

t "lost again and again: it waits as after failures, then is dead"
lost() {
	n=$1
	while [ "$n" -gt 0 ]; do
		line lost "2023-01-0${n}T00:00:00.000000Z"
		echo
		n=$((n - 1))
	done
}
plant processing 5-$stp-1-crash5 crash5 ': >RAN' "$(lost 4)"
drain
is "$(where crash5)" dead
is "$(outcomes crash5)" "lost lost lost lost lost"
no test -e RAN
jobfile crash3 ': >RAN' "$(lost 2)" | sed 's/^Backoff-Base.*/Backoff-Base: 7/' >"$S/ids/crash3"
ln "$S/ids/crash3" "$S/processing/5-$stp-1-crash3"
pool
await 10 in_state failed crash3
stop_pool
within "$(minus "$(name_stamp "$(name failed crash3)")" "$(field end "$(attempt crash3 3)")")" \
    343 343 "seconds of backoff"
is "$(name_attempt "$(name failed crash3)")" 0
rm "$S/failed/"* "$S/ids/crash3"

t "nothing is replaced"
plant processing 5-$stp-1-rep1 rep1 ': >RAN' "$(line exit=0)"
echo precious >"$S/done/5-$ends-1-rep1"
q worker start --drain 2>>"$T/worker.err"
is "$(cat "$S/done/5-$ends-1-rep1")" precious
is "$(count processing)" 0
is "$(find "$S/done" -name '*-rep1' | wc -l | tr -d ' ')" 2
no test -e RAN
rm -f "$S/done/5-$ends-1-rep1"

t "recovered without its entry in ids/"
jobfile noid 'echo again' >"$S/processing/5-$stp-1-noid"
drain
is "$(where noid)" 'done'
ok test -e "$S/ids/noid"

t "what is left in ids/ is used again"
for x in '' 'Queuectl: 1' "$(jobfile stale 'echo old')"; do
	printf '%s' "$x" >"$S/ids/stale"
	run q list
	status 0
	out_lacks stale
	run q show stale
	status 1
	run q enqueue --id stale -- echo new
	status 0
	out_is stale
	like "$(cat "$S/ids/stale")" '^Arg: new'
	is "$(find "$S/ids/stale" -links 2 | wc -l | tr -d ' ')" 1
	rm "$S/ids/stale" "$S/pending/"*-stale
done
t "also in an array"
: >"$S/ids/stale"
run q enqueue '[{"id":"n1","command":"true"},{"id":"stale","command":"true"}]'
status 0
out_is "n1${nl}stale"
drain

t "recovery while a pool is idle"
pool
q enqueue --id idle1 -- true >/dev/null
await 10 in_state 'done' idle1
q worker start --drain 2>>"$T/worker.err"
stop_pool

t "a job in processing/ of which a process lives"
if command -v flock >/dev/null 2>&1; then
	plant processing 5-$stp-1-held held 'echo again >>held.ran'
	flock "$S/ids/held" sh -c ': >held; until [ -e held.go ]; do sleep 0.03; done' &
	p=$!
	await 5 test -e held
	pool
	q enqueue --id free1 -- true >/dev/null
	await 10 in_state 'done' free1
	is "$(where held)" processing
	run q status
	out_has held
	: >held.go
	wait $p
	await 20 in_state 'done' held
	is "$(outcomes held)" "lost exit=0"
	stop_pool
else
	skip "a job held by another: no flock(1)"
fi

t "a job in pending/ whose lock is busy is not lost"
if command -v flock >/dev/null 2>&1; then
	q enqueue --id busy -- true >/dev/null
	rm -f held held.go
	flock -s "$S/ids/busy" sh -c ': >held; until [ -e held.go ]; do sleep 0.03; done' &
	p=$!
	await 5 test -e held
	pool
	q enqueue --id free2 -- true >/dev/null
	await 10 in_state 'done' free2
	is "$(where busy)" pending
	: >held.go
	wait $p
	await 10 in_state 'done' busy
	stop_pool
else
	skip "a job held by another: no flock(1)"
fi

t "every id is in one state"
run q list --jsonl
is "$(count ids)" "$(wc -l <"$T/c/out" | tr -d ' ')"

finish
