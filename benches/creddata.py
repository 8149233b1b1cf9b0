#!/usr/bin/env python3
"""Recall and precision by line on Samsung's CredData, beside Kingfisher and detect-secrets.

    benches/creddata.py DATA [--half development|held-out|all] [--confidence LEVEL] [--mistakes]
                             [--stanch PATH] [--kingfisher PATH] [--detect-secrets PATH]

DATA holds `meta/*.csv` (the labels) and the files they tell of: `data/<repository>/…` as download_data.py of CredData lays
them out, or with --real `real/<repository>/<path>`, where a file's id is the beginning of its path's SHA-256. Labels of files
that are not there are left out. DATA must lie outside of this repository: it is never committed, and no rule is fitted to
its lines. Repositories are halved by a hash of their name; mistakes are looked at in the development half alone.

A label is found if a reported finding overlaps its lines. Labels of the same group on the same lines are one, which is
true if any of them is; a line that holds a true label is no false alarm of any group. Unknown labels (X) and findings on
lines of no label are counted apart. Groups are those of `group` below. No tool asks the network.
"""
import argparse, csv, glob, hashlib, json, os, re, subprocess, sys
from collections import Counter, defaultdict

KEYS = {"PEM Private Key", "BASE64 Private Key", "BASE64 encoded PEM Private Key", "JWK"}
HEADERS = {"URL Credentials", "Basic Authorization", "Bearer Authorization", "CURL User Password", "NTLM Token"}
# Categories of CredData that go by a name beside the value, or (Dropbox) by nothing but its length.
NAMED = {"API", "Auth", "Credential", "Key", "Password", "Secret", "Token", "CMD ConvertTo-SecureString", "CMD Password"}
NAMED |= {"CMD Secret", "CMD Token", "SQL Password", "OTP / 2FA Secret", "Dropbox App secret", "Certificate"}
# No secrets: what identifies, what is public by design, and what nobody could name. A UUID that a name calls a secret is one.
OTHERS = {"Nonce", "Salt", "AWS S3 Bucket", "Firebase Domain", "Tencent WeChat API App ID", "Other"}
GROUPS = ["provider", "private key", "url and header", "generic"]


def group(category):
    """The group of a label, `None` for what is no secret of ours. What says more goes first."""
    all = set(category.split(":"))
    if all & OTHERS or all == {"UUID"}:
        return None
    all -= {"UUID"}
    if all & KEYS:
        return "private key"
    if all - HEADERS - NAMED:
        return "provider"
    return "url and header" if all & HEADERS else "generic"


def half(repository):
    return "development" if hashlib.sha256(repository.encode()).digest()[0] % 2 == 0 else "held-out"


def files(data, repository, real):
    """Path to report by, by the id that labels name a file by."""
    if not real:
        return lambda row: row["FilePath"]
    root = os.path.join(data, "real", repository)
    paths = (os.path.relpath(path, root) for path in glob.glob(root + "/**", recursive=True, include_hidden=True))
    ids = {hashlib.sha256(path.encode()).hexdigest()[:8]: path for path in paths}
    return lambda row: os.path.join("real", repository, ids.get(row["FileID"], row["FileID"]))


def read(data, wanted, real):
    """Labels: (path, first line, last line, group) to the letters and categories of all that stand there."""
    labels = defaultdict(lambda: (set(), set()))
    for meta in sorted(glob.glob(os.path.join(data, "meta", "*.csv"))):
        repository = os.path.basename(meta)[: -len(".csv")]
        if wanted not in ("all", half(repository)):
            continue
        path_of = files(data, repository, real)
        with open(meta) as rows:
            for row in csv.DictReader(rows):
                path = path_of(row)
                if os.path.isfile(os.path.join(data, path)):
                    key = (path, int(row["LineStart"]), int(row["LineEnd"]), group(row["Category"]))
                    labels[key][0].add(row["GroundTruth"])
                    labels[key][1].add(row["Category"])
    return labels


def stanch(program, data, folders, options):
    ran = subprocess.run([program, "scan", "-q", "-f", "json", *options, *folders], capture_output=True, cwd=data)
    for finding in json.loads(ran.stdout)["findings"]:
        if finding["verdict"]["state"] == "reported":
            signs = " ".join(f"{sign['name']}{sign['weight']:+}" for sign in finding["evidence"])
            yield finding["path"], finding["line"], finding["end_line"], f"{finding['rule']}: {signs}"
            # The ID beside a secret is told of with it.
            for companion in finding.get("companions") or []:
                yield finding["path"], companion["line"], companion["end_line"], f"companion {companion['rule']}"


def kingfisher(program, data, folders, options):
    command = [program, "scan", *folders, "--no-validate", "--format", "jsonl", "--no-update-check", "--git-history=none"]
    ran = subprocess.run([*command, "--no-dedup"], capture_output=True, text=True, cwd=data)
    for line in ran.stdout.splitlines():
        found = json.loads(line).get("finding") if line.startswith("{") else None
        if found:
            path = os.path.relpath(os.path.join(data, found["path"]), data)
            yield path, found["line"], found["line"] + found["snippet"].rstrip("\n").count("\n"), "kingfisher"


def detect_secrets(program, data, folders, options):
    command = [program, "scan", "--all-files", "--no-verify", *folders]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=data)
    for path, findings in json.loads(ran.stdout)["results"].items():
        for found in findings:
            yield path, found["line_number"], found["line_number"], found["type"]


def truth(letters, lines, true_lines):
    if "T" in letters:
        return "T"
    if any(line in true_lines for line in lines):
        return "beside a true one"
    return "X" if "X" in letters else "F"


def score(tool, labels, found, mistakes):
    """Prints a line for each group, and what was found that no label tells of."""
    by_line = defaultdict(set)
    for path, first, last, why in found:
        for line in range(first, last + 1):
            by_line[path, line].add(why)
    true_lines = {(path, line) for (path, first, last, _), (letters, _) in labels.items() if "T" in letters
                  for line in range(first, last + 1)}
    count, labelled = defaultdict(Counter), set()
    for (path, first, last, kind), (letters, categories) in sorted(labels.items(), key=str):
        lines = [(path, line) for line in range(first, last + 1)]
        letter = truth(letters, lines, true_lines)
        labelled.update(lines)
        hit = sorted({why for line in lines for why in by_line.get(line, ())})
        count[kind][letter, bool(hit)] += 1
        if mistakes and kind and (letter == "T") != bool(hit) and letter in "TF":
            print("\t".join(["missed" if letter == "T" else "false", kind, " ".join(sorted(categories)), f"{path}:{first}",
                             " | ".join(hit)]), file=sys.stderr)
    for kind in [*GROUPS, None]:
        right, missed = count[kind]["T", True], count[kind]["T", False]
        wrong = count[kind]["F", True]
        recall = right / (right + missed) if right + missed else float("nan")
        precision = right / (right + wrong) if right + wrong else float("nan")
        unknown = f"{count[kind]['X', True]}/{count[kind]['X', True] + count[kind]['X', False]}"
        print(f"{tool:22} {kind or '(left out)':15} {right + missed:6} {right:6} {wrong:6} {recall:7.3f} {precision:9.3f} {unknown:>9}")
    elsewhere = {(path, first) for path, first, last, _ in found
                 if not any((path, line) in labelled for line in range(first, last + 1))}
    print(f"{tool:22} on no label: {len(elsewhere)} lines")
    if mistakes:
        whys = defaultdict(set)
        for path, first, last, why in found:
            whys[path, first].add(why)
        for path, first in sorted(elsewhere):
            print("\t".join(["unlabelled", "", "", f"{path}:{first}", " | ".join(sorted(whys[path, first]))]), file=sys.stderr)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data")
    options.add_argument("--half", choices=["development", "held-out", "all"], default="all")
    options.add_argument("--real", action="store_true", help="the files lie under their own paths, in real/")
    options.add_argument("--stanch", default="target/release/stanch")
    options.add_argument("--confidence", action="append", help="of stanch (repeatable) [default: medium, low]")
    options.add_argument("--kingfisher")
    options.add_argument("--detect-secrets")
    options.add_argument("--mistakes", action="store_true", help="name the lines that stanch judges otherwise, to stderr")
    args = options.parse_args()
    if args.mistakes and args.half != "development":
        options.error("mistakes are for the development half")
    data = os.path.abspath(args.data)
    labels = read(data, args.half, args.real)
    folders = sorted({"/".join(path.split("/")[:2]) for path, *_ in labels})
    print(f"{len(folders)} repositories, half: {args.half}")
    print(f"{'tool':22} {'group':15} {'true':>6} {'found':>6} {'false':>6} {'recall':>7} {'precision':>9} {'unknown':>9}")
    tools = [(f"stanch ({level})", stanch, args.stanch, ["--confidence", level]) for level in args.confidence or ["medium", "low"]]
    tools += [("kingfisher", kingfisher, args.kingfisher, []), ("detect-secrets", detect_secrets, args.detect_secrets, [])]
    for tool, run, program, with_options in tools:
        if program:
            found = list(run(os.path.abspath(program), data, folders, with_options))
            score(tool, labels, found, args.mistakes and run is stanch)


if __name__ == "__main__":
    main()
