#!/bin/sh
# Special: how content comes and goes. Copied, renamed, removed and brought back, the same in two branches, in a directory that moves,
# brought by a merge alone, by two commits independently; a history of 40 directories, packed in two packs with loose rest.
. "$(dirname "$0")/common.sh"
init history
echo 'tok_one' | put history a/b/c/one 'one'
echo 'tok_two' | put history two 'two'
mkdir history/copies && cp history/two history/copies/two && git -C history add copies && git -C history commit -q -m 'copied'
git -C history mv a moved && git -C history commit -q -m 'a directory moves'
git -C history rm -q two && git -C history commit -q -m 'removed'
echo 'tok_two' | put history two 'brought back'
for n in $(seq 1 40); do
    echo "file $n" | put history "dir$((n % 10))/sub$n/file" "edit $n"
done
git -C history repack -dq
git -C history checkout -q -b left
echo 'tok_both' | put history left 'left brings it'
git -C history checkout -q -b right main
echo 'tok_both' | put history right/deep/er 'right brings it too'
git -C history checkout -q main
git -C history merge -q --no-ff -m 'merge left' left > /dev/null
git -C history merge -q --no-ff --no-commit right > /dev/null 2>&1
echo 'tok_evil' > history/evil && git -C history add evil && git -C history commit -q -m 'merge right, and more'
git -C history repack -dq
git -C history rm -q evil && git -C history commit -q -m 'gone'
