# count.awk: counts what is there after the storm against what was promised,
# from the files removed, acked, after, states, ids, history and events.  `killed` is
# the number of workers that were killed.
# SPDX-License-Identifier: MIT

function fault(kind, text) {
	count[kind]++
	if (count[kind] <= 3)
		print kind ": " text >"worst"
}
# Whether pid was killed between these times; a worker may have been struck
# just before the word of its job.
function struck(pid, from, to,    i, n, v) {
	n = split(kills[pid], v, " ")
	for (i = 1; i <= n; i++)
		if (v[i] >= from - 2 && v[i] <= to)
			return 1
	return 0
}
FILENAME == "removed" { removed[$1] = 1; next }
FILENAME == "acked" { if (!($1 in acked)) jobs++; acked[$1] = 1; next }
FILENAME == "after" { parent[$1] = $2; next }
FILENAME == "states" {
	id = $2
	sub(/^.*Z-[0-9]*-/, "", id)
	sub(/\+.*/, "", id) # its locks
	if (id in state)
		fault("two", id ": " state[id] " and " $3)
	state[id] = $3
	inode[id] = $1
	if (match(id, /\.(done|dead)-[0-9a-z]*$/)) {
		hooks[substr(id, 1, RSTART + 4)]++
		of_all[substr(id, 1, RSTART - 1)]++
		is_hook[id] = 1
	}
	next
}
FILENAME == "ids" { entry[$2] = $1; next }
FILENAME == "history" {
	if ($1 == "U") {
		if ($2 in state)
			fault("unreadable", $2)
		next
	}
	# the beginning of its first attempt and the end of that
	if (!attempts[$2]++) {
		began[$2] = substr($4, 7)
		first[$2] = substr($5, 5)
	}
	lost += $3 == "lost"
	if ($3 == "exit=0" && ++good[$2] > 1)
		fault("twice", $2 " has succeeded twice in its history")
	next
}
$NF != "." { next }
$1 == "K" {
	kills[$3] = kills[$3] " " $2
	total[$4]++
	if ($4 == "worker")
		last = $2
}
$1 == "S" {
	runs++
	k = ++run[$4]
	if ($7 == 0 && last >= $2 - 2)
		orphan[$4, k] = 1
	at[$4, k] = $2; pid[$4, k] = $6; worker[$4, k] = $7
	code[$4, k] = -1
	of[$4, $6] = k
}
$1 == "E" { code[$4, of[$4, $6]] = $7; ended++ }
$1 == "L" { fault("shared", $4 ": " $0) }
$1 == "O" { fault("overlap", $4 ": " $0) }
END {
	for (id in acked) {
		if (!(id in state) && !(id in removed))
			fault("missing", id)
		if ((id in state) && entry[id] != inode[id])
			fault("unlinked", id)
	}
	for (id in run) {
		again += run[id] > 1
		for (k = 1; k <= run[id]; k++) {
			until = k < run[id] ? at[id, k + 1] : 1e12
			hit = struck(pid[id, k], at[id, k], until) ||
			    struck(worker[id, k], at[id, k], until) ||
			    ((id, k) in orphan)
			if (code[id, k] < 0 && !hit)
				fault("died", id " execution " k)
			if (k < run[id] && code[id, k] == 0 && !hit)
				fault("again", id " after execution " k)
		}
		if ((id in state) && run[id] > attempts[id])
			fault("untold", id ": " run[id] " executions, " \
			    attempts[id] + 0 " in its history")
	}
	for (id in parent)
		if ((id in began) && (!(parent[id] in first) ||
		    began[id] < first[parent[id]]))
			fault("early", id " before " parent[id])
	for (id in state)
		if ((state[id] == "done" || state[id] == "dead") &&
		    !is_hook[id] && !hooks[id "." state[id]])
			fault("hookless", id " in " state[id])
	for (id in of_all)
		if (of_all[id] > attempts[id])
			fault("hooked", id ": " of_all[id])
	for (id in state)
		if (state[id] != "done" && state[id] != "dead")
			fault("stuck", id " in " state[id])
		else if (state[id] == "done" && !good[id])
			fault("undone", id)
	if (lost > killed)
		count["lost"] = lost - killed
	printf "jobs acknowledged                     %6d\n", jobs
	printf "executions                            %6d\n", runs
	printf "  that came to their end              %6d\n", ended
	printf "jobs that ran more than once          %6d\n", again
	for (id in parent)
		children += id in state
	for (id in hooks)
		hooked += hooks[id]
	printf "children of other jobs                %6d\n", children
	printf "hooks                                 %6d\n", hooked
	printf "lost attempts                         %6d\n", lost
	printf "killed: jobs                          %6d\n", total["job"]
	printf "        workers                       %6d\n", total["worker"]
	printf "        supervisors                   %6d\n", total["supervisor"]
	printf "        enqueuers                     %6d\n", total["enqueuer"]
	n = split("overlap:overlapping executions;" \
	    "shared:slots of a lock that two jobs had;missing:jobs missing;" \
	    "again:ran again without a crash in the way;" \
	    "twice:succeeded twice in their history;" \
	    "two:ids in two states;unreadable:unreadable jobs;" \
	    "unlinked:jobs without their ids/ entry;" \
	    "untold:executions missing in the history;" \
	    "died:executions that died of nothing;" \
	    "lost:lost attempts, no worker killed;" \
	    "stuck:jobs left after the drain;" \
	    "early:ran before their parents;hookless:ends without a hook;" \
	    "hooked:ends with two hooks;" \
	    "undone:jobs in done/ that never succeeded", v, ";")
	for (i = 1; i <= n; i++) {
		split(v[i], w, ":")
		printf "%-38s%6d   must be 0\n", w[2], count[w[1]]
		bad += count[w[1]]
	}
	exit bad != 0
}
