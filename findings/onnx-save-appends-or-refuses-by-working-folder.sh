#!/bin/sh
# What: `onnx.save(model, "out/m.onnx", save_as_external_data=True, location="m.data")` on a model that is there already appends its weights to those of the
#       last time: `m.data` grows with each export, and the old bytes go along wherever it is copied. The same save out of the folder `out` is refused
#       with FileExistsError, because the file is looked for in the working folder and written beside the model; a file of that name that has
#       nothing to do with it is enough. Saving also takes the weights out of the model in memory: a second save of it writes a file
#       without any, and no error.
# Versions: onnx 1.23.2, numpy 2.2.6 of PyPI; Python 3.11.
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile onnx==1.23.2 numpy==2.2.6
cat >run.py <<'PY'
import os
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 1000


def model(value):
    weights = numpy_helper.from_array(numpy.full((SIDE, SIDE), value, numpy.float32), "w")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, SIDE]) for name in "xy"]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:], [weights]))


def save(one, path):
    try:
        onnx.save(one, path, save_as_external_data=True, location="m.data")
    except FileExistsError as error:
        return type(error).__name__
    return os.path.getsize(os.path.join(os.path.dirname(path), "m.data"))


os.makedirs("out")
os.makedirs("other")
from_parent = [save(model(value), "out/m.onnx") for value in (1.0, 2.0, 3.0)]
value = numpy_helper.to_array(onnx.load("out/m.onnx").graph.initializer[0])[0, 0]
os.chdir("out")
from_inside = save(model(4.0), "m.onnx")
os.chdir("..")
with open("m.data", "w") as file:
    file.write("notes")
by_stranger = save(model(5.0), "other/m.onnx")

one = model(6.0)
onnx.save(one, "other/first.onnx", save_as_external_data=True, location="first.data")
onnx.save(one, "second.onnx")
second = os.path.getsize("second.onnx")
print("onnx", onnx.__version__, "sizes of m.data from the parent folder:", from_parent, "value:", value, "from its folder:", from_inside)
print("beside a stranger's m.data:", by_stranger, "; saved a second time:", second, "bytes of", 4 * SIDE * SIDE)
weights = 4 * SIDE * SIDE
grows = from_parent == [weights, 2 * weights, 3 * weights] and value == 3
sys.exit(0 if grows and from_inside == by_stranger == "FileExistsError" and second < 1000 else 1)
PY
venv/bin/python run.py
