# command.sh: enqueue --command LINE, and the words that lead to it.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2154
. "${0%/*}/lib.sh"

spool_init
t "enqueue --command LINE"
run q enqueue --command 'echo a b | tr a-z A-Z' --id line1 --priority 2
status 0
out_is line1
run q enqueue --env X=y --id line2 --command 'echo $X'
status 0
drain 2>/dev/null
run q logs line1
out_is "A B"
run q logs line2
out_is y
run q enqueue --command true -- true
status 2
run q enqueue --command true '{"command":"true"}'
status 2
run q enqueue --command ''
status 2
run q enqueue --command
status 2

t "a bare line is refused, and the hint leads to success"
run q enqueue "echo hi"
status 2
err_has "--command LINE"
run q enqueue --command "echo hi" --id hint1
status 0
q enqueue --id hint2 --max-retries 1 -- "echo hi" >/dev/null
drain 2>/dev/null
is "$(where hint1)" 'done'
run q show hint2
out_has "no such program: echo hi (enqueue a line for the shell with --command)"

finish
