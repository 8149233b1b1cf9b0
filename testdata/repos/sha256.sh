#!/bin/sh
# Special: object names of 32 bytes, packed (with REF_DELTA too) and loose, and a multi-pack-index of that width.
. "$(dirname "$0")/common.sh"
init --object-format=sha256 sha256
for n in $(seq 1 20); do
    { lines 2 80; lines "$n" 4; } | put sha256 file "edit $n"
done
git -C sha256 -c repack.useDeltaBaseOffset=false repack -adfq
echo loose | put sha256 loose 'loose'
git -C sha256 multi-pack-index write
