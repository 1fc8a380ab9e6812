#!/usr/bin/env bash
# ripgrep over the same lines with the same expressions, on a part of the log, for at most two minutes.
# usage: MEDIC_BENCH_OUT=DIR cargo bench -p tests --bench matcher; tests/benches/peers.sh DIR [MB]
set -euo pipefail

folder=$1
megabytes=${2:-1}
part=$folder/part.log
list=$folder/expressions.rg

head -c "${megabytes}M" "$folder/bench.log" > "$part"
# ripgrep joins all expressions into one, in which a name may stand only once; names do not matter here.
# Its version 13 does not know that quotes may be escaped. Expressions that look for an end of line are left out.
perl -ne 'next if /\\n(?![^\[]*\])/; s/\(\?<[A-Za-z_]\w*>/(?:/g; s{\\(.)}{my $c = $1; $c =~ m{["\x27\x60/!,:;\@=%<>]} ? $c : "\\$c"}ge; print' \
  "$folder/expressions.txt" > "$list"
wc -l "$part" "$list"

# The time of a file without lines is what compiling the expressions takes.
for file in /dev/null "$part"; do
  echo "rg -f on $file"
  TIMEFORMAT='%R s elapsed, %U s of a core'
  time timeout 120 rg -j1 --count --regex-size-limit 8G --dfa-size-limit 1G -f "$list" "$file" 2>&1 | tail -c 300 || true
done
