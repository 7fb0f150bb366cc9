"""Prints the digests of the large files of a repository, as the server itself lists them, longest first: sums.py URL REPO [REVISION [datasets]]"""

import json
import sys
import urllib.parse
import urllib.request

words = sys.argv[1:]
url, repo, revision, kind = words + ["main", "models"][len(words) - 2 :]
tree = f"{url}/api/{kind}/{repo}/tree/{urllib.parse.quote(revision, safe='')}?recursive=true"
with urllib.request.urlopen(tree) as answer:
    entries = json.load(answer)
files = [entry for entry in entries if entry["type"] == "file" and "lfs" in entry]
if not files:
    sys.exit(f"{repo} has no large file at {revision}")
for entry in sorted(files, key=lambda entry: -entry["size"]):
    print(entry["lfs"]["oid"] + "  " + entry["path"])
