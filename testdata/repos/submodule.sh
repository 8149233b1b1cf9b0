#!/bin/sh
# Special: a submodule, whose objects are in a store of its own below the parent's git directory.
. "$(dirname "$0")/common.sh"
init library
echo 'tok_library' | put library file 'library'
init parent
echo parent | put parent file 'parent'
git -C parent -c protocol.file.allow=always submodule --quiet add ../library lib/inner
git -C parent commit -q -m 'with a submodule'
