#!/bin/sh
# What: the Python package of GGUF loses values on the way through a file, without an error. `GGUFWriter` leaves out a key whose value is an empty
#       text or an empty list (the count of keys is one less), and `ReaderField.contents()` gives an array of arrays, which the format allows, as
#       one flat list: [["a", "b"], ["c"]] comes back as ["a", "b", "c"]. The file itself is right: `@huggingface/gguf` reads the nested array.
# Versions: gguf 0.19.0 of PyPI, @huggingface/gguf 0.4.6 of npm, Node of the machine (20 or later), Python 3.11.
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet gguf==0.19.0
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts @huggingface/gguf@0.4.6
cat >run.py <<'PY'
import json
from gguf import GGUFReader, GGUFWriter

values = {"x.nested": [["a", "b"], ["c"]], "x.list": [], "x.flat": [1, 2]}
writer = GGUFWriter("model.gguf", "llama")
for name, value in values.items():
    writer.add_array(name, value)
writer.add_string("x.text", "")
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
fields = GGUFReader("model.gguf").fields
print(json.dumps({name: field.contents() for name, field in fields.items() if name.startswith("x.")}))
PY
cat >read.mjs <<'JS'
import { gguf } from '@huggingface/gguf';

const { metadata } = await gguf('model.gguf', { allowLocalFile: true });
console.log(JSON.stringify(Object.fromEntries(Object.entries(metadata).filter(([name]) => name.startsWith('x.')))));
JS
by_python=$(venv/bin/python run.py)
by_javascript=$(node read.mjs)
echo "gguf:              $by_python"
echo "@huggingface/gguf: $by_javascript"
[ "$by_python" = '{"x.nested": ["a", "b", "c"], "x.flat": [1, 2]}' ]
[ "$by_javascript" = '{"x.nested":[["a","b"],["c"]],"x.flat":[1,2]}' ]
