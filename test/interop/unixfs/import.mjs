// Adds files to a folder of blocks with ipfs-unixfs-importer: one JSON job on stdin, one JSON line per entry on stdout.
import { createCipheriv, createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { importer } from 'ipfs-unixfs-importer';
import { fixedSize, rabin } from 'ipfs-unixfs-importer/chunker';
import { balanced, trickle } from 'ipfs-unixfs-importer/layout';

const PIECE = 1024 * 1024;
const job = JSON.parse(await text(process.stdin));

/** The keystream that kubo's tests use as file content. */
function* keystream({ seed, bytes }) {
  const cipher = createCipheriv('chacha20', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  const zeros = Buffer.alloc(PIECE);
  for (let left = bytes; left > 0; left -= PIECE) yield cipher.update(zeros.subarray(0, Math.min(left, PIECE)));
}

const { layout, width, chunkBytes, rabinBytes, ...plain } = job.options;
const options = {
  ...plain,
  ...(layout === 'trickle' ? { layout: trickle({ maxChildrenPerNode: width }) } : {}),
  ...(layout === 'balanced' ? { layout: balanced({ maxChildrenPerNode: width }) } : {}),
  ...(chunkBytes ? { chunker: fixedSize({ chunkSize: chunkBytes }) } : {}),
  ...(rabinBytes ? { chunker: rabin({ minChunkSize: rabinBytes / 4, avgChunkSize: rabinBytes }) } : {}),
};

const blockstore = {
  put: async (cid, block) => {
    await writeFile(join(job.folder, cid.toV1().toString()), block);
    return cid;
  },
};

const source = job.files.map((file) => ({ path: file.path, content: keystream(file) }));
for await (const { cid, path } of importer(source, blockstore, options))
  process.stdout.write(`${JSON.stringify({ cid: cid.toString(), path })}\n`);
