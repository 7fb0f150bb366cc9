"""Runs calls of huggingface_hub, transformers or datasets, as a program of a user does, and prints the answer to each as a line of JSON.

client.py CALL REPO [REVISION] [PATH] [-- CALL REPO …]
"""

import hashlib
import itertools
import json
import os
import sys

import huggingface_hub


def sha256(name):
    with open(name, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def digests(folder):
    names = [os.path.join(at, name) for at, _, found in os.walk(folder) for name in found]
    return {os.path.relpath(name, folder): sha256(name) for name in names}


def snapshot(repo, revision, path):
    folder = huggingface_hub.snapshot_download(repo, revision=revision)
    return {"commit": os.path.basename(folder), "files": digests(folder)}


def file(repo, revision, path):
    return {"sha256": sha256(huggingface_hub.hf_hub_download(repo, path, revision=revision))}


def info(repo, revision, path):
    found = huggingface_hub.HfApi().model_info(repo, revision=revision, files_metadata=True)
    return {"sha": found.sha, "private": found.private, "sizes": {one.rfilename: one.size for one in found.siblings}}


def tokenizer(repo, revision, path):
    from transformers import AutoConfig, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(repo)("hello world")["input_ids"]
    return {"tokens": list(tokens), "model_type": AutoConfig.from_pretrained(repo).model_type}


def dataset(repo, revision, path):
    from datasets import load_dataset

    whole, stream = (load_dataset(repo, revision=revision, streaming=streaming) for streaming in (False, True))
    kept = huggingface_hub.snapshot_download(repo, repo_type="dataset", revision=revision, local_files_only=True)
    return {"whole": rows(whole), "stream": rows(stream), "files": digests(kept)}


def rows(splits):
    return {split: list(found) for split, found in splits.items()}


def write_parquet(path, *_):
    from pyarrow import parquet, table

    parquet.write_table(table({"number": [1, 2, 3], "text": ["one", "two", "three"]}), path)


def answer(call, repo, revision="main", path="config.json"):
    try:
        return globals()[call](repo, revision, path)
    except Exception as error:
        return {"error": [kind.__name__ for kind in type(error).__mro__], "message": str(error)}


for is_end, words in itertools.groupby(sys.argv[1:], lambda word: word == "--"):
    if not is_end:
        print(json.dumps(answer(*words)))
