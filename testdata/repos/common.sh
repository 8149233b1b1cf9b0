# Sourced by the scripts beside it: the same repository on every machine, whatever its user has configured.
# Each script takes a directory and makes one or more repositories in it.
set -eu
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 LC_ALL=C TZ=UTC
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.com GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.com
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
unset GIT_DIR GIT_WORK_TREE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_INDEX_FILE
mkdir -p "$1"
cd "$1"

# A new repository that packs nothing by itself.
init() {
    git init -q -b main "$@"
    for last in "$@"; do :; done
    git -C "$last" config gc.auto 0
    git -C "$last" config maintenance.auto false
}

# Lines of text that compress badly and differ by line: `lines SEED COUNT`.
lines() {
    awk -v s="$1" -v n="$2" 'BEGIN { for (i = 0; i < n; i++) { s = (s * 69069 + 1 + i) % 4294967296; printf "line %d %08x %s\n", i, s, (s % 7 ? "plain" : "tok_" s) } }'
}

# Commits FILE with CONTENT, MESSAGE: `put REPO FILE MESSAGE < CONTENT`.
put() {
    mkdir -p "$(dirname "$1/$2")"
    cat > "$1/$2"
    git -C "$1" add "$2"
    git -C "$1" commit -q -m "$3"
}
