#!/bin/sh
# Special: delta chains 120 deep, a file that grows in the middle, a huge run of copies over 64 KiB, empty and binary blobs.
. "$(dirname "$0")/common.sh"
init chains
lines 1 300 > base
for n in $(seq 1 120); do
    { head -n $((n % 290)) base; echo "inserted $n tok_$n"; tail -n +$((n % 290 + 1)) base; } > next
    mv next base
    put chains deep.txt "edit $n" < base
done
lines 5 9000 > big
put chains big.txt 'a big file' < big
{ echo first; cat big; } | put chains big.txt 'one line before'
{ cat big; echo last; } | put chains big.txt 'one line after'
{ tail -n 4000 big; head -n 5000 big; } | put chains big.txt 'halves swapped'
{ cat big; cat big; } | put chains big.txt 'twice'
put chains empty 'nothing' < /dev/null
head -c 70000 /dev/zero | put chains zeros.bin 'zeros'
{ head -c 70001 /dev/zero; printf '\377\376t\000o\000k\000'; } | put chains zeros.bin 'more zeros'
printf '\377\376t\000o\000k\000' | put chains utf16.txt 'UTF-16'
git -C chains repack -adfq --depth=200 --window=20
