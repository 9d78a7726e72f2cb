# launcher.sh: worker start --launcher, which runs each job as a program and the
# job's words.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

# script FILE LINE...: a program.
script() {
	f=$1
	shift
	printf '%s\n' '#!/bin/sh' "$@" >"$f.new"
	chmod 755 "$f.new"
	mv "$f.new" "$f"
}
# job ID ARG...
job() {
	i=$1
	shift
	q enqueue --id "$i" --max-retries 1 "$@" >/dev/null
}
# launch PROGRAM [ARG...]: runs all there is with it.
launch() {
	run q worker start --drain --launcher "$@"
	status 0
	out_is ""
}
# wrote ID TEXT: that is what it wrote.
wrote() {
	run q logs "$1"
	out_is "$2"
}

t "a launcher that is not there stops the pool from starting"
printf '#!/bin/sh\nexec "$@"\n' >noexec
mkdir -p w dir
for l in no-such-launcher ./none w/none noexec/none; do
	run q worker start --drain --launcher "$l"
	status 1
	out_is ""
	err_has "no such launcher: $l"
done
run q worker start --drain --launcher 'nice -n 5'
status 1
err_has "no such launcher: nice -n 5"
err_has "a script may add options"
for l in ./noexec ./dir; do
	run q worker start --drain --launcher "$l"
	status 1
	err_has "launcher $l: Permission denied"
done
mkdir closed
chmod 0 closed
run env PATH="$T/w/none:$T/w/closed:$PATH" "$QUEUECTL" worker start --drain \
    --daemon --launcher no-such-launcher
status 1
err_has "no such launcher: no-such-launcher"
chmod 700 closed
run q worker start --drain --launcher ''
status 2
run q worker start --launcher
status 2
no test -e "$S"

spool_init

t "the job's words come behind it"
script show 'printf "[%s]" "$0" "$@"'
job a1 -- printf 'a b' '$HOME' '' '*'
job a2 --command 'echo $HOME; exit 1'
job a3 --command 'echo plain words'
launch ./show
wrote a1 "[$T/w/./show][printf][a b][\$HOME][][*]"
wrote a2 "[$T/w/./show][/bin/sh][-c][echo \$HOME; exit 1]"
wrote a3 "[$T/w/./show][/bin/sh][-c][echo plain words]"
ok in_state 'done' a1 a2 a3

t "it is looked for along PATH, once"
mkdir bin one two
script two/through 'echo two; exec "$@"'
cp noexec one/through
job b1 --env PATH=/usr/bin:/bin -- echo b1
q enqueue '{"id":"b2","argv":["sh","-c","echo $QUEUECTL_ID $A; pwd; cat; exit 3"],
	"max_retries":1,"cwd":"/","stdin":"input\n","env":{"A":"x"}}' >/dev/null
PATH="$T/w/one:two:$PATH" launch through
wrote b1 "two${nl}b1"
wrote b2 "two${nl}b2 x${nl}/${nl}input"
is "$(outcomes b2)" exit=3
cp noexec one/unsearched
run env PATH="$T/w/none:$T/w/one:$PATH" "$QUEUECTL" worker start --drain \
    --launcher unsearched
status 1
err_has "launcher unsearched: Permission denied"

t "as a daemon, whose directory is another one"
job c -- echo c
run q worker start --drain --daemon --launcher two/through
status 0
await 10 in_state 'done' c
wrote c "two${nl}c"
await 10 has workers 0

t "what a job that is not found means is the launcher's status"
job d1 -- ./no-such-program
job d2 --command no-such-program
script status 'exec "$@" 2>/dev/null; exit 127' 
launch ./status
is "$(outcomes d1)" exit=127
is "$(outcomes d2)" exit=127
is "$(where d1)" dead

t "a directory that cannot be entered is the job's fault"
mkdir gone
job e --cwd gone -- true
rmdir gone
launch ./show
like "$(outcomes e)" '^error=cannot enter its directory '

t "so are words that the kernel does not take"
awk 'BEGIN {
	for (i = 0; i < 131000; i++) a = a "x"
	printf "{\"id\":\"f\",\"max_retries\":1,\"argv\":[\"true\""
	for (i = 0; i < 60; i++) printf ",\"%s\"", a
	print "]}"
}' | q enqueue - >/dev/null
launch ./show
like "$(outcomes f)" '^error=.*Argument list too long'

t "a timeout ends the launcher and what it runs"
script under 'echo $$ >>launchers' '"$@" &' 'wait $!'
job g --timeout 0.3 -- sleep 1000
launch ./under
is "$(outcomes g)" timeout
await 5 none_marked

t "so does cancel; and stop --now, which requeues"
launched() { [ "$(wc -l <launchers)" -ge "$1" ]; }
pool --launcher ./under --count 2
job h1 -- sleep 1000
await 10 launched 2
q cancel h1 >/dev/null
is "$(outcomes h1)" cancelled
job h2 -- sleep 1000
await 10 launched 3
q worker stop --now 2>/dev/null
pool_ends
is "$(outcomes h2)" requeued
is "$(where h2)" pending
q cancel h2 >/dev/null
await 5 none_marked

t "one that cannot be started any more charges nothing, and is tried again"
script bin/gone 'echo launched; exec "$@"'
pool --launcher bin/gone
job i1 -- echo i1
await 10 in_state 'done' i1
# waits_with ID WHY: a new job waits for the launcher.
waits_with() {
	job "$1" -- echo "$1"
	await 10 in_state processing "$1"
	await 10 said "cannot start a job; trying again every second: launcher \
$T/w/bin/gone: $2"
	is "$(outcomes "$1")" "" "attempts of $1"
}
rm bin/gone
waits_with i2 "No such file or directory"
printf 'echo no interpreter\n' >bin/new
chmod 755 bin/new
mv bin/new bin/gone
nap
is "$(where i2)" processing
script bin/gone 'echo launched; exec "$@"'
await 10 in_state 'done' i2
is "$(outcomes i2)" exit=0
is "$(name_attempt "$(name 'done' i2)")" 1
wrote i2 "launched${nl}i2"
chmod 644 bin/gone
waits_with i3 "Permission denied"
q cancel i3 >/dev/null
is "$(outcomes i3)" cancelled
printf '\177ELF' >bin/new
chmod 755 bin/new
mv bin/new bin/gone
waits_with i4 "Exec format error"

t "a stop does not wait for it"
q worker stop 2>/dev/null
pool_ends
is "$(where i4)" pending
is "$(outcomes i4)" requeued
is "$(name_attempt "$(name pending i4)")" 0
launch ./show
ok in_state 'done' i4

finish
