#!/bin/sh
# Special: several packs, one of them with everything again; loose objects that are packed too, and some that are not; a multi-pack-index.
. "$(dirname "$0")/common.sh"
init packs
for round in 1 2 3; do
    for n in $(seq 1 12); do
        { lines 3 150; lines "$round$n" 5; } | put packs file "round $round edit $n"
    done
    git -C packs repack -dq
done
(cd packs && git pack-objects -q --all .git/objects/pack/pack < /dev/null > /dev/null)
for n in 1 2 3; do
    { lines 3 150; echo "loose $n"; } | put packs file "loose $n"
done
# Twins: unpack-objects writes only what is missing, so it works in a repository without packs.
init --bare unpacked
for pack in packs/.git/objects/pack/*.pack; do
    git -C unpacked unpack-objects -q < "$pack"
done
(cd unpacked/objects && find . -path './0*' -type f -o -path './5*' -type f) | while read -r file; do
    mkdir -p "packs/.git/objects/$(dirname "$file")"
    cp -f "unpacked/objects/$file" "packs/.git/objects/$file"
done
cp -r packs midx
git -C midx multi-pack-index write
