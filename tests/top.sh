# top.sh: the live view.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2154,SC2164
. "${0%/*}/lib.sh"

t "no spool"
refused 1 "" q top
no test -e "$S"

t "one plain frame, where there is no terminal"
spool_init
run q top
status 0
out_has "pending 0  processing 0  completed 0  failed 0  dead 0  waiting 0"
out_has "NO WORKER: queuectl worker start runs the jobs"
q enqueue --id ended -- true >/dev/null
q enqueue --id bad --max-retries 1 -- false >/dev/null
drain
q enqueue --id "second" -- echo two >/dev/null
q enqueue --id first --priority 0 -- echo "$(printf 'x\033[31m\ty')" >/dev/null
q enqueue --id late --delay 3600 -- true >/dev/null
q enqueue --id held --hold -- true >/dev/null
q enqueue --id child --after held -- true >/dev/null
q pause
run q top
status 0
out_has "pending 3  processing 0  completed 1  failed 0  dead 1  waiting 2"
out_has "PAUSED: queuectl resume goes on"
is "$(sed -n '/^NEXT/,/^$/p' "$T/c/out" | awk '{ print $1 }' | tr '\n' ' ')" \
    "NEXT first second  "
out_has 'x\x1b[31m\ty'
is "$(sed -n '/^ENDED/,$p' "$T/c/out" | awk '{ print $1, $2 }' | tr '\n' ' ')" \
    "ENDED  bad dead ended completed "
no grep -q "$(printf '\033')" "$T/c/out"
run q top --once
status 0
out_has "NEXT"
refused 2 "--fast: no such option" q top --fast
q resume

t "on a terminal"
if ! ${CC:-cc} -o "$T/pty" "$qt_root/tests/pty/pty.c" 2>cc.err; then
	fail "a program" "$(cat cc.err)"
	finish
fi
q enqueue --id runs --priority 0 -- sleep 60 >/dev/null
pool
await 10 in_state processing runs
mkfifo keys
# terminal ROWS COLUMNS: top there; its keys are what goes to descriptor 9.
terminal() {
	"$T/pty" "$1" "$2" "$QUEUECTL" top <keys >screen 2>said &
	pty=$!
	exec 9>keys
}
shows() { grep -aq -e "$1" screen; }
ends() {
	exec 9>&-
	await 10 ended $pty
	wait $pty
	is "$(tail -n 1 said)" "status $1"
	is "$(sed -n 's/^before: //p' said)" "$(sed -n 's/^after: //p' said)" \
	    "the modes of the terminal"
	is "$(tr -d '\r' <screen | tail -c 14)" \
	    "$(printf '\033[?25h\033[?1049l')" "the end"
}
# longest: the columns of the longest line in the last frame, without escapes.
longest() {
	awk -v home="$(printf '\033')\\\\[H" 'BEGIN { RS = home } { last = $0 }
	    END { print last }' screen | tr -d '\r' |
	    sed "s/$(printf '\033')\[[?0-9]*[A-Za-z]//g" |
	    awk '{ if (length($0) > n) n = length($0) } END { print n }'
}
terminal 20 60
await 10 shows "RUNNING"
await 10 shows "  runs  .*for .* s"
q enqueue --id news --priority 0 -- echo "a command that is so long that it does not fit into a window" >/dev/null
await 10 shows "  news "
ok [ "$(longest)" -le 60 ]
t "it follows the window's size"
: >screen
echo "size 10 30" >&9
await 10 shows "NEXT"
ok [ "$(longest)" -le 30 ]
t "q ends it"
echo q >&9
ends 0
t "so does ^C"
terminal 24 80
await 10 shows RUNNING
printf '\003\n' >&9
ends 0
t "a signal leaves the terminal as it was"
for sig in 15 1 2; do
	terminal 24 80
	await 10 shows RUNNING
	echo "kill $sig" >&9
	ends $((128 + sig))
done
stop_pool
finish
