# hook.sh: the jobs that run when others end.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2010,SC2012,SC2016,SC2034,SC2119,SC2154,SC2164
. "${0%/*}/lib.sh"

# hooks ID: the ids of its hooks.
hooks() { ls "$S/ids" | grep -E "^$1\.(done|dead)-[0-9a-z]{10}\$"; }
said_by() { sort "$T/w/out" 2>/dev/null | tr '\n' ' '; }
fresh() {
	rm -rf "$S" out
	spool_init
	q config set on-done \
	    "echo done \$QUEUECTL_HOOK_ID \$QUEUECTL_HOOK_STATE \$QUEUECTL_HOOK_EXIT \$QUEUECTL_HOOK_ATTEMPTS >>$T/w/out"
	q config set on-dead \
	    "echo dead \$QUEUECTL_HOOK_ID \$QUEUECTL_HOOK_STATE \$QUEUECTL_HOOK_EXIT \$QUEUECTL_HOOK_ATTEMPTS >>$T/w/out"
}

t "no hook without the settings"
spool_init
q enqueue --id a -- true >/dev/null
drain
is "$(ls "$S/ids")" a
no test -e "$S/after"

t "on-done and on-dead"
fresh
q config set backoff-base 0
q enqueue --id good -- true >/dev/null
q enqueue --id bad --max-retries 2 -- sh -c 'exit 7' >/dev/null
q enqueue --id sig --max-retries 1 -- sh -c 'kill -9 $$' >/dev/null
q enqueue --id slow --max-retries 1 --timeout 0.2 -- sleep 60 >/dev/null
q enqueue --id none --max-retries 1 -- /no/such/program >/dev/null
q enqueue --id cancelled -- true >/dev/null
q cancel cancelled >/dev/null
drain
is "$(said_by)" "dead bad dead 7 2 dead cancelled dead cancelled 0 dead none dead error 1 dead sig dead 137 1 dead slow dead timeout 1 done good completed 0 1 "
is "$(hooks good | wc -l | tr -d ' ')" 1
is "$(ls "$S/after")" ""

t "a hook is a job"
h=$(hooks good)
run q show "$h"
out_has "State:      completed"
out_has "Env:        QUEUECTL_HOOK_COMMAND=true"
out_has "Directory:  /"
is "$(where "$h")" 'done'
is "$(ls "$S/ids" | grep -c 'done-.*done-\|dead-.*done-')" 0 "hooks of hooks"

t "a later end has another hook"
q dlq retry bad >/dev/null
drain
is "$(hooks bad | wc -l | tr -d ' ')" 2

t "a hook that fails is retried, and then dead"
q config set on-done 'exit 3'
q config set max-retries 2
q enqueue --id f -- true >/dev/null
drain
h=$(hooks f)
is "$(where "$h")" dead
is "$(attempts "$h")" 2
is "$(hooks "$h")" "" "its hooks"
q config unset on-done
q config unset on-dead
q enqueue --id quiet -- true >/dev/null
drain
is "$(hooks quiet)" ""

t "a long id, and a command with everything in it"
fresh
q config set on-done "printf '%s\\n' \"\$QUEUECTL_HOOK_COMMAND\" >>$T/w/out"
long=$(printf 'x%.0s' 1 2 3 4 5 6 7 8 9 10)
long=$long$long$long$long$long${long}abcd
q enqueue --id "$long" -- printf 'a  b\n"$x"' >/dev/null
drain
is "$(ls "$S/ids" | grep -c "^xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\.done-")" 1
is "$(cat out)" 'printf '"'"'a  b\n"$x"'"'"

t "a damaged job"
fresh
echo garbage >"$S/pending/5-20200101T000000.000000Z-0-g"
touch -t 202001010000 "$S/pending/"*-g
pool
await 10 in_state dead g
await 10 test -s out
stop_pool
is "$(said_by)" "dead g dead error 0 "

t "recovery makes the hook of a job that was recorded, once"
fresh
q enqueue --id r -- true >/dev/null
f=$(name pending r)
stamp=2026-11-24T05:30:12.345678Z
echo "Attempt: 1 start=$stamp end=$stamp exit=0 log=0 worker=9" >>"$S/pending/$f"
mv "$S/pending/$f" "$S/processing/5-20261124T053012.345678Z-1-r"
drain
is "$(hooks r | wc -l | tr -d ' ')" 1
is "$(said_by)" "done r completed 0 1 "
is "$(attempts r)" 1
f=$(name 'done' r)
mv "$S/done/$f" "$S/processing/5-20261124T053012.345678Z-1-r"
drain
is "$(hooks r | wc -l | tr -d ' ')" 1 "the same end, the same hook"

t "a worker that dies: the hook comes with the end"
fresh
q config set max-crashes 1
q enqueue --id lost -- sh -c 'kill -9 $PPID' >/dev/null
pool
await 10 in_state dead lost
await 10 test -s out
stop_pool
is "$(said_by)" "dead lost dead lost 0 "

t "values"
for v in ' x' "a
b" "$(awk 'BEGIN { for (i = 0; i < 1024; i++) printf "x" }')" "$(printf '\377')"; do
	refused 2 "on-done must be a line for /bin/sh of at most 1023 bytes, or nothing" \
	    q config set on-done "$v"
done
run q config set on-done ''
status 0
run q config get on-done
out_is ""
q config set on_dead 'mail -s "dead: $QUEUECTL_HOOK_ID" root = x # y'
run q config get on-dead
out_is 'mail -s "dead: $QUEUECTL_HOOK_ID" root = x # y'
run q config get --json
out_has '"on-dead":"mail -s \"dead: $QUEUECTL_HOOK_ID\" root = x # y"'

t "a hook that cannot be made keeps the job, and stop --now ends that"
fresh
q enqueue --id k -- true >/dev/null
: >"$S/after"
pool
await 10 said "cannot record the end of a job"
is "$(where k)" processing
rm "$S/after"
await 10 in_state 'done' k
await 10 test -s out
stop_pool
finish
