# docs.sh: what README.md and the manual pages show is run, and what comes is
# compared with what they show; and they leave nothing out.
#
# In README.md a ```console block is a session: commands after "$ ", continued
# after "> ", and what they print.  A ```sh block is run line by line in a copy
# of the source, where `make` installs below the test's directory and is only
# asked whether it could when it is to check.  In the manual pages the literal
# displays of EXAMPLES are sessions.  Each document has one shell and one spool.
#
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2012,SC2013,SC2016,SC2034,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

bin=$T/bin
mkdir "$bin" && ln -s "$QUEUECTL" "$bin/queuectl"

# --- sessions -----------------------------------------------------------------

# readme: the console blocks of README.md, as they are.
readme() { awk '/^```console$/ { on = 1; next } /^```/ { on = 0 } on' \
    "$qt_root/README.md"; }

# page N: the displays of EXAMPLES in queuectl.N, as they are typeset.
page() {
	awk '/^\.Sh/ { examples = $2 == "EXAMPLES" }
	/^\.Ed/ { on = 0 }
	examples && on
	/^\.Bd -literal/ { on = 1 }' "$qt_root/man/queuectl.$1" |
	    sed 's/\\&//g; s/\\-/-/g; s/\\e/\\/g'
}

# split DIR: a session on stdin to DIR/N.cmd and DIR/N.want.
split() {
	awk -v d="$1" '
	/^\$ / { n++; cmd = d "/" n ".cmd"; want = d "/" n ".want"
		 printf "" >want; on = 1; print substr($0, 3) >cmd; next }
	/^> / && on { print substr($0, 3) >cmd; next }
	n { on = 0; print >want }
	!n { print "before the first command: " $0 }
	END { print n + 0 >(d "/n") }'
}

# normal: what differs from run to run, made the same: times, durations, pids,
# generated ids (from 2024 to 2050), widths of columns.
normal() {
	sed -E -e "s,$1/me,/home/me,g" \
	    -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]+)?Z/TIME/g' \
	    -e 's/[0-9]{8}T[0-9]{6}\.[0-9]{6}Z/STAMP/g' \
	    -e 's/(^|[^A-Za-z0-9_.-])[h-o][a-z0-9]{9}($|[^A-Za-z0-9_.])/\1GENERATED\2/g' \
	    -e 's/[0-9]+ ms\)/N ms)/g' \
	    -e 's/^([0-9]+ +TIME) +[0-9]+\.[0-9]{3} s +[0-9]+ /\1 N s PID /' \
	    -e 's/worker=[0-9]+/worker=PID/g' \
	    -e 's/ user=[0-9.]+ sys=[0-9.]+ maxrss=[0-9]+/ USED/' \
	    -e 's/ \([0-9.]+ s user, [0-9.]+ s system, [0-9.]+ [A-Z]iB\)/ (USED)/' \
	    -e 's/"worker_pid":[0-9]+/"worker_pid":PID/g' \
	    -e '/^next due/s/ in .* \(/ in SPAN (/' \
	    -e 's/  +/ /g' -e 's/ +$//' "$2" |
	    awk '{ line[NR] = $0 }
	    END { while (NR && line[NR] == "") NR--
		  for (i = 1; i <= NR; i++) print line[i] }'
}

# session DIR: runs what split left there, as one user at one terminal.
session() {
	mkdir -p "$1/me"
	i=1 n=$(cat "$1/n")
	while [ "$i" -le "$n" ]; do
		printf '{\n'
		cat "$1/$i.cmd"
		printf '} >"%s" 2>&1 </dev/null\n' "$1/$i.came"
		# for $?, as a terminal would leave it
		printf 'docs_st=$?\n(exit $docs_st)\n'
		i=$((i + 1))
	done >"$1/script"
	(
		cd "$1/me" || exit 1
		HOME=$1/me
		QUEUECTL_SPOOL=$HOME/.local/state/queuectl
		PATH=$bin:$PATH
		export HOME QUEUECTL_SPOOL PATH
		sh "$1/script" >"$1/shell" 2>&1 </dev/null
		queuectl worker stop --now >"$1/stop" 2>&1
	)
	is "$(cat "$1/shell")" "" "what the shell said"
	i=1
	while [ "$i" -le "$n" ]; do
		compare "$1" "$i"
		i=$((i + 1))
	done
}

compare() {
	t "$qt_doc: $(head -n 1 "$1/$2.cmd")"
	if [ ! -e "$1/$2.came" ]; then
		fail "the command to run" "it did not"
		return
	fi
	normal "$1" "$1/$2.want" >"$1/want"
	normal "$1" "$1/$2.came" >"$1/came"
	if cmp -s "$1/want" "$1/came"; then pass
	else fail "$(cat "$1/want")" "$(cat "$1/came")"; fi
}

# shown NAME COMMANDS CMD...: the session that CMD prints, of at least so many
# commands.
shown() {
	qt_doc=$1 dir=$T/${1%.*}-${1##*.} least=$2
	shift 2
	mkdir "$dir"
	t "$qt_doc"
	is "$("$@" | split "$dir")" "" "a session"
	ok test "$(cat "$dir/n")" -ge "$least"
	# it is only in what is shown
	if grep -q /home/me "$dir"/*.cmd; then
		fail "~ in commands" "$(grep /home/me "$dir"/*.cmd)"
		return
	fi
	session "$dir"
}

shown README.md 15 readme
shown queuectl.1 10 page 1
shown queuectl.5 6 page 5

# --- what sets up a machine ---------------------------------------------------

t "the source"
src=$T/src
mkdir "$src" "$src/tests" "$T/prefix" "$T/dest"
for f in $(cd "$qt_root" && make -s sources); do
	mkdir -p "$src/${f%"${f##*/}"}"
	cp "$qt_root/$f" "$src/$f"
done
(cd "$qt_root" && tar -cf - Makefile man contrib ./*.h ./*/*.h) | (cd "$src" && tar -xf -)
cp -R "$qt_root"/tests/demo "$qt_root"/tests/bench "$src/tests"
for f in $(cd "$qt_root" && make -s sources); do
	: >"$src/${f%.c}.o"
done
cp "$QUEUECTL" "$src/queuectl"
unset MAKEFLAGS MFLAGS MAKELEVEL
make=$(command -v make)

# A make that does to this machine what a test may do.
mkdir "$T/stub"
cat >"$T/stub/make" <<.
#!/bin/sh
case " \$* " in
*" check "*) exec "$make" -n "\$@" ;;
*" static "*) exec "$make" "\$@" CFLAGS=-O0 ;;
esac
exec "$make" "\$@" PREFIX="$T/prefix" CFLAGS=-O0
.
chmod +x "$T/stub/make"

# files DIR: how many there are, in whatever depth.
files() { find "$1" ! -type d | awk 'END { print NR }'; }

echo 'int main(void) { return 0; }' >"$T/c/s.c"
awk '/^```sh$/ { on = 1; next } /^```/ { on = 0 } on' "$qt_root/README.md" \
    >"$T/lines"
for w in 'make demo' 'make check' 'make install' 'make static'; do
	t "README.md has $w"
	ok grep -q "^$w" "$T/lines"
done
if [ -z "$make" ]; then
	skip "no make"
else
	static=
	for c in musl-gcc cc; do
		command -v $c >/dev/null || continue
		$c -static -o "$T/c/s" "$T/c/s.c" >/dev/null 2>&1 && static=1
		break
	done
	while read -r line; do
		t "README.md: $line"
		case $line in
		*static*) [ "$static" ] || { skip "no static libc"; continue; } ;;
		esac
		run sh -c "cd '$src' && PATH='$T/stub':\$PATH && $line"
		status 0
		[ "$line" != 'make demo' ] || demo=$out
	done <"$T/lines"

	t "make static obeys CC"
	mkdir -p "$T/other"
	for cc in other-gcc clang; do
		printf '#!/bin/sh\necho "%s $*"\n' "$cc" >"$T/other/$cc"
		chmod 755 "$T/other/$cc"
		run sh -c "cd '$src' && PATH='$T/other':\$PATH && \
		    '$make' -s static CC=$cc"
		status 0
		out_like "^$cc .*-static "
	done

	t "make obeys the environment"
	run sh -c "cd '$src' && CC=other-cc CFLAGS=-O3 \
	    CPPFLAGS=-DX LDFLAGS=-Lx '$make' -n -W queuectl.c queuectl"
	out_like '^other-cc .*-DX .*-O3 -c '
	out_like '^other-cc .*-O3 -Lx -o queuectl'
	run sh -c "cd '$src' && unset CC CFLAGS && '$make' -n -W queuectl.c queuectl"
	out_like '^cc .*-O2 -c '
	run sh -c "cd '$src' && unset CC && CFLAGS=-O3 '$make' -n -W queuectl.c \
	    queuectl CFLAGS=-O0"
	out_like '^cc .*-O0 -c '

	t "make bench"
	if [ "$static" ]; then
		run sh -c "cd '$src' && BENCH_JOBS=2 BENCH_ROUNDS=1 \
		    BENCH_IDLE=1 BENCH_ONLY='drain|enqueue|start|counts' \
		    '$make' -s bench"
		status 0
		ok test "$(grep -c '^| .*[0-9].*[≥≤] [0-9]' "$T/c/out")" -ge 15
		# what is built only for a measurement that is left out
		ok "${CC:-cc}" -std=c11 -fsyntax-only -I"$src" \
		    "$src/tests/bench/queue.c"
	else
		skip "make bench: no static libc"
	fi

	t "make demo"
	for w in 'queuectl enqueue' 'queuectl worker start' 'completed' \
	    'Attempts:' 'dlq retry' '^pending +1$' 'exit=0 log=0 .*worker='; do
		like "${demo:-}" "$w"
	done

	t "make install, make uninstall"
	is "$(files "$T/prefix")" 6 "files installed"
	run "$T/prefix/bin/queuectl" --version
	status 0
	run "$T/stub/make" -C "$src" uninstall
	status 0
	is "$(files "$T/prefix")" 0 "files left"
	run "$make" -C "$src" install DESTDIR="$T/dest" PREFIX=/usr
	status 0
	for f in bin/queuectl share/man/man1/queuectl.1 \
	    share/man/man5/queuectl.5 \
	    share/bash-completion/completions/queuectl \
	    share/zsh/site-functions/_queuectl \
	    share/fish/vendor_completions.d/queuectl.fish; do
		ok test -f "$T/dest/usr/$f"
	done
	run "$make" -C "$src" uninstall DESTDIR="$T/dest" PREFIX=/usr
	status 0
	is "$(files "$T/dest")" 0 "files left"

	# modes DIR: those of all that is in it.
	modes() { (cd "$1" && find . -exec ls -ld {} +) | cut -c 1-10; }
	for w in "a  b" "it's *"; do
		t "make install with umask 077 into $w"
		mkdir -m 700 "$T/dest/$w"
		(
			umask 077
			"$make" -C "$src" install DESTDIR="$T/dest/$w" \
			    PREFIX="/my prefix"
		) >"$T/c/make" 2>&1
		is $? 0 "status of make"
		d="$T/dest/$w/my prefix"
		is "$(modes "$d" | sort | uniq -c | tr -s ' \n' ' ')" \
		    " 5 -rw-r--r-- 1 -rwxr-xr-x 12 drwxr-xr-x " "modes"
		is "$(ls -ld "$T/dest/$w" | cut -c 1-10)" drwx------ \
		    "a directory that was there"
		run "$make" -C "$src" uninstall DESTDIR="$T/dest/$w" \
		    PREFIX="/my prefix"
		status 0
		is "$(files "$T/dest")" 0 "files left"
	done

	t "make install over a program that runs"
	run "$make" -C "$src" install DESTDIR="$T/dest" PREFIX=/usr
	"$T/dest/usr/bin/queuectl" worker start 2>"$T/worker.err" &
	pool=$!
	await 10 said "1 worker on"
	run "$make" -C "$src" install DESTDIR="$T/dest" PREFIX=/usr
	status 0
	stop_pool
fi

# --- nothing left out ---------------------------------------------------------

for p in 1 5; do
	m=$qt_root/man/queuectl.$p
	t "queuectl.$p is clean"
	if command -v mandoc >/dev/null; then
		run mandoc -T lint -W warning "$m"
		status 0
		out_is ""
		err_is ""
	else
		skip "no mandoc"
	fi
	if command -v groff >/dev/null && groff -mdoc -z /dev/null 2>/dev/null; then
		run groff -mdoc -ww -z "$m"
		status 0
		err_is ""
	fi
done

# tells N ERE: queuectl.N has such a line.
tells() { ok grep -Eq -e "$2" "$qt_root/man/queuectl.$1"; }

t "queuectl.1 has all commands and options"
q help >"$T/help"
sed -n 's/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p' "$T/help" >"$T/commands"
ok test "$(wc -l <"$T/commands")" -ge 15
while read -r c; do
	t "queuectl.1: $c"
	tells 1 "^\.(It )?Ic $c( |\$)"
	# shellcheck disable=SC2086
	q help $c >"$T/c/help" </dev/null
	for o in $(sed -n 's/^  [ -].*\(--[a-z-]*\) .*/\1/p' "$T/c/help"); do
		tells 1 "Fl ${o#-}( |\$)"
	done
	for o in $(sed -n 's/^  -\([a-z]\), .*/\1/p' "$T/c/help"); do
		tells 1 "Fl $o( |\$)"
	done
done <"$T/commands"
for o in spool help version; do
	tells 1 "Fl -$o( |\$)"
done

t "the settings and their defaults"
spool_init
q config unset backoff-base
q config unset sync
q config get >"$T/keys"
ok test "$(wc -l <"$T/keys")" -ge 7
while read -r k eq v; do
	t "the setting $k"
	is "$eq" =
	tells 1 "^\.It Cm $k\$"
	tells 5 "^\.It Li $k Ta .* Ta ${v:-none}\$"
done <"$T/keys"

t "the keys of a job"
q enqueue '{"id":"k1","command":"exit 1","backoff_base":0,"backoff_max":0,
	"max_retries":1,"priority":1,"run_at":"2020-01-01T00:00:00Z",
	"timeout":5,"cwd":"/","env":{"A":"b"},"stdin":"x"}' >/dev/null
q enqueue '{"id":"k2","argv":["sh","-c","kill -9 $$"],"max_retries":1}' \
    >/dev/null
q enqueue '{"id":"k3","argv":["./none"],"max_retries":2}' >/dev/null
drain 2>/dev/null
q dlq retry k1 >/dev/null
keys=$(sed -n 's/^\([A-Z][A-Za-z-]*\): .*/\1/p' "$S/ids/k1" "$S/ids/k2" |
    sort -u)
is "$(echo "$keys" | wc -l | tr -d ' ')" 16 "keys in the files"
for k in $keys; do
	tells 5 "^\.It Li $k\$"
done
for o in exit=N signal=N timeout lost requeued error=TEXT cancelled; do
	tells 5 "^\.It Li $o\$"
done

t "the fields of JSON"
{
	q show --json k1
	q show --json k2
	q show --json k3
	q status --json
} | grep -o '"[a-z_]*":' | tr -d '":' | sort -u >"$T/fields"
ok test "$(wc -l <"$T/fields")" -ge 30
while read -r k; do
	t "the field $k"
	tells 1 "^\\.(It )?Va ([a-z_]* , )*$k( |\$)"
done <"$T/fields"
{
	q list --json | grep -o '"[a-z_]*":' | tr -d '":'
	q help enqueue | tr -cs 'a-z_' '\n' | grep '_'
} | sort -u >"$T/fields"
ok test "$(wc -l <"$T/fields")" -ge 20
while read -r k; do
	t "the field $k of a job"
	tells 1 "^\\.It Va ([a-z_]* , )*$k( |\$)"
done <"$T/fields"

t "queuectl.1 has the exit statuses and the variables"
for w in 0 1 2; do
	tells 1 "^\.It $w\$"
done
for w in QUEUECTL_ID QUEUECTL_ATTEMPT QUEUECTL_SPOOL; do
	tells 1 "^\.It Ev $w\$"
done

t "the files that are named are there"
for doc in README.md CONTRIBUTING.md contrib/README.md tests/bench/README.md; do
	for f in $(grep -Eo '`(man|tests|contrib|job|spool|worker|cli)/[A-Za-z0-9_./-]*`|`[a-z]+\.[ch]`' \
	    "$qt_root/$doc" | tr -d '`' | grep -v NAME); do
		ok test -e "$qt_root/$f"
	done
	for f in $(grep -Eo '\]\([a-zA-Z][A-Za-z0-9_./-]*\)' "$qt_root/$doc" |
	    sed 's/^..//; s/)$//'); do
		ok test -e "$qt_root/${doc%"${doc##*/}"}$f"
	done
done
ok test "$(wc -l <"$qt_root/README.md")" -le 250

finish
