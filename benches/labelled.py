#!/usr/bin/env python3
"""Recall and precision on public labelled data, beside Kingfisher and detect-secrets.

    benches/labelled.py DATA [--stanch PATH] [--kingfisher PATH] [--detect-secrets PATH]

DATA holds checkouts of leaktk/fake-leaks, Plazmaz/leaky-repo and secretlint/secretlint (those that are there are used);
it must lie outside of this repository: the data is never committed, and no rule is fitted to it. A label is that of a
file: it holds a secret, or it does not. No tool asks the network.
"""
import argparse, csv, json, os, re, subprocess, sys, tempfile
from collections import defaultdict

URL_GROUP = {"basic-auth", "ftp", "authorization"}
KEY_GROUP = {"pki", "privatekey", "pgp"}
GENERIC_GROUP = {"generic", "settings", "general-test"}


def group(word):
    word = word.removeprefix("secretlint-rule-")
    if word in URL_GROUP or "basicauth" in word or "database-connection" in word:
        return "url and header"
    if word in KEY_GROUP:
        return "private key"
    if word in ("password-hash", "htpasswd"):
        return "password hash"
    return "generic" if word in GENERIC_GROUP else "provider"


def fake_leaks(root):
    for folder, _, names in os.walk(root):
        parts = os.path.relpath(folder, root).split(os.sep)
        if "valid" in parts or "invalid" in parts:
            for name in names:
                yield os.path.join(folder, name), "valid" in parts, group(parts[0])


def leaky_repo(root):
    risky = {}
    with open(os.path.join(root, ".leaky-meta", "secrets.csv")) as lines:
        for row in csv.reader(line for line in lines if line.strip() and not line.startswith("#")):
            risky[row[0]] = int(row[1]) > 0
    for name, leaks in risky.items():
        keys = re.search(r"id_|\.pem$|\.key$|\.ppk$|\.asc$", name)
        path = os.path.join(root, name)
        if os.path.isfile(path):
            yield path, leaks, "private key" if keys else "generic"


def secretlint(root):
    for folder, _, names in os.walk(os.path.join(root, "packages", "@secretlint")):
        parts = folder.split(os.sep)
        if "snapshots" in parts and re.match(r"(ok|ng)[.-]", parts[-1]):
            if "no-homedir" in folder or "rule-pattern" in folder:
                continue  # not about secrets, or about what its own options say
            rule = next((part for part in parts if part.startswith("secretlint-rule-")), "preset")
            for name in names:
                if name.startswith("input"):
                    yield os.path.join(folder, name), parts[-1].startswith("ng"), group(rule)


def stanch(program, path):
    ran = subprocess.run([program, "scan", "-q", "-f", "json", path], capture_output=True)
    return {f["path"] for f in json.loads(ran.stdout)["findings"] if f["verdict"]["state"] == "reported"}


def kingfisher(program, path):
    command = [program, "scan", path, "--no-validate", "--format", "jsonl", "--no-update-check", "--git-history=none"]
    ran = subprocess.run(command, capture_output=True, text=True)
    found = set()
    for line in ran.stdout.splitlines():
        if line.startswith("{"):
            found |= set(re.findall(r'"path":\s*"([^"]+)"', line))
    return found


def detect_secrets(program, path):
    ran = subprocess.run([program, "scan", "--all-files", "--no-verify", path], capture_output=True, text=True, cwd=path)
    return set(json.loads(ran.stdout)["results"])


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data")
    options.add_argument("--stanch", default="target/release/stanch")
    options.add_argument("--kingfisher")
    options.add_argument("--detect-secrets")
    options.add_argument("--misses", action="store_true", help="name the files that stanch judges otherwise")
    args = options.parse_args()
    sets = [("fake-leaks", fake_leaks), ("leaky-repo", leaky_repo), ("secretlint", secretlint)]
    with tempfile.TemporaryDirectory() as folder:
        # Under names that say nothing: a path is evidence, and these say "fake" and "valid".
        labels = {}
        for name, read in sets:
            root = os.path.join(args.data, name)
            for path, leaks, kind in sorted(read(root)) if os.path.isdir(root) else []:
                place = os.path.join(folder, f"{len(labels):05}")
                os.mkdir(place)
                copy = os.path.join(place, os.path.basename(path))
                with open(path, "rb") as original, open(copy, "wb") as new:
                    new.write(original.read())
                labels[f"{len(labels):05}"] = (leaks, kind, path)
        tools = [("stanch", stanch, args.stanch), ("kingfisher", kingfisher, args.kingfisher)]
        tools.append(("detect-secrets", detect_secrets, args.detect_secrets))
        print(f"{'tool':15} {'group':15} {'files':>6} {'leaky':>6} {'recall':>7} {'precision':>9}")
        for tool, run, program in tools:
            if not program:
                continue
            places = {part for path in run(os.path.abspath(program), folder) for part in path.split("/") if part in labels}
            score(tool, labels, places)
            if tool == "stanch" and args.misses:
                for key, (leaks, kind, path) in labels.items():
                    if leaks != (key in places):
                        print(f"  {'missed' if leaks else 'false '} {kind}: {path}", file=sys.stderr)


def score(tool, labels, places):
    count = defaultdict(lambda: [0, 0, 0, 0])
    for key, (leaks, kind, _) in labels.items():
        numbers = count[kind]
        numbers[0] += 1
        numbers[1] += leaks
        numbers[2] += leaks and key in places
        numbers[3] += key in places
    for kind, (files, leaky, right, found) in sorted(count.items()):
        recall = right / leaky if leaky else float("nan")
        precision = right / found if found else float("nan")
        print(f"{tool:15} {kind:15} {files:6} {leaky:6} {recall:7.2f} {precision:9.2f}")


if __name__ == "__main__":
    main()
