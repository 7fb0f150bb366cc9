#!/bin/sh
# What: safetensors writes the same tensors with the same metadata as other bytes each time, also within one process: the keys of `__metadata__` come in an
#       order by chance, while the tensors are sorted. So a model that is saved or exported again has another SHA-256 and another CID, and whatever
#       names files by these keeps and sends all of it again, although the weights are the same to the last bit. With no metadata or one
#       key the bytes are the same each time.
# Versions: safetensors 0.8.0, numpy 2.2.6 of PyPI; Python 3.11.
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.2.6
cat >run.py <<'PY'
import hashlib
import json
import sys

import numpy
from safetensors.numpy import load, save

KEYS = ["format", "license", "base", "step", "seed", "created", "author", "title"]
RUNS = 20


def seen(count):
    """The digests of equal saves with so many keys, and the orders of the keys and of the tensors in them."""
    metadata = {key: "x" for key in KEYS[:count]}
    saves = [save({name: numpy.ones(4, numpy.float32) for name in "cab"}, metadata) for _ in range(RUNS)]
    headers = [json.loads(one[8 : 8 + int.from_bytes(one[:8], "little")]) for one in saves]
    orders = {tuple(header.pop("__metadata__", {})) for header in headers}
    tensors = {tuple(header) for header in headers}
    assert all((load(one)[name] == 1).all() for one in saves for name in "abc")
    return len({hashlib.sha256(one).digest() for one in saves}), len(orders), tensors


for count in (0, 1, len(KEYS)):
    digests, orders, tensors = seen(count)
    print(f"{RUNS} saves with {count} keys: {digests} digests, {orders} orders of the keys, tensors {tensors}")
    if (digests > 1) != (count > 1) or digests != orders or tensors != {("a", "b", "c")}:
        sys.exit(1)
PY
venv/bin/python run.py
