# corpus.sh: replays what the fuzzers found worth keeping.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2046,SC2154
. "${0%/*}/lib.sh"

t "build"
(cd "$qt_root" && ${CC:-cc} $(make -s language) -O1 -o "$T/fuzz" tests/fuzz/*.c \
    job/*.c) 2>"$T/w/err"
ok test -x "$T/fuzz"
for d in "$qt_root"/tests/corpus/*; do
	t "${d##*/}"
	run "$T/fuzz" "$d"/*
	status 0
done
finish
