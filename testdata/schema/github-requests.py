#!/usr/bin/env python3
"""Takes the operations that stanch uses from GitHub's OpenAPI description, which the npm package @octokit/openapi holds.

    testdata/schema/github-requests.py [VERSION]            write github-requests.json anew (asks the npm registry alone)
    testdata/schema/github-requests.py --check [VERSION]    say whether it would be another, and exit with 1 if so
"""

import io
import json
import pathlib
import sys
import tarfile
import urllib.request

VERSION = "23.0.2"
FILE = pathlib.Path(__file__).with_name("github-requests.json")
OPERATIONS = """
GET /user
GET /user/repos
GET /installation/repositories
DELETE /installation/token
POST /credentials/revoke
POST /applications/{client_id}/token
DELETE /applications/{client_id}/token
GET /repos/{owner}/{repo}/issues
POST /repos/{owner}/{repo}/issues
PATCH /repos/{owner}/{repo}/issues/{issue_number}
POST /repos/{owner}/{repo}/issues/{issue_number}/comments
GET /repos/{owner}/{repo}/secret-scanning/alerts
PATCH /repos/{owner}/{repo}/secret-scanning/alerts/{alert_number}
GET /orgs/{org}
GET /orgs/{org}/repos
GET /users/{username}/repos
GET /repos/{owner}/{repo}/actions/runs
GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs
GET /repos/{owner}/{repo}/actions/runs/{run_id}
GET /repos/{owner}/{repo}/actions/runs/{run_id}/logs
DELETE /repos/{owner}/{repo}/actions/runs/{run_id}/logs
GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/logs
GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs
GET /repos/{owner}/{repo}/actions/runs/{run_id}/artifacts
GET /repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format}
"""
KEPT = ("type", "enum", "items", "minItems", "maxItems", "properties", "required", "oneOf", "anyOf", "format", "nullable")


def description(version):
    url = f"https://registry.npmjs.org/@octokit/openapi/-/openapi-{version}.tgz"
    with urllib.request.urlopen(url) as answer:
        archive = tarfile.open(fileobj=io.BytesIO(answer.read()))
    return json.load(archive.extractfile("package/generated/api.github.com.json"))


def resolve(whole, thing):
    while isinstance(thing, dict) and "$ref" in thing:
        found = whole
        for part in thing["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        thing = found
    return thing


def schema(whole, thing, deep=0):
    """The schema without its words; formats and bounds that no test could break are left out."""
    thing = resolve(whole, thing)
    slim = {}
    for key, value in thing.items():
        if key == "properties":
            slim[key] = {name: schema(whole, it, deep + 1) for name, it in value.items()}
        elif key in ("oneOf", "anyOf"):
            slim[key] = [schema(whole, it, deep + 1) for it in value]
        elif key == "items":
            slim[key] = schema(whole, value, deep + 1)
        elif key in ("type", "enum", "required", "minItems", "maxItems"):
            slim[key] = value
    if thing.get("nullable") and isinstance(slim.get("type"), str):
        slim["type"] = [slim["type"], "null"]
        if "enum" in slim and None not in slim["enum"]:
            slim["enum"] = [*slim["enum"], None]
    if deep == 0 and "properties" in slim:
        slim["additionalProperties"] = False
    return slim


def operation(whole, line):
    method, path = line.split()
    item = whole["paths"][path]
    said = item[method.lower()]
    named = [resolve(whole, it) for it in said.get("parameters", []) + item.get("parameters", [])]
    slim = {
        "success": sorted(int(status) for status in said["responses"] if status[0] == "2" or status == "302"),
        "query": {it["name"]: schema(whole, it["schema"], 1) for it in named if it["in"] == "query"},
    }
    body = said.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        slim["body"] = schema(whole, body["schema"])
    return slim


def main():
    words = sys.argv[1:]
    check = "--check" in words
    version = next((word for word in words if not word.startswith("-")), VERSION)
    whole = description(version)
    made = {
        "source": f"@octokit/openapi {version}, generated/api.github.com.json (MIT): the operations that stanch uses, "
        "without descriptions; additionalProperties is ours",
        "operations": {line: operation(whole, line) for line in OPERATIONS.split("\n") if line},
    }
    if check:
        same = json.loads(FILE.read_text())["operations"] == made["operations"]
        print("the same" if same else "GitHub's description has changed")
        sys.exit(0 if same else 1)
    FILE.write_text(json.dumps(made, indent=1) + "\n")


main()
