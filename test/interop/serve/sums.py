"""Prints the digests of the large files of a repository, as the server itself lists them, longest first: sums.py URL REPO [REVISION]"""

import json
import sys
import urllib.parse
import urllib.request

url, repo, revision = (sys.argv[1:] + ["main"])[:3]
tree = f"{url}/api/models/{repo}/tree/{urllib.parse.quote(revision, safe='')}?recursive=true"
with urllib.request.urlopen(tree) as answer:
    entries = json.load(answer)
files = [entry for entry in entries if entry["type"] == "file" and "lfs" in entry]
if not files:
    sys.exit(f"{repo} has no large file at {revision}")
for entry in sorted(files, key=lambda entry: -entry["size"]):
    print(entry["lfs"]["oid"] + "  " + entry["path"])
