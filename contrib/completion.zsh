#compdef queuectl
# Completion of queuectl in zsh; this is the file _queuectl of a directory in
# $fpath.  The program knows what may come next; where it prints nothing, there
# may be a file.
# SPDX-License-Identifier: MIT
local -a found
found=("${(@f)$(queuectl complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
if [[ -n $found[1] ]]; then
	# _describe takes NAME:DESCRIPTION
	found=(${${found//:/\\:}/$'\t'/:})
	_describe -V queuectl found
else
	_files
fi
