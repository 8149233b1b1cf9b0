#!/usr/bin/env bash
# The steps of action.yml, for a runner and for tests/ci. What users choose comes in variables and is never part of a script.
set -euo pipefail

fail() {
    echo "::error title=stanch::$1"
    exit 2
}

# Where the program is kept between runs, and under which key: all that it is built from, and the system it runs on.
key() {
    local parts
    cd "$GITHUB_ACTION_PATH"
    parts=$(find Cargo.toml Cargo.lock src rules -type f | LC_ALL=C sort)
    parts=$(printf '%s\n' "$parts"; git hash-object --stdin-paths <<<"$parts")
    {
        echo "key=stanch-$RUNNER_OS-$RUNNER_ARCH-${ImageOS:-}-$(git hash-object --stdin <<<"$parts")"
        echo "root=$RUNNER_TEMP/stanch-program"
    } >>"$GITHUB_OUTPUT"
}

# Builds the program from the source that the ref of `uses:` pins, with the crates whose checksums Cargo.lock has. In the directory of
# the action: a cargo configuration or toolchain file of the repository that is scanned must have no say.
build() {
    local program=${INPUT_PROGRAM:-$RUNNER_TEMP/stanch-program/bin/stanch}
    if [ -z "$INPUT_PROGRAM" ] && [ ! -x "$program" ]; then
        cd "$GITHUB_ACTION_PATH"
        cargo install --locked --quiet --path . --root "$RUNNER_TEMP/stanch-program" --target-dir "$RUNNER_TEMP/stanch-build"
    fi
    "$program" --version
    echo "program=$program" >>"$GITHUB_OUTPUT"
}

# Scans. Does not fail for what is found: the reports are uploaded first.
scan() {
    local reports code=0 arguments=(scan)
    case $INPUT_FAIL_ON in any | findings | never) ;; *) fail "fail-on is one of: any, findings, never" ;; esac
    if [ -n "$INPUT_RANGE" ]; then
        arguments+=(--history "--range=$INPUT_RANGE")
    else
        case $INPUT_HISTORY in
            auto) arguments+=(--ci-env) ;;
            all) arguments+=(--history) ;;
            none) ;;
            *) fail "history is one of: auto, all, none" ;;
        esac
    fi
    [ -z "$INPUT_CONFIG" ] || arguments+=("--config=$INPUT_CONFIG")
    [ -z "$INPUT_BASELINE" ] || arguments+=("--baseline=$INPUT_BASELINE")
    reports=$(mktemp -d "$RUNNER_TEMP/stanch-XXXXXX")
    arguments+=("--format=$INPUT_FORMAT" --report "sarif=$reports/stanch.sarif")
    arguments+=(--report "markdown=$reports/summary.md" --report "jsonl=$reports/stanch.jsonl")
    "$STANCH" "${arguments[@]}" -- "$INPUT_PATH" || code=$?
    echo "exit-code=$code" >>"$GITHUB_OUTPUT"
    # Without reports the run could not start; what is wrong was said.
    [ -f "$reports/stanch.sarif" ] || return 0
    cat "$reports/summary.md" >>"$GITHUB_STEP_SUMMARY"
    {
        echo "findings=$(tail -n 1 "$reports/stanch.jsonl" | sed -n 's/^{"type":"summary","reported":\([0-9]*\),.*/\1/p')"
        echo "sarif-file=$reports/stanch.sarif"
    } >>"$GITHUB_OUTPUT"
}

# Fails the job, after everything was reported.
verdict() {
    if [ "$UPLOAD" = failure ]; then
        if [ "$IS_FORK" = true ]; then
            echo "::warning title=stanch::the SARIF report was not uploaded: a pull request from a fork may not write security events"
        else
            fail "the SARIF report could not be uploaded; the job needs the permission security-events: write"
        fi
    fi
    case "$EXIT_CODE:$INPUT_FAIL_ON" in
        0:* | 1:never | 3:never | 3:findings) ;;
        *) exit "$EXIT_CODE" ;;
    esac
}

case ${1:-} in
    key | build | scan | verdict) "$1" ;;
    *) echo "usage: action.sh key|build|scan|verdict" >&2 && exit 2 ;;
esac
