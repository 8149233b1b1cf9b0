#!/bin/sh
# Special: content that no branch shows. A stash, notes, annotated and nested tags, a reflog's commit, a dangling blob,
# what only a merge brought, an orphan branch, a blob that only a tag names.
. "$(dirname "$0")/common.sh"
init places
lines 1 30 | put places file 'first'
echo 'tok_staged' > places/staged && git -C places add staged && git -C places stash -q
git -C places notes add -m 'tok_note in a note'
git -C places tag -a -m 'tok_tag in a tag' v1
git -C places -c advice.nestedTag=false tag -a -m 'a tag of a tag' v2 v1
git -C places tag blob "$(echo 'tok_tagged blob' | git -C places hash-object -w --stdin)"
echo 'tok_dangling' | git -C places hash-object -w --stdin > /dev/null
echo 'tok_reset' | put places gone 'to be reset'
git -C places reset -q --hard HEAD~1
git -C places checkout -q -b side
echo side | put places side 'side'
git -C places checkout -q main
echo main | put places main 'main'
git -C places merge -q --no-commit side > /dev/null 2>&1
echo 'tok_merge' > places/only-in-merge && git -C places add only-in-merge
git -C places commit -q -m 'merge with something of its own'
git -C places checkout -q --orphan other
git -C places rm -qrf .
echo orphan | put places orphan 'tok_message in a message'
git -C places checkout -q main
git -C places worktree add -q ../linked side
echo 'tok_linked' | put linked inside 'in a linked work tree'
