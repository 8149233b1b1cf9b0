#!/bin/sh
# Special: clones that do not have everything: shallow, and partial without blobs (one of them fetched later).
. "$(dirname "$0")/common.sh"
init full
for n in $(seq 1 5); do
    { lines 2 80; echo "tok_$n"; } | put full file "edit $n"
done
git -C full config uploadpack.allowFilter true
git -C full config uploadpack.allowAnySHA1InWant true
git clone -q --depth 2 "file://$PWD/full" shallow
git clone -q --filter=blob:none --no-checkout "file://$PWD/full" partial
git -C partial cat-file -p HEAD:file > /dev/null
