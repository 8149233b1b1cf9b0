#!/usr/bin/env bash
# How fast stanch is beside its peers, on what is on this machine. Fetches nothing; what is absent is said so.
#
#   benches/peers.sh [TREE [REPOSITORY]...]
#
# TREE is a directory of source (default: .), each REPOSITORY one whose history is scanned (default: .). By environment:
#   STANCH      the program (target/release/stanch)         THREADS     for all (2)
#   WALK        the bench `walk`, for the floor             ROUNDS      the best of so many counts (3); slow peers run once
#   KINGFISHER  its program (kingfisher); "" leaves it out  RIPSECRETS  its program (ripsecrets)
#   STAGED      a work tree with an index (the first REPOSITORY that has one)
#   LOGS        a directory of logs                         RANGE       what of the first REPOSITORY (HEAD~50..HEAD)
#
# A row: seconds of wall and of CPU (user + system), what it is compared with, ours divided by that, and what is asked.
# On a busy machine compare CPU; wall times count on an idle one.
set -uo pipefail
cd "$(dirname "$0")/.."

stanch=${STANCH:-target/release/stanch} threads=${THREADS:-2} rounds=${ROUNDS:-3} range=${RANGE:-HEAD~50..HEAD}
kingfisher=${KINGFISHER-kingfisher} ripsecrets=${RIPSECRETS:-ripsecrets}
walk=${WALK:-$(find target/release/deps -maxdepth 1 -name 'walk-*' -perm -u+x -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -1 | cut -d' ' -f2-)}
tree=${1:-.}
shift || :
[ $# -gt 0 ] || set -- .
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
TIMEFORMAT='%R %U %S'

has() { [ -n "$1" ] && command -v "$1" >/dev/null; }
# Standard input stays what it is: filters are timed, too.
once() { { time "$@" >"$scratch/out" 2>"$scratch/err"; } 2>&1 | awk '{ print $1, $2 + $3 }'; }
# The round with the least wall time.
best() {
    local round
    for ((round = 0; round < rounds; round++)); do once "$@"; done | sort -n | head -1
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.3f", a / b; else printf "-" }'; }
# what, ours "wall cpu", name of the other, its "wall cpu", what is asked
row() {
    local ours=($2) other=($4)
    printf '%-34s %8.3f %8.3f   %-22s %8.3f %8.3f   %7s %7s   %s\n' "$1" "${ours[@]}" "$3" "${other[@]}" \
        "$(ratio "${ours[0]}" "${other[0]}")" "$(ratio "${ours[1]}" "${other[1]}")" "$5"
}
note() { printf '%-34s %s\n' "$1" "$2"; }
limit() {
    local ours=($2)
    printf '%-34s %8.3f %8.3f   %s\n' "$1" "${ours[@]}" "$3"
}
scan() { best "$stanch" scan -q --no-color -j "$threads" "$@"; }
objects_of() { git -C "$1" rev-parse --path-format=absolute --git-path objects; }

printf '%s, %s threads, load %s\n\n' "$("$stanch" --version)" "$threads" "$(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null)"
printf '%-34s %8s %8s   %-22s %8s %8s   %7s %7s   %s\n' what wall CPU 'compared with' wall CPU wall CPU asked

# A tree.
once cat "$(find "$tree" -type f -print -quit)" >/dev/null
scan "$tree" >/dev/null
ours=$(scan "$tree")
if has rg; then
    row tree "$ours" ripgrep "$(best rg -c --no-ignore --hidden -uu -j"$threads" no_such_string_anywhere "$tree")" '≤ 1.5'
fi
if has "$ripsecrets"; then row tree "$ours" ripsecrets "$(best "$ripsecrets" "$tree")" -; else note ripsecrets absent; fi
swim() { "$kingfisher" scan --no-validate --no-update-check -q -j "$threads" "$@"; }
fish() { once swim "$@"; }
if has "$kingfisher"; then
    row tree "$ours" Kingfisher "$(fish --git-history none "$tree")" '≤ 0.2'
else
    note Kingfisher absent
fi

# Histories.
for repository; do
    name="history $(basename "${repository%/repo}")"
    objects=$(objects_of "$repository")
    pack=$(find -L "$objects/pack" -name '*.pack' -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2-)
    ours=$(scan --history "$repository")
    note "$name" "$(tail -c 200 "$scratch/out" | head -1)"
    [ -z "$pack" ] ||
        row "$name" "$ours" 'git index-pack' "$(once git index-pack --threads="$threads" -o "$scratch/pack.idx" "$pack")" '≤ 0.08'
    rm -f "$scratch"/pack.*
    has "$walk" && row "$name" "$ours" floor "$(best "$walk" "$objects" floor all "$threads")" '≤ 1.6'
    has "$kingfisher" && row "$name" "$ours" Kingfisher "$(fish "$repository")" '≤ 0.04'
    "$stanch" scan -q --no-color -j "$threads" --history --cache "$scratch/cache" "$repository" >/dev/null 2>&1
    again=$(scan --history --cache "$scratch/cache" "$repository")
    row "$name, cached" "$again" 'without a cache' "$ours" '≤ 0.050 s'
    rm -rf "$scratch/cache"
    if git -C "$repository" rev-parse -q --verify "${range%%..*}" >/dev/null; then
        row "$name, $range" "$(scan --history --range "$range" "$repository")" 'the whole' "$ours" '≤ 0.05'
    fi
done

# Attribution: twenty blobs at once against one of them.
objects=$(objects_of "$1")
if has "$walk"; then
    "$walk" "$objects" attribute all "$threads" >"$scratch/attribute"
    wall=$(sed -n 's/^attribute: .*wall \([0-9.]*\) s.*/\1/p' "$scratch/attribute")
    blob=$(git -C "$1" rev-list --all --objects --filter=object:type=blob --max-count=2000 2>/dev/null | awk 'length($1) == 40 { id = $1 } END { print id }')
    [ -z "$blob" ] || row 'attribution of 20 blobs' "$wall 0" 'git log --find-object' \
        "$(once git -C "$1" log --all --find-object="$blob" --format=%H)" '≤ 0.5'
fi

# What is small, and what streams.
for staged in ${STAGED:-"$@"}; do
    if git -C "$staged" rev-parse --is-inside-work-tree 2>/dev/null | grep -q true; then
        limit staged "$(scan --staged "$staged")" '(as a pre-commit hook runs it)'
        break
    fi
done
echo 'let answer = 42;' >"$scratch/one-line.rs"
limit start-up "$(scan "$scratch/one-line.rs")" '≤ 0.010 CPU'
filtered() { "$stanch" filter <"$scratch/stream"; }
filter() {
    find "$2" -type f -size -20000k -print0 | xargs -0 cat 2>/dev/null | head -c 400000000 >"$scratch/stream"
    local megabytes=$(($(stat -c %s "$scratch/stream") / 1000000)) ours
    ours=$(best filtered)
    limit "filter, $megabytes MB of $1" "$ours" "$(awk -v m="$megabytes" -v t="${ours% *}" 'BEGIN { printf "%.2f GB/s", m / t / 1000 }'), asked 1 of clean text"
}
filter source "$tree"
if [ -n "${LOGS:-}" ]; then
    filter logs "$LOGS"
    name="logs, $(du -sm --apparent-size "$LOGS" | cut -f1) MB" ours=$(scan --log "$LOGS")
    if has "$kingfisher"; then row "$name" "$ours" Kingfisher "$(best swim --git-history none "$LOGS")" '≤ 0.33'; else limit "$name" "$ours" -; fi
else
    note logs 'LOGS names no directory'
fi
