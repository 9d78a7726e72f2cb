# help.sh: help, versions, mistakes, and a stdout that is full.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

t "help"
for c in help --help; do
	run q $c
	status 0
	err_is ""
	for w in enqueue list show logs status worker dlq config help; do
		out_has $w
	done
done
run q help
all=$out
run q --help
out_is "$all"

t "help COMMAND, COMMAND --help"
for c in enqueue list show logs status 'worker start' 'worker stop' \
    'worker list' cancel lock wait pause resume purge 'dlq list' 'dlq retry' 'dlq purge' 'config set' \
    'config get' 'config unset'; do
	# shellcheck disable=SC2086
	run q help $c
	status 0
	out_has "$c"
	err_is ""
	was=$out
	# shellcheck disable=SC2086
	run q $c --help
	status 0
	out_is "$was"
done
for c in worker dlq config; do
	run q help $c
	status 0
	run q $c --help
	status 0
	out_has "$c "
done
run q help enqueue
for o in --id --priority --max-retries --backoff-base --delay --run-at \
    --timeout --dead-exit --cwd --env --unique --wait; do
	out_has "$o"
done
run q help worker start
for o in --count --daemon --drain --check --launcher; do
	out_has "$o"
done

t "--version"
run q --version
status 0
out_like '^queuectl [0-9]+\.[0-9]'
is "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" 1

t "no spool has been made"
no test -e "$S"

t "mistyped"
run q enqeue
status 2
err_has enqeue
err_has enqueue
out_is ""
run q worker strat
status 2
err_has strat
err_has start
run q list --stat dead
status 0 2
run q list --foo
status 2
err_has --foo
err_has --state
err_has --limit
err_has --json
run q worker start --cuont 2
status 2
err_has --cuont
err_has --count
run q dlq retyr
status 2
err_has retry
err_has purge
run q help enqeue
status 2
err_has enqeue
run q
status 2
err_has enqueue
no test -e "$S"

t "messages begin with the program's name"
run q bogus
is "$(head -n 1 "$T/c/err" | cut -c 1-10)" "queuectl: "
run q list
is "$(grep -vc '^queuectl: ' "$T/c/err")" 0
status 1

t "--spool after the command, twice, without a value"
run q --spool
status 2
q config set sync none
run q --spool "$T/w/none" --spool "$S" list
status 0 2

t "a full stdout"
q enqueue --id x1 --max-retries 1 -- echo hello >/dev/null
q enqueue --id x2 --max-retries 1 -- false >/dev/null
drain
if [ -c /dev/full ]; then
	for c in help --help --version list 'list --json' status 'status --json' \
	    'show x1' 'show --json x1' 'logs x1' 'dlq list' 'config get' \
	    'config get --json' 'config get sync' 'help enqueue' 'list --help'; do
		# shellcheck disable=SC2086
		q $c >/dev/full 2>"$T/c/err"
		st=$? out="" err=$(cat "$T/c/err") qt_ran="$c >/dev/full"
		status 1
		err_like 'no space|write'
	done
	q enqueue --id full1 -- true >/dev/full 2>"$T/c/err"
	is $? 1 "status of enqueue >/dev/full"
else
	skip "no /dev/full"
fi

t "a closed stdout"
for c in list help 'config get sync'; do
	# shellcheck disable=SC2086
	"$QUEUECTL" $c >&- 2>"$T/c/err"
	is $? 1 "status of $c >&-"
done
"$QUEUECTL" enqueue --id closed1 -- true <&- >&- 2>&-
run q list --json
status 0
run q fsck
[ "$st" = 2 ] || status 0 1

t "a stderr that is closed"
"$QUEUECTL" show nope 2>&-
is $? 1

t "a job run with 0, 1 and 2 closed"
q enqueue --id closed2 -- sh -c 'cat; echo out; echo err >&2' >/dev/null
"$QUEUECTL" worker start --drain <&- >&- 2>&-
is $? 0
run q logs closed2
out_is "out${nl}err"
run q show --json closed2
jis state '"completed"'
like "$(cat "$S/ids/closed2")" '^Queuectl: 1'

t "words that other programs use"
# hint WORDS HINT: what the message of unknown words must have.
hint() {
	meant=$2
	# shellcheck disable=SC2086 # words
	run q $1
	status 2
	err_has "did you mean: queuectl $meant"
}
hint metrics 'status --prometheus'
hint stop 'worker stop'
hint retry 'dlq retry'
hint remove 'cancel'
hint init 'enqueue'
hint health 'status'
hint 'worker status' 'worker list'
hint 'config show' 'config list'
hint 'help stop' 'worker stop'
hint ls list
hint version --version
hint 'rm x1' cancel
hint 'enqueue --file jobs' 'enqueue - <FILE'
hint 'enqueue --file=jobs' 'enqueue - <FILE'
hint 'enqueue -f jobs' 'enqueue - <FILE'
for w in @jobs jobs.json 'echo hi'; do
	run q enqueue "$w"
	status 2
	err_has "the jobs of a file: queuectl enqueue - <FILE"
done

t "what is one word too many"
run q status failed
status 2
err_has "queuectl: status: one argument too many: failed${nl}usage: "
run q list failed
status 0
err_is "queuectl: no job has the id failed; for a state: list --state failed"
run q show a b c
status 2
err_has "queuectl: show: one argument too many: b$nl"
run q show
err_has "queuectl: show takes one more argument$nl"
# shellcheck disable=SC2089,SC2090 # they are words
for w in 'echo hi' '{"command":"true"}'; do
	# shellcheck disable=SC2086 # words
	run q enqueue --command $w more
	status 2
	err_has "--command takes the line as one word, so quote it"
done
for w in '' '--id x1' '--command true'; do
	# shellcheck disable=SC2086 # words
	run q enqueue $w --
	status 2
	err_is "queuectl: a command must follow --"
done

t "slips"
# slip KIND WORD NAME CMD...: the name that is guessed; NONE: none is.
slip() {
	kind=$1 word=$2 meant=$3
	shift 3
	run q "$@"
	status 2
	if [ "$meant" = NONE ]; then
		err_has "queuectl: no such $kind: $word; there are:$nl"
	else
		err_has "queuectl: no such $kind: $word; did you mean $meant?  There are:$nl"
	fi
}
for w in lsit=list enque=enqueue stat=status hlep=help log=logs conf=config \
    purge-all=purge test=NONE cat=NONE nonsense=NONE x=NONE lo=NONE \
    show2222222222222222222222222222=show; do
	slip command "${w%=*}" "${w#*=}" "${w%=*}"
done
for w in timout=timeout job_timeout=timeout retries=max-retries keep=keep-done \
    max_retry=max-retries backof_base=backoff-base \
    nonsense=NONE; do
	slip key "${w%=*}" "${w#*=}" config get "${w%=*}"
	slip key "${w%=*}" "${w#*=}" config set "${w%=*}" 1
done
run q enqueue '{"cmd":"true"}'
status 2
err_has 'did you mean "command"?'
for w in timeout_seconds=timeout max_timeout=timeout retries=max_retries \
    delay_s=delay environment=env Argv=argv; do
	run q enqueue "{\"command\":\"true\",\"${w%=*}\":3}"
	status 2
	err_has "unknown field \"${w%=*}\"; did you mean \"${w#*=}\"?"
done
# not a field that would be ignored
for w in status stat xyzzy; do
	run q enqueue "{\"command\":\"true\",\"$w\":3}"
	status 2
	err_has "unknown field \"$w\"; see queuectl help enqueue"
done

finish
