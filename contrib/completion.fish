# Completion of queuectl in fish.  The program knows what may come next; where
# it prints nothing, there may be a file.
# SPDX-License-Identifier: MIT
function __queuectl_complete
	set -l words (commandline -opc)
	set -l found (queuectl complete -- $words[2..-1] (commandline -ct) 2>/dev/null)
	if set -q found[1]
		printf '%s\n' $found
	else
		__fish_complete_path (commandline -ct)
	end
end
complete -c queuectl -f -a '(__queuectl_complete)'
