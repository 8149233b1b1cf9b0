#!/bin/sh
# Special: objects borrowed from other repositories, over two steps, with a relative path, and in a circle.
. "$(dirname "$0")/common.sh"
init lender
lines 1 100 | put lender file 'lent'
git -C lender repack -adq
git clone -q --shared lender middle
{ lines 1 100; echo tok_middle; } | put middle file 'middle'
git -C middle repack -dlq
git clone -q --shared middle borrower
{ lines 1 100; echo tok_borrower; } | put borrower file 'borrower'
echo '# a comment' >> borrower/.git/objects/info/alternates
echo ../../../lender/.git/objects >> borrower/.git/objects/info/alternates
echo ../../../borrower/.git/objects > lender/.git/objects/info/alternates
