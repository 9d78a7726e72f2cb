# enqueue.sh: a job given as JSON, as an array, as lines and as arguments.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

# header KEY ID: the values of a line of the job's file.
header() { sed -n "s/^$1: //p" "$S/ids/$2"; }

t "an object"
run q enqueue '{"command":"echo hi"}'
status 0
err_is ""
id=$out
like "$id" '^[A-Za-z0-9_][A-Za-z0-9._-]{0,11}$'
f=$(name pending "$id")
like "$f" "^5-[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-0-$id\$"
is "$(header Command "$id")" "echo hi"
is "$(header Id "$id")" "$id"
is "$(header Max-Retries "$id")" 3
is "$(header Backoff-Base "$id")" 2
is "$(header Priority "$id")" 5
is "$(header Cwd "$id")" "$T/w"
is "$(sed -n 1p "$S/ids/$id")" "Queuectl: 1"
is "$(sed -n '$s/:.*//p' "$S/ids/$id")" Created
is "$(header Created "$id" | tr -d ':-')" "$(name_stamp "$f")"
within "$(minus "$(header Created "$id")" "$(date -u +%Y%m%dT%H%M%SZ)")" -5 5 \
    "age of the job"

t "two names, private"
is "$(find "$S/pending" -links 2 -name "*-$id" | wc -l | tr -d ' ')" 1
is "$(ls -i "$S/ids/$id" | awk '{ print $1 }')" \
    "$(ls -i "$S/pending/$f" | awk '{ print $1 }')" "inode"
like "$(ls -ld "$S")" '^drwx------'
for d in pending processing 'done' failed dead ids log workers; do
	ok test -d "$S/$d"
done

t "every field"
run q enqueue '{
	"id": "all.fields_1-x", "command": "cat; pwd; echo $A", "max_retries": 7,
	"backoff_base": 4, "backoff_max": 99, "priority": 0, "delay": 3600.5,
	"timeout": 1.25, "cwd": "/", "env": {"A": "a b=c", "B_2": ""},
	"stdin": "one\ntwo\n\n three"
}'
status 0
out_is all.fields_1-x
like "$(name pending all.fields_1-x)" '^0@[0-9T.]+Z-0-all.fields_1-x$'
is "$(header Max-Retries all.fields_1-x)" 7
is "$(header Backoff-Base all.fields_1-x)" 4
is "$(header Backoff-Max all.fields_1-x)" 99
is "$(header Priority all.fields_1-x)" 0
is "$(header Timeout all.fields_1-x)" 1.25
is "$(header Cwd all.fields_1-x)" /
is "$(header Env all.fields_1-x)" "A=a b=c${nl}B_2="
within "$(minus "$(name_stamp "$(name pending all.fields_1-x)")" \
    "$(header Created all.fields_1-x)")" 3600.5 3600.5 "delay"
is "$(sed -n '/^Stdin/,/^[A-Z]/p' "$S/ids/all.fields_1-x" | sed '$d')" \
    "Stdin: one${nl} two${nl} ${nl}  three"
run q show --json all.fields_1-x
jis priority 0
jis max_retries 7
jis backoff_base 4
jis backoff_max 99
jis timeout 1.25
jis cwd '"/"'
jis stdin '"one\ntwo\n\n three"'
jis B_2 '""'

t "run_at"
run q enqueue '{"id":"at1","command":"true","run_at":"2099-05-06T07:08:09.25+02:00"}'
status 0
is "$(name pending at1)" 5@20990506T050809.250000Z-0-at1
run q enqueue '{"id":"at2","command":"true","run_at":"2099-05-06T07:08:09Z"}'
status 0
is "$(name pending at2)" 5@20990506T070809.000000Z-0-at2

t "argv in JSON"
run q enqueue '{"id":"argv","argv":["printf","%s|","a b","","$HOME","*","l1\nl2"]}'
status 0
is "$(header Arg argv | head -n 2)" "printf${nl}%s|"

t "unicode, escapes, control characters"
run q enqueue '{"id":"uni","command":"printf %s \u00e9\ud83d\ude00\u2028ü"}'
status 0
run q enqueue '{"id":"ctl","command":"printf \"%s\" \"a\tb\u0001\u001b[1m\r\n  c\n\""}'
status 0
run q enqueue '{"id":"slash","command":"echo \"\/\\\\\""}'
status 0
spool_init
work argv uni ctl slash
run q logs argv
out_is 'a b||$HOME|*|l1
l2|'
run q logs uni
out_is "$(printf '\303\251\360\237\230\200\342\200\250\303\274')"
printf 'a\tb\001\033[1m\r\n  c\n' >want
run q logs ctl
same "$T/c/out" want

t "an array keeps its order"
run q enqueue '[{"id":"a3","command":"true"},{"id":"a1","argv":["true"]}, {"id":"a2","command":"true","priority":5}]'
status 0
out_is "a3${nl}a1${nl}a2"
is "$(entries pending | sed -n 's/^5-.*-0-\(a[123]\)$/\1/p' | tr '\n' ' ')" "a3 a1 a2 "

t "an array is taken whole or not at all"
refused 2 "" q enqueue '[{"id":"w1","command":"true"},{"id":"w2","command":"true","priority":11}]'
refused 2 "" q enqueue '[{"id":"w1","command":"true"},{"id":"w2"}]'
refused 1 a1 q enqueue '[{"id":"w1","command":"true"},{"id":"a1","command":"true"}]'

t "lines on stdin"
feed '{"id":"s1","command":"true"}

   
{"id":"s2","command":"true","priority":9}
  {"id":"s3","argv":["true","x"]}  
{"id":"s4","command":"true"}' q enqueue -
status 0
out_is "s1${nl}s2${nl}s3${nl}s4"
ok in_state pending s1 s2 s3 s4

t "bad lines are named and skipped"
feed '{"id":"b1","command":"true"}
nonsense
{"id":"b3","command":"true","bogus":1}

{"id":"b5","command":"true"}
{"id":"b1","command":"true"}
[{"id":"b7","command":"true"}
' q enqueue -
status 1
out_is "b1${nl}b5"
for n in 2 3 6 7; do
	err_like "line $n([^0-9]|\$)"
done
err_has bogus
is "$(printf '%s\n' "$err" | grep -cE 'line [145]:')" 0 "good lines named"
is "$(where b3)$(where b7)" nowherenowhere
no test -e "$S/ids/b3"

t "no lines"
refused_in 0 "" "" q enqueue -
refused_in 0 "" "$nl$nl" q enqueue -

t "an array on stdin"
feed "
 $nl	[{\"id\":\"in3\",\"command\":\"true\"},$nl{\"id\":\"in1\",\"argv\":[\"true\"]}]$nl" q enqueue -
status 0
err_is ""
out_is "in3${nl}in1"
is "$(entries pending | sed -n 's/^5-.*-0-\(in[13]\)$/\1/p' | tr '\n' ' ')" "in3 in1 "
refused_in 0 "" "[]" q enqueue -
refused_in 0 "" "$nl$nl [ $nl ]$nl" q enqueue -

t "an array on stdin is taken whole or not at all"
refused_in 2 "job 2 of the array (line 4, column 23): \"priority\" must be" "

[{\"id\":\"w1\",\"command\":\"true\"},
{\"id\":\"w2\",\"priority\":11}]" q enqueue -
refused_in 1 'id "in1" exists' '[{"id":"w1","command":"true"},
{"id":"in1","command":"true"}]' q enqueue -
refused_in 2 "not JSON: line 3, column 1: " '
[{"id":"w1","command":"true"},
x]' q enqueue -
refused_in 2 "not JSON: line 2, column 1: the text ends" '[{"id":"w1","command":"true"}' q enqueue -
refused_in 2 "line 2, column 1: text after" '[{"id":"w1","command":"true"}]
{"id":"w2","command":"true"}' q enqueue -
printf '[{"id":"w1","command":"tr\000ue"}]' >nul
refused 2 "line 1, column 26: control character" \
    sh -c '"$QUEUECTL" enqueue - <nul'

t "after a line, an array is a bad line"
feed '
{"id":"l2","command":"true"}
[{"id":"w1","command":"true"}]
{"id":"l4","command":"true"}' q enqueue -
status 1
out_is "l2${nl}l4"
err_is "queuectl: line 3, column 1: a job must be an object"

t "an array from a slow producer"
mkfifo slowly
q enqueue - <slowly >slow.out 2>slow.err &
p=$!
exec 7>slowly
printf '\n ' >&7
printf '[{"id":"sa1","command":"true"},' >&7
printf '\n{"id":"sa2","command":"true"}' >&7
printf ']\n' >&7
is "$(where sa1)$(where sa2)" nowherenowhere
exec 7>&-
await 5 ended $p
wait $p
is $? 0
is "$(cat slow.out slow.err)" "sa1${nl}sa2"

t "a slow producer is not made to wait"
mkfifo fifo
q enqueue - <fifo >slow.out 2>slow.err &
p=$!
exec 7>fifo
echo '{"id":"slow1","command":"true"}' >&7
await 5 in_state pending slow1
await 5 grep -q '^slow1$' slow.out
printf '{"id":"slow2",' >&7
echo '"command":"true"}' >&7
await 5 in_state pending slow2
exec 7>&-
await 5 ended $p
wait $p
is $? 0

t "as arguments"
run q enqueue -- printf '%s|' 'a  b' '' '$HOME'
status 0
id=$out
work "$id"
run q logs "$id"
out_is 'a  b||$HOME|'

t "as arguments, with every option"
run q enqueue --id opt1 --priority 2 --max-retries 1 --backoff-base 3 \
    --delay 100 --timeout 2.5 --cwd / --env A=1 --env B=x=y -- true -x --id
status 0
out_is opt1
like "$(name pending opt1)" '^2@.*-0-opt1$'
is "$(header Max-Retries opt1)" 1
is "$(header Backoff-Base opt1)" 3
is "$(header Timeout opt1)" 2.5
is "$(header Cwd opt1)" /
is "$(header Env opt1)" "A=1${nl}B=x=y"
is "$(header Arg opt1)" "true${nl}-x${nl}--id"
run q enqueue --id=opt2 --run-at=2099-01-02T03:04:05Z -- true
status 0
is "$(name pending opt2)" 5@20990102T030405.000000Z-0-opt2

t "spans with units"
run q enqueue --id span1 --delay 1.5m --timeout 12h -- true
status 0
is "$(header Timeout span1)" 43200
within "$(minus "$(name_stamp "$(name pending span1)")" \
    "$(header Created span1)")" 90 90 "delay"
run q enqueue --id span2 --delay=7d --timeout=1.5s --command true
status 0
is "$(header Timeout span2)" 1.5
within "$(minus "$(name_stamp "$(name pending span2)")" \
    "$(header Created span2)")" 604800 604800 "delay"
for o in delay timeout; do
	for v in 1x 15M 1h30m 24856d '' m; do
		refused 2 "\"$o\" must be a number of seconds" \
		    q enqueue --$o "$v" -- true
		err_has ", or a span with a unit, such as \"15m\", \"12h\", \"7d\", not $v"
	done
done
refused 2 'must be a whole number' q enqueue --backoff-base 2s -- true
refused 2 'must be a whole number' q enqueue --max-retries 2.0 -- true
for v in '"5"' '""' '"1x"' '"m"' '"1h30m"' null true '["1m"]'; do
	refused 2 '"timeout" must be a number of seconds' \
	    q enqueue "{\"command\":\"true\",\"timeout\":$v}"
	refused 2 '"delay" must be a number of seconds' \
	    q enqueue "{\"command\":\"true\",\"delay\":$v}"
done
for v in '"5"' '"1.5s"' '"1x"' '"24856d"' null; do
	refused 2 '"backoff_max" must be a whole number from 0 to 2147483647' \
	    q enqueue "{\"command\":\"true\",\"backoff_max\":$v}"
done
refused 2 '"priority" must be a whole number' \
    q enqueue '{"command":"true","priority":"5s"}'
run q enqueue '{"id":"span5","command":"true","backoff_max":"15m"}'
is "$(header Backoff-Max span5)" 900
run q enqueue '{"id":"span3","command":"true","timeout":"15m","delay":"7d"}'
status 0
is "$(header Timeout span3)" 900
within "$(minus "$(name_stamp "$(name pending span3)")" \
    "$(header Created span3)")" 604800 604800 "delay"
run q enqueue '{"id":"span4","command":"true","timeout":"1.5s","delay":"0s"}'
status 0
is "$(header Timeout span4)" 1.5

t "--env NAME copies a variable"
run env COPIED="a b=c" EMPTY= "$QUEUECTL" enqueue --id env1 --env COPIED --env B=1 --env EMPTY -- true
status 0
is "$(header Env env1)" "COPIED=a b=c${nl}B=1${nl}EMPTY="
unset NOT_SET
refused 2 "queuectl: --env NOT_SET: the variable is not set; NOT_SET=VALUE" \
    q enqueue --env NOT_SET -- true
for v in '' 1A A-B 'A B' =x; do
	refused 2 'a name in "env" must be letters, digits and _, no digit' \
	    q enqueue --env "$v" -- true
done
BYTES=$(printf '\377')
export BYTES
refused 2 "--env BYTES: its value is not UTF-8" q enqueue --env BYTES -- true
unset BYTES
refused 2 '"env" has "A" twice' env A=1 "$QUEUECTL" enqueue --env A --env A=2 -- true

t "cwd is made absolute"
mkdir sub
run q enqueue --id cwd1 --cwd sub -- pwd
status 0
is "$(header Cwd cwd1)" "$T/w/sub"

t "ids of 64 characters"
id=$(printf '%064d' 7)
run q enqueue "{\"id\":\"$id\",\"command\":\"true\"}"
status 0
out_is "$id"
ok in_state pending "$id"

t "fields that list prints are ignored"
run q enqueue '{"id":"ro1","command":"true","state":"dead","attempts":9,"created_at":"x","updated_at":null,"exit_code":[1,{"a":1.5e3}],"signal":-0.5,"error":"x","worker_pid":true}'
status 0
like "$(name pending ro1)" '^5-.*-0-ro1$'

t "the longest command"
{
	printf '{"id":"long","command":"echo $((1+1)) #'
	awk 'BEGIN { for (i = 0; i < 131071 - 15; i++) printf "x" }'
	printf '"}\n'
} >in
feed "$(cat in)" q enqueue -
status 0
work long
run q logs long
out_is 2

t "many at once"
awk 'BEGIN { for (i = 0; i < 3000; i++) print "{\"command\":\"true\"}" }' >in
before=$(count pending)
feed "$(cat in)" q enqueue -
status 0
is "$(printf '%s\n' "$out" | sort -u | wc -l | tr -d ' ')" 3000
ok has pending $((before + 3000))
printf '%s\n' "$out" >"$T/w/ids"
LC_ALL=C sort ids | cmp - ids
is $? 0 "generated ids sort by time"
entries pending | sed -n 's/^5-[0-9T.]*Z-0-//p' | grep -F -x -f ids >order
same ids order

t "the id is taken"
refused 1 opt1 q enqueue '{"id":"opt1","command":"true"}'
refused 1 long q enqueue --id long -- true

t "two enqueuers at once"
for n in 1 2 3; do
	awk -v n=$n 'BEGIN { for (i = 0; i < 300; i++)
		printf "{\"id\":\"c%d\",\"command\":\"true %d\"}\n", i, n }' >in$n
	q enqueue - <in$n >out$n 2>err$n &
	eval "p$n=\$!"
done
# shellcheck disable=SC2154
wait "$p1" "$p2" "$p3"
is "$(cat out1 out2 out3 | sort -u | wc -l | tr -d ' ')" 300
is "$(cat out1 out2 out3 | wc -l | tr -d ' ')" 300
is "$(cat err1 err2 err3 | wc -l | tr -d ' ')" 600

t "the default spool"
unset QUEUECTL_SPOOL
if [ "$qt_root_user" ]; then
	skip "the default spool of a plain user: this is root"
else
	XDG_STATE_HOME=$T/w/state "$QUEUECTL" enqueue -- true >out
	ok test -e "state/queuectl/ids/$(cat out)"
	HOME=$T/w/myhome "$QUEUECTL" enqueue -- true >out
	ok test -e "myhome/.local/state/queuectl/ids/$(cat out)"
fi
QUEUECTL_SPOOL=$S
export QUEUECTL_SPOOL

t "--spool makes parents"
run q --spool new/er/spool enqueue -- true
status 0
ok test -e "$T/w/new/er/spool/ids/$out"
run q "--spool=$T/w/new/er/spool" list
status 0

finish
