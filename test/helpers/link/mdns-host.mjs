// A host that serves "here" and looks for others in its network: node mdns-host.mjs HOST PORT SITE_KEY. Each line is what it knows.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import process from 'node:process';
import { LocalNetwork } from '../../../dist/apps/worker/swarm/local-network.js';

const [host, port, siteKey] = process.argv.slice(2);
const server = createServer((_, response) => response.end('here')).listen(Number(port), host);
const statusOf = async (url) => (await globalThis.fetch(url)).status;
const say = async (urls) => {
  const known = await Promise.all(urls.map(async (url) => ({ url, status: await statusOf(url).catch(() => 0) })));
  process.stdout.write(`${JSON.stringify(known)}\n`);
};
const logger = { debug: () => undefined, warn: (facts) => process.stderr.write(`${JSON.stringify(facts)}\n`) };
const network = new LocalNetwork({
  ...{ host, siteKey, logger, interfaceAddress: undefined },
  onPeers: (urls) => void say(urls),
});
network.start({ peerId: randomUUID(), port: Number(port), site: 'test', inventory: '' });
process.once('SIGTERM', async () => {
  await network.stop();
  server.close();
  server.closeAllConnections();
});
