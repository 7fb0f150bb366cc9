"""Runs one call of huggingface_hub or transformers, as a program of a user does: client.py CALL REPO [REVISION] [PATH]"""

import hashlib
import json
import os
import sys

import huggingface_hub

words = sys.argv[1:]
call, repo, revision, path = words + ["main", "config.json"][len(words) - 2 :]


def sha256(name):
    with open(name, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def snapshot():
    folder = huggingface_hub.snapshot_download(repo, revision=revision)
    names = [os.path.join(at, name) for at, _, found in os.walk(folder) for name in found]
    files = {os.path.relpath(name, folder): sha256(name) for name in names}
    return {"commit": os.path.basename(folder), "files": files}


def file():
    return {"sha256": sha256(huggingface_hub.hf_hub_download(repo, path, revision=revision))}


def info():
    found = huggingface_hub.HfApi().model_info(repo, revision=revision, files_metadata=True)
    return {"sha": found.sha, "private": found.private, "sizes": {one.rfilename: one.size for one in found.siblings}}


def tokenizer():
    from transformers import AutoConfig, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(repo)("hello world")["input_ids"]
    return {"tokens": list(tokens), "model_type": AutoConfig.from_pretrained(repo).model_type}


try:
    answer = {"snapshot": snapshot, "file": file, "info": info, "tokenizer": tokenizer}[call]()
except Exception as error:
    answer = {"error": [kind.__name__ for kind in type(error).__mro__], "message": str(error)}
print(json.dumps(answer))
