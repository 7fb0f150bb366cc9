import { createHash } from 'node:crypto';

/** Bytes an origin serves: in memory, or made on demand so that gigabytes cost nothing. */
export type Content = Uint8Array | GeneratedContent;

export interface GeneratedContent {
  readonly size: number;
  /** @returns the bytes `[start, end)`, or a shorter prefix of them; never empty while start < end. */
  read(start: number, end: number): Uint8Array;
}

/** Prime, so that no two leaves of a power-of-two size are alike. */
const PERIOD = 1_048_573;
const blocks = new Map<string, Uint8Array>();

export const sizeOf = (content: Content): number => (content instanceof Uint8Array ? content.byteLength : content.size);

/** @returns a view, or a prefix of at most one generator block. */
export const readContent = (content: Content, start: number, end: number): Uint8Array =>
  content instanceof Uint8Array ? content.subarray(start, end) : content.read(start, end);

/** @returns all bytes, for small contents and expectations. */
export function wholeContent(content: Content, start = 0, end = sizeOf(content)): Buffer {
  const out = Buffer.alloc(end - start);
  for (let at = start; at < end;) {
    const piece = readContent(content, at, end);
    out.set(piece, at - start);
    at += piece.byteLength;
  }
  return out;
}

/** Pseudo-random content of any size, fixed by the seed; every position can be read on its own. */
export function generatedContent(size: number, seed = 'haulier'): GeneratedContent {
  const block = blockOf(seed);
  return {
    size,
    read: (start, end) => {
      const from = start % PERIOD;
      return block.subarray(from, Math.min(PERIOD, from + Math.min(end, size) - start));
    },
  };
}

/** Pseudo-random bytes fixed by the seed. */
export const someBytes = (size: number, seed = 'haulier'): Buffer => wholeContent(generatedContent(size, seed));

export const sha256Of = (content: Content): string => hashOf(createHash('sha256'), content);

/** The name git gives a blob: what hubs send as ETag of small files. */
export const gitBlobSha1 = (content: Content): string =>
  hashOf(createHash('sha1').update(`blob ${sizeOf(content)}\0`), content);

function hashOf(hash: ReturnType<typeof createHash>, content: Content): string {
  const size = sizeOf(content);
  for (let at = 0; at < size;) {
    const piece = readContent(content, at, size);
    hash.update(piece);
    at += piece.byteLength;
  }
  return hash.digest('hex');
}

function blockOf(seed: string): Uint8Array {
  const known = blocks.get(seed);
  if (known) return known;
  const block = new Uint8Array(PERIOD);
  let filled = 0;
  for (let round = 0; filled < PERIOD; round += 1) {
    const digest = createHash('sha512').update(`${seed}/${round}`).digest();
    block.set(digest.subarray(0, Math.min(digest.length, PERIOD - filled)), filled);
    filled += digest.length;
  }
  blocks.set(seed, block);
  return block;
}
