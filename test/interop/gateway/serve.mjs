// An IPFS gateway of gateway-lib (web3.storage) over a folder of blocks, each in a file named by its CID. Prints its address
// as one line of JSON; the library's own chatter goes to stderr.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { handlers, middleware } from '@web3-storage/gateway-lib';
import { Dagula } from 'dagula';

console.log = console.error;
const folder = process.argv[2];

const blockAt = async (cid) => {
  try {
    return { cid, bytes: new Uint8Array(await readFile(join(folder, cid.toV1().toString()))) };
  } catch {
    return undefined;
  }
};

const blockstore = {
  get: blockAt,
  stat: async (cid) => {
    const block = await blockAt(cid);
    return block && { size: block.bytes.length };
  },
  stream: async (cid, options) => {
    const block = await blockAt(cid);
    if (!block) return undefined;
    const [first = 0, last = block.bytes.length - 1] = options?.range ?? [];
    return new Blob([block.bytes.subarray(first, last + 1)]).stream();
  },
};

const withDagula = (handler) => (request, env, ctx) => {
  const dagula = new Dagula(blockstore);
  return handler(request, env, { ...ctx, blocks: dagula, dag: dagula, unixfs: dagula });
};

const gateway = middleware.composeMiddleware(
  middleware.withContext,
  middleware.withErrorHandler,
  middleware.withHttpGet,
  middleware.withParsedIpfsUrl,
  withDagula,
)((request, env, ctx) =>
  ctx.searchParams.get('format') === 'raw'
    ? handlers.handleBlock(request, env, ctx)
    : handlers.handleUnixfs(request, env, ctx),
);

const server = createServer((message, answer) => {
  const request = new Request(`http://${message.headers.host}${message.url}`, { headers: message.headers });
  Promise.resolve(gateway(request, {}, { waitUntil: () => undefined }))
    .then(async (response) => {
      answer.writeHead(response.status, Object.fromEntries(response.headers));
      if (response.body) await pipeline(Readable.fromWeb(response.body), answer);
      else answer.end();
    })
    .catch((error) => answer.destroy(error));
});

server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` })}\n`);
});
