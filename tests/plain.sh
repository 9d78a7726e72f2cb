# plain.sh: commands of plain words are run without a shell, and nobody can
# tell: a few thousand command lines are run both ways.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164
. "${0%/*}/lib.sh"

spool_init
lines=${PLAIN_LINES:-1500}

t "without a shell where none is needed"
job() { q enqueue "{\"id\":\"$1\",\"command\":\"$2\"}" >/dev/null; }
mkdir bin
cat >bin/name <<'X'
#!/bin/sh
echo "$0"
X
chmod +x bin/name
PATH=$PWD/bin:$PATH
export PATH
job n1 'name'
job n2 './bin/name  x '
drain
is "$(cat "$S/log/n1.log")" "$PWD/bin/name"
is "$(cat "$S/log/n2.log")" "./bin/name"
if [ -r /proc/self/stat ]; then
	# its parent is the worker
	cat >bin/parent <<'X'
#!/bin/sh
tr '\0' ' ' <"/proc/$PPID/cmdline"
X
	chmod +x bin/parent
	job n3 parent
	drain
	like "$(cat "$S/log/n3.log")" ' worker start '
else
	skip "who started it: no /proc"
fi

t "PWD is the job's directory"
mkdir here
q enqueue --id p1 --cwd "$PWD/here" -- printenv PWD >/dev/null
q enqueue --id p2 --cwd "$PWD/here" --env PWD=/x -- printenv PWD >/dev/null
q enqueue '{"id":"p3","cwd":"here","command":"printenv PWD"}' >/dev/null
q enqueue '{"id":"p4","cwd":"here","command":"printenv PWD;"}' >/dev/null
drain
is "$(cat "$S/log/p1.log")" "$PWD/here"
is "$(cat "$S/log/p2.log")" "/x"
is "$(cat "$S/log/p3.log")" "$PWD/here"
is "$(cat "$S/log/p4.log")" "$PWD/here"

t "the same with a shell and without: $lines command lines"
# programs of all kinds: found and not, no program, a script without #!
mkdir cwd cwd/bin
cat >cwd/bin/args <<'X'
#!/bin/sh
printf '[%s]' "$@"
echo
X
cat >cwd/bin/bare <<'X'
echo bare "$#"
exit 5
X
cat >cwd/bin/st <<'X'
#!/bin/sh
exit "$1"
X
cat >cwd/bin/sig <<'X'
#!/bin/sh
kill -"$1" $$
X
(
	cd cwd/bin || exit
	echo 'echo never' >closed
	echo 'echo never' >twice
	mkdir dir late
	cp args late/twice
	ln -s nowhere dangling
	printf '\177ELF' >broken
	printf '#!/no/such/interpreter\n' >nointerp
	chmod +x args bare st sig broken nointerp late/twice
)
PATH=$PWD/cwd/bin:$PWD/cwd/bin/late:/no/such/dir:$PATH
awk -v n="$lines" -v seed=1 '
function pick(list,   v, n) {
	n = split(list, v, "|")
	return v[int(rand() * n) + 1]
}
BEGIN {
	srand(seed)
	first = "args|args|args|args|bin/args|./bin/args|bare|./bin/bare|st|" \
	    "st|sig|closed|bin/closed|dir|./bin/dir|twice|dangling|broken|" \
	    "nointerp|nothing|no/thing|printenv|printenv|true|false|" \
	    "echo|printf|cd|exit|exec|pwd|umask|test|type|set|if|for|" \
	    "function|in|.|:|command|read|wait|local|a=b|PATH=|A=b args|" \
	    "let|source|ls|cat|-x|+x|%1|@|,|/|//bin/true|bin//args"
	word = "a|b c|1|7|15|9|TERM|KILL|x=y|-n|--|-|+|%d|%s|@|a@b|:|.|..|" \
	    "./bin|/|/no|PWD|HOME|PATH|if|done|{|}|!|$HOME|`args`|*|?|[a]|~|" \
	    "\"q r\"|;|&&|#|>/dev/null|<y|(|)|a,b|A_b|0|=|==|ü|\t|2"
	sep = " | | | |  |   "
	for (i = 0; i < n; i++) {
		line = (rand() < 0.1 ? " " : "") pick(first)
		for (k = int(rand() * 4); k > 0; k--)
			line = line pick(sep) pick(word)
		if (rand() < 0.1)
			line = line " "
		gsub(/"/, "\\\\\"", line)
		gsub(/\t/, "\\t", line)
		printf "{\"id\":\"d%d\",\"max_retries\":1,\"command\":\"%s\"}\n",
		    i, line >"direct"
		printf "{\"id\":\"s%d\",\"max_retries\":1," \
		    "\"argv\":[\"/bin/sh\",\"-c\",\"%s\"]}\n", i, line >"shell"
	}
}' </dev/null
(cd cwd && cat ../direct ../shell | q enqueue -) >ids
is $? 0
is "$(wc -l <ids | tr -d ' ')" $((2 * lines)) "jobs"
drain
# told KIND: for each job its number, how it ended and what it wrote.  Some
# shells wait for a program and tell of its end by a signal as 128 + N, and by
# a word on stderr; others are replaced by it.  Without one it is signal=N.
told() {
	(cd "$S/ids" && awk -v k="$1" '/^Attempt: 1 / {
	    split($5, end, "=")
	    if (end[1] == "exit" && end[2] > 128)
		$5 = "signal=" (end[2] - 128)
	    print substr(FILENAME, 2), $5 }' "$1"[0-9]*)
	(cd "$S/log" && awk '
	    /^QUEUECTL_ID=/ || /^_=/ || /^SHLVL=/ { next }
	    /^(Killed|Terminated|Hangup|Interrupt|Bus error)( .core.*)?$/ {
		next
	    }
	    { print substr(FILENAME, 2), $0 }' "$1"[0-9]* | sort)
}
told d >told.direct
told s >told.shell
is "$(grep -c '^[0-9][0-9]* [a-z]*=[0-9]*$' told.shell)" "$lines" "ends"
ok test "$(grep -c ' exit=0$' told.shell)" -gt $((lines / 10))
ok test "$(grep -c ' exit=127$' told.shell)" -gt $((lines / 50))
same told.direct told.shell

finish
