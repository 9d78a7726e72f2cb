# Completion of queuectl in bash 4 and later.  The program knows what may come
# next; where it prints nothing, there may be a file.
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
_queuectl() {
	mapfile -t COMPREPLY < <(queuectl complete -- \
	    "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	COMPREPLY=("${COMPREPLY[@]%%$'\t'*}")
}
complete -o bashdefault -o default -F _queuectl queuectl
