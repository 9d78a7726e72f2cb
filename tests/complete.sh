# complete.sh: what may come next on a command line, and how bash, zsh and fish
# come to know.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2005,SC2012,SC2016,SC2034,SC2046,SC2094,SC2119,SC2120,SC2154,SC2164,SC2317
. "${0%/*}/lib.sh"

# next WANT WORD...: the candidates, in one line, sorted.
next() {
	want=$1
	shift
	run q complete -- "$@"
	status 0
	err_is ""
	is "$(cut -f 1 "$T/c/out" | sort | tr '\n' ' ')" "${want:+$want }" "$*"
}

t "without a spool"
next "" show ''
next "" lock ''
next "stop-grace sync" config get s
no test -e "$S"

spool_init
for i in one1 one2 two; do
	q enqueue --id $i --lock db,gpu -- true >/dev/null
done

t "commands"
q help >help
sed -n 's/^  \([a-z]*\) .*/\1/p' help | sort -u >commands
next "$(echo $(cat commands))" ''
next "wait web worker" w
next "list start stop" worker ''
next "start stop" worker st
next "" worker start ''
next "" nonsense ''
next "get list set unset" config ''
next "list" lis
next "wait web worker" help w
next "purge" help dlq p
run q complete -- wai
out_like "^wait	return when "

t "complete is not in help, and has some"
no grep -q complete help
run q help complete
status 0
run q complet
status 2
no grep -q 'complete' "$T/c/err"
run q complete
status 0
ok grep -q '^enqueue	' "$T/c/out"

t "options, all that help has"
while read -r c; do
	for k in $(sed -n "s/^  $c \([a-z]*\) .*/\1/p" help) ''; do
		# shellcheck disable=SC2086
		q help $c $k >one 2>/dev/null || continue
		grep -q '^usage' one || continue
		next "$(echo --help --spool \
		    $(sed -n 's/^  [ -][^-]*\(--[a-z-]*\).*/\1/p' one) |
		    tr ' ' '\n' | sort | tr '\n' ' ' | sed 's/ $//')" \
		    "$c" ${k:+"$k"} --
	done
done <commands
run q complete -- list --lim
out_is "--limit	N: the first N jobs only"
next "--after --after-any" enqueue --af
next "--help --spool --version" --
next "--older-than" purge --dry-run --old
next "" list -- --

t "values"
next "pending processing" list --state p
next "pending processing" list -s p
next "pending,dead" list --state pending,d
next "--state=completed" list --state=c
next "--state=failed,held" list --state=failed,h
next "completed dead failed held pending processing waiting" purge --state ''
next "id,state" list --columns id,sta
next "db gpu" enqueue --lock ''
next "db,gpu" enqueue --lock db,g
next "one1,two" enqueue --after one1,t
next "" enqueue --id o
next "" enqueue --cwd ''
next "" list --limit ''

t "the = is a word of its own, as in bash"
next "pending processing" list --state = p
next "completed dead failed held pending processing waiting" list --state =
next "one1 one2" list --state = dead o

t "settings and locks"
q config get | sed 's/ .*//' | sort >keys
for c in get set unset; do
	next "$(echo $(cat keys))" config $c ''
done
next "enqueue full none" config set sync ''
next "" config get sync ''
next "db gpu" lock ''
next "" lock db ''

t "ids"
for c in show logs cancel hold release wait list 'dlq retry' 'dlq purge' purge; do
	# shellcheck disable=SC2086
	next "one1 one2" $c o
done
next "two" cancel one1 --help t
next "" show one1 ''
next "two" wait --timeout 3 --all tw
next "two" show -- tw
next "" show x
next "" enqueue -- o

t "--spool in the words"
q --spool "$T/w/other" enqueue --id third -- true >/dev/null
next "third" --spool "$T/w/other" show ''
next "third" --spool="$T/w/other" show ''
next "third" show --spool "$T/w/other" t
next "third" show --spool = "$T/w/other" t

t "of many ids, a few hundred, which begin with no more than all of them do"
{
	seq 1 900 | sed 's/.*/{"id":"aa&","command":"true"}/'
	echo '{"id":"ab1","command":"true"}'
} | q --spool "$T/w/other" enqueue - >/dev/null
for w in '' a; do
	run q complete -- --spool "$T/w/other" show "$w"
	ok test "$(wc -l <"$T/c/out")" -ge 200
	ok test "$(wc -l <"$T/c/out")" -le 300
	[ "$w" ] || ok grep -q '^t' "$T/c/out"
	[ ! "$w" ] || ok grep -q '^ab1$' "$T/c/out"
done

# --- the shells ---------------------------------------------------------------

mkdir "$T/bin" "$T/fpath" && ln -s "$QUEUECTL" "$T/bin/queuectl"
PATH=$T/bin:$PATH
export PATH

t "bash"
if command -v bash >/dev/null && bash -c 'mapfile -t x </dev/null'; then
	cat >t.bash <<'EOF'
. "$1"
shift
COMP_WORDS=(queuectl "$@")
COMP_CWORD=$#
_queuectl
printf '%s\n' "${COMPREPLY[@]}"
EOF
	run bash t.bash "$qt_root/contrib/completion.bash" list --state = p
	out_is "pending${nl}processing"
	run bash t.bash "$qt_root/contrib/completion.bash" sho
	out_is show
	run bash t.bash "$qt_root/contrib/completion.bash" show ''
	is "$(sort "$T/c/out" | tr '\n' ' ')" "one1 one2 two "
	run bash t.bash "$qt_root/contrib/completion.bash" list --limit ''
	out_is ""
	err_is ""
	run bash -c '. "$1" && complete -p queuectl' - \
	    "$qt_root/contrib/completion.bash"
	out_has "-F _queuectl queuectl"
else
	skip "no bash 4"
fi

t "zsh"
cp "$qt_root/contrib/completion.zsh" "$T/fpath/_queuectl"
if ! command -v zsh >/dev/null; then
	skip "no zsh"
elif ! zsh -f -c 'zmodload zsh/zpty && autoload -Uz +X compinit' 2>/dev/null; then
	skip "zsh without zpty or compinit"
else
	# A terminal, on which somebody types.
	cat >t.zsh <<'.'
zmodload zsh/zpty
zpty z 'TERM=dumb COLUMNS=100 zsh -f -i'
# Waits for a text, and prints what came.
comes() {
	local s all=
	local -i n=0
	while (( n++ < 1000 )); do
		if zpty -rt z s; then all+=$s; else sleep 0.02; fi
		[[ $all == *$1* ]] && break
	done
	print -r -- "$all"
}
zpty -w z "fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; print RE''ADY"
comes READY
zpty -w -n z $'queuectl list --state=pending,f\t'
comes pending,failed
zpty -w -n z $'\C-uqueuectl worker st\t'
comes 'and wait until they have'
zpty -w -n z $'\C-uqueuectl show tw\t'
comes 'show two'
zpty -d z
.
	run zsh -f t.zsh "$T/fpath"
	out_has "--state=pending,failed"
	out_like 'start +-- run jobs, in the foreground'
	out_has "show two"
fi

t "fish"
if command -v fish >/dev/null; then
	# fish CMD: it wants directories of its own.
	fishes() {
		HOME=$T/fish XDG_CONFIG_HOME=$T/fish XDG_DATA_HOME=$T/fish \
		    fish -N -c "source '$qt_root/contrib/completion.fish'
		    complete -C '$1'" 2>/dev/null
	}
	mkdir "$T/fish"
	is "$(fishes 'queuectl lis')" "list	show the jobs"
	is "$(fishes 'queuectl list --state=pending,f')" "--state=pending,failed"
	is "$(echo $(fishes 'queuectl show ' | sort))" "one1 one2 two"
	is "$(fishes "queuectl enqueue --cwd $T/fpa")" "$T/fpath/"
else
	skip "no fish"
fi

finish
