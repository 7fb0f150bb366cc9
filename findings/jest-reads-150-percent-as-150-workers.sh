#!/bin/sh
# What: jest takes a percentage for `maxWorkers`. Up to 100% it is a share of the cores; above, the sign is dropped and the number counts workers:
#       "150%" are not one and a half processes a core but 150 processes, on any machine. No warning.
# Versions: npm jest 30.5.2.
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund jest@30.5.2
npx jest --version

workers() { npx jest --maxWorkers="$1" --showConfig | sed -n 's/^ *"maxWorkers": \([0-9]*\).*/\1/p'; }
echo "cores: $(nproc)"
echo "100% : $(workers 100%) workers"
echo "101% : $(workers 101%) workers"
echo "150% : $(workers 150%) workers"
[ "$(workers 100%)" -le "$(nproc)" ] && [ "$(workers 101%)" = 101 ] && [ "$(workers 150%)" = 150 ]
