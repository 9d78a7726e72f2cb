# badinput.sh: what bad input gets: a line that names the thing, exit 2 or 1,
# and nothing enqueued, changed or left behind.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

# bad TEXT JSON: refused as an argument, with TEXT on stderr.
bad() { refused 2 "$1" q enqueue "$2"; }

spool_init
q enqueue --id taken -- true >/dev/null
q enqueue --id taken2 -- true >/dev/null

t "invalid JSON, with line and column"
bad "" ''
bad "" '{'
bad "" 'hello'
bad "" '{"command":"true"} x'
bad "" '{"command":"true",}'
bad "" "{'command':'true'}"
bad "" '{"command":"tr
ue"}'
bad "" '{"command":"\x41"}'
bad "" '{"command":"true","priority":05}'
bad "" '[{"command":"true"}'
bad "" '{
 "command": "true",
  oops
}'
err_like 'line 3.*column 3|:3:3'

t "valid JSON that is no job"
for j in null true 1 '"true"' '[1]' '[null]' '["true"]' '[[{"command":"true"}]]'
do
	bad "" "$j"
done

t "wrong types"
bad command '{"command":1}'
bad command '{"command":null}'
bad command '{"command":["true"]}'
bad argv '{"argv":"true"}'
bad argv '{"argv":["true",1]}'
bad argv '{"argv":{}}'
bad env '{"command":"true","env":["A=1"]}'
bad env '{"command":"true","env":"A=1"}'
bad env '{"command":"true","env":{"A":1}}'
for k in id cwd stdin run_at; do
	for v in 1 null true '[]' '{}'; do
		bad "$k" "{\"command\":\"true\",\"$k\":$v}"
	done
done
for k in max_retries backoff_base backoff_max priority delay timeout; do
	for v in '"3"' null true '[3]'; do
		bad "$k" "{\"command\":\"true\",\"$k\":$v}"
	done
done

t "unknown fields, and the nearest known one"
bad prioritty '{"command":"true","prioritty":3}'
err_like 'prioritty.*priority|did you mean .?priority'
bad comand '{"comand":"true"}'
err_like 'comand.*command'
bad maxretries '{"command":"true","maxretries":3}'
bad xyzzy '{"command":"true","xyzzy":3}'
bad Command '{"Command":"true"}'

t "command and argv"
bad command '{"command":"true","argv":["true"]}'
bad command '{}'
bad command '{"id":"x1"}'
bad command '{"command":""}'
bad argv '{"argv":[]}'

t "duplicate keys"
bad command '{"command":"true","command":"true"}'
bad id '{"id":"d1","command":"true","id":"d2"}'
bad state '{"command":"true","state":"x","state":"x"}'

t "NUL, surrogates, bytes that are no UTF-8"
bad "" '{"command":"a\u0000b"}'
bad "" '{"command":"a\ud800b"}'
bad "" '{"command":"a\udc00\ud800b"}'
bad "" '{"command":"a\ud83dx"}'
bad "" '{"command":"true","state":"\ud800"}'
bad "" '{"command":"true","state":{"a":["\u0000"]}}'
bad "" '{"command":"true","env":{"A":"\u0000"}}'
bad "" "$(printf '{"command":"\377"}')"
bad "" "$(printf '{"command":"\300\257"}')"
bad "" "$(printf '{"command":"\355\240\200"}')"
refused 2 "" q enqueue -- echo "$(printf '\377')"
refused 2 "" q enqueue --cwd "$(printf '/\377')" -- true
printf '{"command":"a\000b"}\n' >nul
snap >before
q enqueue - <nul >out 2>err
is $? 1
snap >after
same before after

t "100,000 nested brackets"
deep=$(awk 'BEGIN { for (i = 0; i < 100000; i++) printf "[" }')
bad "" "$deep"
bad "" "{\"command\":\"true\",\"state\":$deep}"
refused_in 1 "line 1" "{\"state\":$deep" q enqueue -
deep=$(awk 'BEGIN { for (i = 0; i < 20000; i++) printf "{\"a\":" }')
bad "" "$deep"

t "a command of 10 MB"
{
	printf '{"command":"'
	dd if=/dev/zero bs=1048576 count=10 2>/dev/null | tr '\000' x
	printf '"}\n'
} >big
snap >before
q enqueue - <big >out 2>err
is $? 1
is "$(cat out)" ""
like "$(cut -c 1-200 err)" 'line 1'
is "$(($(wc -c <err) < 1000))" 1 "a short message"
snap >after
same before after
{
	printf '{"command":"'
	awk 'BEGIN { for (i = 0; i < 131072; i++) printf "x" }'
	printf '"}\n'
} >big
refused_in 1 "line 1" "$(cat big)" q enqueue -

t "numbers"
for v in -1 -0 1.0 1e1 1E2 0.5 2147483648 99999999999999999999 -99999999999; do
	for k in max_retries backoff_base backoff_max; do
		bad "$k" "{\"command\":\"true\",\"$k\":$v}"
	done
done
for v in 10 -1 5.0 1e0 -0 99999999999; do
	bad priority "{\"command\":\"true\",\"priority\":$v}"
done
for v in -1 -0.5 2147483648 1e3 99999999999999999999; do
	bad delay "{\"command\":\"true\",\"delay\":$v}"
	bad timeout "{\"command\":\"true\",\"timeout\":$v}"
done
for v in 10 -1 x '' 1.0 +1 ' 1' 01 1x; do
	refused 2 priority q enqueue --priority "$v" -- true
done
for v in -1 x '' 2147483648 1.0; do
	refused 2 max q enqueue --max-retries "$v" -- true
done
for v in -1 x '' 1e3 nan inf 0x10; do
	refused 2 delay q enqueue --delay "$v" -- true
	refused 2 timeout q enqueue --timeout "$v" -- true
done

t "ids"
long=$(printf '%065d' 7)
for v in ../x -x .x a/b a:b 'a b' '' . .. / é "$long" 'a\n' 'a*'; do
	bad id "{\"id\":\"$v\",\"command\":\"true\"}"
done
for v in ../x -x .x a/b 'a b' '' é "$long" "a$nl"; do
	refused 2 id q enqueue "--id=$v" -- true
done
no test -e "$T/x"

t "duplicates"
refused 1 taken q enqueue '{"id":"taken","command":"true"}'
refused 1 taken q enqueue '[{"id":"new1","command":"true"},{"id":"taken","command":"true"}]'
refused_in 1 taken '{"id":"taken","command":"true"}' q enqueue -
snap >before
run q enqueue '[{"id":"twice","command":"true"},{"id":"twice","command":"true"}]'
status 1 2
err_has twice
out_is ""
snap >after
same before after

t "run_at and delay"
for v in tomorrow '' 2026-11-24 2026-11-24T05:30:12 2026-13-01T00:00:00Z \
    2026-02-30T00:00:00Z 2026-11-24T25:00:00Z 1234567890 \
    '2026-11-24T05:30:12Z ' 2026-11-24T05:30:12+0; do
	bad run_at "{\"command\":\"true\",\"run_at\":\"$v\"}"
	refused 2 run q enqueue --run-at "$v" -- true
done
bad delay '{"command":"true","delay":1,"run_at":"2099-01-01T00:00:00Z"}'
bad run_at '{"command":"true","delay":1,"run_at":"2099-01-01T00:00:00Z"}'
refused 2 delay q enqueue --delay 1 --run-at 2099-01-01T00:00:00Z -- true

t "env"
bad 1A '{"command":"true","env":{"1A":"x"}}'
bad env '{"command":"true","env":{"":"x"}}'
bad 'A=B' '{"command":"true","env":{"A=B":"x"}}'
bad A-B '{"command":"true","env":{"A-B":"x"}}'
refused 2 env q enqueue --env A -- true
refused 2 env q enqueue --env =x -- true
refused 2 1A q enqueue --env 1A=x -- true

t "usage of enqueue"
refused 2 "" q enqueue
refused 2 "" q enqueue --
refused 2 "" q enqueue --priority 3 --
refused 2 prioritty q enqueue --prioritty 3 -- true
err_like 'priority'
refused 2 "" q enqueue --id
refused 2 "" q enqueue '{"command":"true"}' '{"command":"true"}'
refused 2 "" q enqueue --priority 3 '{"command":"true"}'
refused 2 "" q enqueue --priority 3 -
refused 2 "" q enqueue -- ''

t "other usage"
refused 2 bogus q bogus
err_like 'enqueue'
refused 2 "" q
refused 2 --bogus q list --bogus
refused 2 --bogus q --bogus list
refused 2 "" q --spool
refused 2 "" q --spool '' list
refused 2 "" q status extra
refused 2 bogus q list --state bogus
err_like 'pending.*processing.*(completed|done).*failed.*dead'
refused 2 "" q list --state
for v in x -1 '' 1.5 99999999999999999999; do
	refused 2 limit q list --limit "$v"
done
refused 2 "" q show
refused 2 "" q logs
refused 2 attempt q logs --attempt x taken
refused 2 "" q status extra
for v in 0 x -1 '' 1.5 99999999999; do
	refused 2 count q worker start --count "$v"
done
refused 2 count q worker start -c 0
refused 2 "" q worker start extra
refused 2 "" q worker
refused 2 bogus q worker bogus
err_like 'start'
err_like 'stop'
refused 2 "" q worker stop extra
refused 2 "" q dlq
refused 2 bogus q dlq bogus
refused 2 "" q dlq retry
refused 2 "" q dlq purge
refused 2 "" q config
refused 2 "" q config set
refused 2 "" q config set max-retries
refused 2 bogus q help bogus

t "no such job"
refused 1 nope q show nope
refused 1 nope q show --json nope
refused 1 nope q logs nope
refused 1 nope q logs -f nope
refused 1 nope q dlq retry nope
refused 1 nope q dlq purge nope
refused 1 taken q dlq retry taken2
refused 1 taken q dlq purge taken2
refused 1 take q show take
for v in ../x . .. / a/b '' '*' "$long"; do
	refused "1" "" q show "$v"
done 2>/dev/null

t "a spool that is missing"
for c in list status 'show x' 'logs x' 'dlq list' 'dlq retry x' 'dlq purge x' 'cancel x' 'wait x' \
    'wait --all' pause resume purge \
    'dlq retry --all' 'worker list'; do
	# shellcheck disable=SC2086
	run q --spool "$T/w/none" $c
	status 1
	err_has "$T/w/none"
	out_is ""
done
no test -e none

t "a bad job makes no spool"
run q --spool "$T/w/none" enqueue '{"comand":"true"}'
status 2
no test -e none

t "a spool that is a file"
echo precious >file
for c in list status 'worker start --drain' 'enqueue -- true' \
    'config set sync none' 'worker stop'; do
	# shellcheck disable=SC2086
	run q --spool file $c
	status 1
	err_has "$T/w/file"
	out_is ""
done
is "$(cat file)" precious
run q --spool file/sub enqueue -- true
status 1
err_has "$T/w/file"

t "a directory of the spool that is a file"
mkdir half
: >half/pending
run q --spool half enqueue -- true
status 1
err_has pending
out_is ""
run q --spool half list
status 1

t "a spool of which a link is broken"
ln -s "$T/w/nowhere/at/all" dangling
run q --spool dangling list
status 1
run q --spool dangling enqueue -- true
st_d=$st
[ "$st_d" = 0 ] || status 1

t "a spool of another user"
if [ "$qt_root_user" ]; then
	q --spool other enqueue --id o1 -- true >/dev/null
	chown 65534 other
	for c in list 'enqueue -- true' 'worker start --drain' fsck; do
		# shellcheck disable=SC2086
		run q --spool other $c
		status 1
		err_has "$T/w/other"
		err_has "belongs to another user"
		out_is ""
	done
	is "$(find other/pending -name '*-o1' | wc -l | tr -d ' ')" 1
else
	skip "a spool of another user: not root"
fi

t "a spool that may not be read or written"
if [ "$qt_root_user" ]; then
	skip "spools without permission: this is root"
else
	mkdir shut
	chmod 0 shut
	for c in list status 'enqueue -- true' 'worker start --drain' \
	    'config set sync none' 'enqueue -'; do
		# shellcheck disable=SC2086
		feed '{"command":"true"}' q --spool shut $c
		status 1
		err_has "$T/w/shut"
		out_is ""
	done
	chmod 700 shut
	q --spool ro enqueue --id r1 -- true >/dev/null
	chmod 500 ro/*/ ro
	run q --spool ro enqueue -- true
	status 1
	err_has "$T/w/ro"
	out_is ""
	run q --spool ro config set sync none
	status 1
	run q --spool ro list
	status 0
	out_has r1
	chmod 700 ro ro/*/
	is "$(find ro/ids ro/pending -type f | wc -l | tr -d ' ')" 2
	run q --spool /proc/nope enqueue -- true
	status 1
fi

t "a full disk, a read-only one"
mkdir disk
if [ "$qt_root_user" ] && mount -t tmpfs -o size=64k none disk 2>/dev/null; then
	mounted "$T/w/disk"
	S=$T/w/disk/spool
	QUEUECTL_SPOOL=$S
	q config set sync none
	q enqueue --id d1 -- true >/dev/null
	dd if=/dev/zero of=disk/fill bs=1k count=100 2>/dev/null
	refused 1 "space" q enqueue '{"command":"true"}'
	refused 1 "space" q enqueue '[{"command":"true"},{"command":"true"}]'
	refused 1 "space" q enqueue -- true
	refused_in 1 "space" '{"command":"true"}' q enqueue -
	refused 1 "space" q config set max-retries 4
	is "$(q config get sync)" none
	rm disk/fill
	run q enqueue -- true
	status 0
	t "a batch that fills the disk"
	awk 'BEGIN { for (i = 0; i < 400; i++)
		printf "{\"id\":\"f%d\",\"command\":\"true\"}\n", i }' >many
	q enqueue - <many >out 2>err
	is $? 1
	n=$(wc -l <out | tr -d ' ')
	within "$n" 1 60 "jobs that were taken"
	like "$(cat err)" space
	ok has pending $((n + 2))
	ok has ids $((n + 2))
	t "a read-only disk"
	if mount -o remount,ro none disk; then
		refused 1 "" q enqueue -- true
		refused 1 "" q config set max-retries 4
		refused 1 "" q dlq retry d1
		run q list
		status 0
		out_has d1
		run q worker start --drain
		status 1
		mount -o remount,rw none disk
	fi
	S=$T/spool
	QUEUECTL_SPOOL=$S
else
	skip "a full disk: no right to mount one"
fi

t "after all that"
run q list --jsonl
is "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 2
is "$(count ids)" 2

t "text that steers the terminal"
esc=$(printf '\033') rlo=$(printf '\342\200\256') # U+202E turns text around
run q show "x${esc}[31m"
no eval 'printf %s "$err" | grep -q "$esc"'
err_has '\x1b[31m'
QUEUECTL_SPOOL=$PWD/"$rlo
$esc" run q list
no eval 'printf %s "$err" | grep -q "$esc\|$rlo"'
err_has '\xe2\x80\xae\n\x1b'
q enqueue --id bidi --delay 3600 -- echo "$rlo" >/dev/null
run q list
no eval 'printf %s "$out" | grep -q "$rlo"'

finish
