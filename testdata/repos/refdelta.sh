#!/bin/sh
# Special: REF_DELTA instead of OFS_DELTA; and a thin pack that was completed, so that its bases stand behind what needs them.
. "$(dirname "$0")/common.sh"
init refdelta
for n in $(seq 1 40); do
    lines "$n" 10 | { cat; lines 7 200; } | put refdelta file "edit $n"
done
git -C refdelta -c repack.useDeltaBaseOffset=false repack -adfq
init --bare completed
old=$(git -C refdelta rev-parse main~20)
printf '%s\n' "$old" | git -C refdelta pack-objects -q --revs --stdout | git -C completed unpack-objects -q
printf 'main\n^%s\n' "$old" | git -C refdelta pack-objects -q --revs --thin --stdout |
    git -C completed index-pack --stdin --fix-thin > /dev/null
git -C completed update-ref refs/heads/main "$(git -C refdelta rev-parse main)"
