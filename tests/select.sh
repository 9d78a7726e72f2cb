# select.sh: which jobs list, wait, cancel, hold, release, dlq and purge take:
# states, patterns of ids, --since, and what list prints of them.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2046,SC2086,SC2116,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

# ids WANT ARG...: what list with these arguments prints, ids only, in order.
ids() {
	want=$1
	shift
	run q list --columns id "$@"
	status 0
	is "$(echo $out)" "$want" "list $*"
	n=$(echo $want | wc -w | tr -d ' ')
	run q list --count "$@"
	status 0
	out_is "$n"
}
# printed WANT: the ids on stdout, sorted.
printed() { is "$(printf '%s\n' "$out" | sort | tr '\n' ' ')" "${1:+$1 }"; }

spool_init
feed '{"id":"good1","command":"true"}
{"id":"good2","command":"true","priority":1}
{"id":"dead1","command":"exit 3","max_retries":1}
{"id":"dead2","command":"kill -9 $$","max_retries":1}
{"id":"back1","command":"exit 4","max_retries":2,"backoff_base":3000}' q enqueue -
status 0
pool
await 10 in_state 'done' good1 good2
await 10 in_state dead dead1 dead2
await 10 in_state failed back1
stop_pool
feed '{"id":"p5","command":"true"}
{"id":"p0","command":"true","priority":0}
{"id":"later","command":"true","run_at":"2099-01-01T00:00:00Z"}
{"id":"held1","command":"true","hold":true}
{"id":"child","command":"true","after":["p5","held1"]}' q enqueue -
status 0

t "several states"
ids "back1 dead1 dead2" --state failed,dead
ids "back1 dead1 dead2" --state DEAD --state Failed
ids "good2 good1 dead1 dead2" -s done,dead --state=completed
ids "held1 child" --state waiting
ids "held1" --state held
ids "p0 p5 later held1" --state held,pending
run q list --state failed,ded
status 2
err_has "no such state: ded; the states are waiting,"
run q list --state dead,
status 2
run q list --state ''
status 2

t "patterns"
ids "good2 good1" 'good*'
ids "dead1" dead1
ids "" dead
ids "back1 held1 good1 dead1" '*1'
ids "p0 p5" 'p[0-9]'
ids "later child" '[!abdghp]*d' later
ids "p0 p5" 'p?' 'p*'
ids "" 'nothing*'
ids "dead1" --state dead '*1'
run q list 'nothing*'
status 0
err_is ""
is "$(wc -l <"$T/c/out" | tr -d ' ')" 1
run q list --json 'nothing*'
out_is "[]"
run q list pending
status 0
err_is "queuectl: no job has the id pending; for a state: list --state pending"

t "--reverse, --limit, --count"
all="p0 p5 later back1 held1 child good2 good1 dead1 dead2"
ids "$all"
rev="dead2 dead1 good1 good2 child held1 back1 later p5 p0"
ids "$rev" --reverse
ids "dead2 dead1 good1" -r --limit 3
ids "p0 p5 later back1" --limit 4
ids "" --limit 0
ids "held1 back1" -r -n 2 --state waiting,failed 'held*' 'b*'
for w in '--count --json' '--columns id --json' '--columns id --jsonl' \
    '--columns id --count' '--jsonl --count'; do
	# shellcheck disable=SC2086
	run q list $w
	status 2
	err_has "do not go together"
done

t "a limit far below the number of jobs"
seq 1 4500 | sed 's/.*/{"id":"m&","command":"true"}/' >many
q --spool "$T/w/lot" config set sync none
q --spool "$T/w/lot" enqueue - <many >/dev/null
run q --spool "$T/w/lot" list --columns id --limit 5
is "$(echo $out)" "m1 m2 m3 m4 m5"
run q --spool "$T/w/lot" list --columns id --limit 5 --reverse
is "$(echo $out)" "m4500 m4499 m4498 m4497 m4496"
run q --spool "$T/w/lot" list --columns id --limit 3 'm*7'
is "$(echo $out)" "m7 m17 m27"
run q --spool "$T/w/lot" list --columns id
seq 1 4500 | sed 's/^/m/' >want
same "$T/c/out" want
run q --spool "$T/w/lot" list --count
out_is 4500

t "--since"
# A stamp of long ago, by hand.
for w in 'done good1' 'dead dead1' 'pending p0'; do
	n=$(name $w)
	mv "$S/${w% *}/$n" "$S/${w% *}/$(echo "$n" |
	    sed 's/20[0-9]*T[0-9.]*Z/20200101T000000.000000Z/')"
done
ids "p5 later back1 held1 child good2 dead2" --since 10m
ids "p0 p5 later back1 held1 child good1 good2 dead1 dead2" --since 20000d
ids "good2 dead2" --since 1h --state completed,dead
due back1
ids "" --since 10m --state failed
run q list --since soon
status 2
err_has "--since must be a time"

t "--columns"
q enqueue --id odd --hold --lock gpu,db --env 'A=x y' --env B=1 --timeout 90 \
    -- printf 'a\b%s' "$(printf 'tab\there\nline\033')" '' >/dev/null
q enqueue --id odd2 --command "$(printf 'echo \\\\t\t"x"')" --hold >/dev/null
tab=$(printf '\t')
run q list --columns id,state,command,argv 'odd*'
status 0
is "$(head -n 1 "$T/c/out")" \
    "odd${tab}waiting${tab}${tab}printf 'a\\\\b%s' 'tab\\there\\nline\\x1b' ''"
is "$(sed 1d "$T/c/out")" \
    "odd2${tab}waiting${tab}echo \\\\\\\\t\\t\"x\"${tab}"
is "$(wc -l <"$T/c/out" | tr -d ' ')" 2
run q list --columns env,lock,timeout,hold,after,unique odd
out_is "A='x y' B=1${tab}db,gpu${tab}90${tab}true${tab}${tab}"
run q list --columns=after,why,priority,attempts child
out_is "p5,held1${tab}waits for p5${tab}5${tab}0"
run q list --columns exit_code,signal,max_retries --state dead
out_is "3${tab}${tab}1${nl}${tab}9${tab}1"
run q list --columns id,id good2
out_is "good2${tab}good2"
for w in stat=state attempt=attempts exitcode=exit_code; do
	run q list --columns "id,${w%=*}"
	status 2
	out_is ""
	err_has "no such column: ${w%=*}; did you mean ${w#*=}?  There are:$nl"
	err_has worker_pid
done
run q list --columns ''
status 2
run q list --columns id,
status 2

t "--columns has every field that --json prints, and its values"
run q list --json
grep -o '"[a-z_]*":' "$T/c/out" | tr -d '":' | sort -u | grep -v '^[AB]$' >names
ok test "$(wc -l <names)" -ge 18
while read -r k; do
	run q list --columns "$k"
	status 0
done <names
for k in created_at updated_at cwd next_retry_at; do
	run q list --columns $k back1
	was=$out
	run q list --json back1
	jis $k "\"$was\""
done

t "hold and release"
run q release 'odd*' 'none*'
status 1
printed "odd odd2"
err_is "queuectl: none*: matches no job that is held; queuectl list shows the jobs"
run q hold '*'
status 0
printed "back1 child later odd odd2 p0 p5"
run q hold '*'
status 1
out_is ""
err_is "queuectl: *: matches no job that can be held; queuectl list shows the jobs"
run q release held1 '*' 'p?' p0
status 0
printed "back1 child held1 later odd odd2 p0 p5"
err_is ""
run q release 'p'
status 1
err_has "more than one job"

t "wait"
run q wait 'good*'
status 0
run q wait '*1' --timeout 0
status 124
run q wait 'dead?'
status 1
err_has "2 of 2 jobs did not succeed"
run q wait 'none*'
status 1
err_is "queuectl: none*: matches no job; queuectl list shows the jobs"
run q wait 'dead*' --all
status 2

t "dlq"
run q dlq retry '*2'
status 0
printed dead2
run q dlq retry 'dead2' 'dead*'
status 1
printed dead1
err_is "queuectl: dead2: not in the dead letter queue: it is pending; \
queuectl dlq list shows those that are"
run q dlq retry 'good*'
status 1
err_is "queuectl: good*: matches no dead job; queuectl list shows the jobs"
run q dlq retry 'x*' --all
status 2

t "cancel"
run q cancel '*2' '*1'
status 0
printed "back1 dead1 dead2 held1 odd2"
run q cancel 'good*'
status 1
out_is ""
err_is "queuectl: good*: matches no job that has not ended; queuectl list shows the jobs"
run q cancel 'p*' good1 p5
status 1
printed "p0 p5"
err_has "good1: has ended already"

t "dlq purge"
run q dlq purge 'o*' 'dea*' odd2
status 0
printed "dead1 dead2 odd2"
no test -e "$S/ids/dead1"
ok test -e "$S/ids/odd"

t "purge"
run q purge 'held*'
status 0
out_is ""
err_is "queuectl: nothing is removed, because the settings keep what matches; purge --state completed,dead removes it"
run q purge 'odd*' 'none*'
status 1
out_is ""
err_is "queuectl: odd*: matches no job that has ended; queuectl list shows the jobs
queuectl: none*: matches no job that has ended; queuectl list shows the jobs"
run q purge --state dead -n 'back*' 'p5'
status 0
printed "back1"
run q purge --state dead,completed 'back*' 'good2'
status 0
printed "back1 good2"
run q purge --state dead,failed 'p*'
status 2
err_has "only completed and dead jobs are purged"
run q purge --older-than 10m '*'
status 0
printed "good1"

q cancel '*' >/dev/null
q purge --state dead >/dev/null

t "purge with a pattern removes nothing that the settings keep"
seq 1 6 | sed 's/.*/{"id":"k&","command":"true"}/' | q enqueue - >/dev/null
work k1 k2 k3 k4 k5 k6
q config set keep-max 2
run q purge -n
printed "k1 k2 k3 k4"
run q purge 'k[246]'
status 0
printed "k2 k4"
run q purge 'k[56]'
status 0
out_is ""
run q purge
printed "k1 k3"

t "a pattern of a running job"
q enqueue --id run1 -- sh -c ': >ran; while :; do sleep 0.05; done' >/dev/null
q enqueue --id run2 -- true >/dev/null
pool
await 10 test -e ran
ids run1 --state processing --since 1m
run q list --columns why run2
like "$out" '^all workers busy \([0-9]+ ahead of it\)$'
run q cancel 'run*'
status 0
printed "run1 run2"
stop_pool

finish
