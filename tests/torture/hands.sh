# hands.sh: what people do in the spool, by hand and with commands, during the
# storm; sourced by torture.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154

# pick FILE...: one of them, by $r; fails if there is none.
pick() {
	[ $# -gt 0 ] && [ -e "$1" ] || return 1
	shift $((r % $#))
	f=$1
}
# try_cmd CMD...: must succeed.
try_cmd() {
	"$@" >cmd.out 2>cmd.err ||
	    log "command failed: $*: $(head -n 1 cmd.err)"
}

# hand WHAT: some work.  $r and $digit are random, $h counts.
hand() {
	case $1 in
	retry) # mv dead/F pending/
		pick spool/dead/* && mv "$f" spool/pending/ 2>/dev/null &&
		    echo "retry $f" >>hands ;;
	priority)
		pick spool/pending/* && f=${f##*/} &&
		    mv "spool/pending/$f" "spool/pending/$digit${f#?}" \
		    2>/dev/null && echo "priority $f" >>hands ;;
	again) # mv failed/F pending/
		pick spool/failed/* && f=${f##*/} &&
		    mv "spool/failed/$f" "spool/pending/${f%%@*}-${f#*@}" \
		    2>/dev/null && echo "again $f" >>hands ;;
	rm) # enqueued for that
		i=x$((8000000 + h))
		./storm one $((seed + h)) "${i#x}" x >in.h
		"$q" enqueue - <in.h >>acked 2>>faults
		[ $((r % 2)) = 0 ] || sleep 0.0"$digit"
		for f in spool/pending/*-"$i" spool/pending/*-"$i"+*; do
			# It is gone by our hand only if it was there.
			rm "$f" 2>/dev/null && echo "$i" >>removed
		done ;;
	new) # a job file moved in
		i=m$((9000000 + h))
		printf '%s\n' 'Queuectl: 1' "Id: $i" \
		    "Command: exec $D/storm job ${i#m} $digit 20 \$PPID" \
		    'Max-Retries: 3' 'Backoff-Base: 0' \
		    'Created: 2020-01-02T03:04:05.000001Z' >tmp/job
		mv tmp/job "spool/pending/$digit-20200101T000000.$((100000 +
		    h % 900000))Z-0-$i" && echo "$i" >>acked ;;
	copy) # is no second job
		[ "$(wc -l <copied)" -lt 40 ] || return
		if [ $((r % 2)) = 0 ]; then
			pick spool/pending/*
		else
			pick spool/done/*
		fi || return
		case $f in
		# the id of a hook is not what follows the last dash
		*-x* | *.done-* | *.dead-*) return ;;
		esac
		g=9-20200101T000000.$((100000 + h % 900000))Z-0-${f##*-}
		echo "$g" >>copied
		cp "$f" "spool/pending/$g" 2>/dev/null ;;
	look)
		ls -lR spool
		cat spool/pending/*
		cp -R spool/dead tmp/copy
		rm -rf tmp/copy ;;
	list)
		try_cmd "$q" list --json
		# A job's copies beside it are listed as well.
		sed -n 's/^{"id":"\([^"]*\)".*/\1/p' cmd.out | sort | uniq -d |
		    while read -r i; do
			grep -q -e "-$i\$" -e "-$i+" copied || log "listed twice: $i"
		done ;;
	show)
		i=$(awk -v r="$r" '!/^x/ { v[n++] = $0 }
		    END { if (n) print v[int(r * n / 1000)] }' acked)
		[ -z "$i" ] || try_cmd "$q" show "$i" ;;
	status) try_cmd "$q" status --json ;;
	workers) try_cmd "$q" worker list ;;
	dlq)
		pick spool/dead/* && f=${f%%+*} &&
		    "$q" dlq retry "${f##*-}" ;;
	hold) # and let go, or leave that to the end
		pick spool/pending/* && i=${f%%+*} && i=${i##*-} && "$q" hold "$i" &&
		    echo "hold $i" >>hands && [ "$digit" -lt 8 ] &&
		    "$q" release "$i" ;;
	aside) # the same by mv
		pick spool/pending/* && mkdir -p spool/held &&
		    mv "$f" spool/held/ && echo "aside $f" >>hands &&
		    mv "spool/held/${f##*/}" spool/pending/ ;;
	dlqall) try_cmd "$q" dlq retry --all ;;
	config) try_cmd "$q" config set backoff-max $((1 + r % 2)) ;;
	stop) try_cmd "$q" worker stop ;;
	esac >/dev/null 2>&1
}

hands() {
	h=0
	awk -v seed=$((seed + 77)) 'BEGIN {
		srand(seed)
		n = split("retry 20 priority 24 again 8 rm 10 new 9 copy 3 " \
		    "look 2 list 5 show 7 status 3 workers 2 dlq 3 dlqall 1 " \
		    "config 2 stop 1 hold 6 aside 2", v, " ")
		for (;;) {
			x = rand() * 100
			for (i = 1; i < n - 1 && x >= v[i + 1]; i += 2)
				x -= v[i + 1]
			print v[i], int(rand() * 1000), int(rand() * 10)
		}
	}' | while read -r what r digit && ! over; do
		h=$((h + 1))
		hand "$what"
		echo "$what" >>did
		# a fraction that this sleep may not know
		[ "$digit" -lt 6 ] || sleep 0.0"$digit" 2>/dev/null || :
	done
}
