import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { SourceError } from '#core/failure';
import type { ByteSink, ReadRequest, Source } from '#core/source';
import { abortedBy, askedRange, localBlocks, openLocal, statLocal } from './local-bytes.ts';

const MAX_CONNECTIONS = 4;

/**
 * Parses a typed `file:///path`.
 *
 * @throws RangeError that shows the text and a correct form, also for a relative path or one on another machine
 */
export function parseFileUrl(text: string): URL {
  // Without this check, a path relative to the working folder would be read as one from the root.
  const isAbsolute = /^file:\/\/(localhost)?\//i.test(text);
  // A percent sign that begins no encoding is taken literally.
  const encoded = text.replace(/%(?![0-9a-f]{2})/gi, '%25');
  const url = isAbsolute && URL.canParse(encoded) ? new URL(encoded) : undefined;
  if (url === undefined || pathOf(url) === undefined)
    throw new RangeError(`"${text}" names no file of this machine: write file:///path`);
  url.search = '';
  url.hash = '';
  return url;
}

/** @returns undefined for an encoded slash or null character */
function pathOf(url: URL): string | undefined {
  try {
    const path = fileURLToPath(url);
    return path.includes('\0') ? undefined : path;
  } catch {
    return undefined;
  }
}

/**
 * A file of this machine, such as an older copy on another disk. Its bytes are proven like those of a mirror. Only a regular file is read.
 * Its validator is made of size, inode and times of change.
 *
 * @param text `file:///path`, typed by the user of this machine, never taken from a manifest or a job
 * @throws RangeError
 */
export function localFile(text: string): Source {
  const url = parseFileUrl(text);
  const path = fileURLToPath(url);
  const name = url.href;
  return {
    name,
    kind: 'local',
    layer: 'origin',
    origin: path,
    capabilities: () => ({ range: true, blocks: false, maxConnections: MAX_CONNECTIONS }),
    async read(request, sink, signal) {
      if (signal.aborted) throw abortedBy(name, signal);
      const handle = await openLocal(name, path);
      try {
        await readFrom(name, handle, request, sink, signal);
      } finally {
        await handle.close();
      }
    },
  };
}

async function readFrom(
  name: string,
  handle: FileHandle,
  request: ReadRequest,
  sink: ByteSink,
  signal: AbortSignal,
): Promise<void> {
  const before = await statLocal(name, handle);
  const totalBytes = Number(before.size);
  const { start, end } = askedRange(name, totalBytes, request);
  sink.head({ start, end, totalBytes, validator: { place: name, etag: tagOf(before), lastModified: undefined } });
  let at = start;
  for await (const block of localBlocks(name, handle, { start, end }, signal, true)) {
    await sink.write(block);
    at += block.length;
  }
  if (at < end) throw new SourceError('interrupted', name, `the file ended at ${at}, before ${end}`);
  if (tagOf(await statLocal(name, handle)) !== tagOf(before))
    throw new SourceError('bad-response', name, 'the file changed while it was read');
}

const tagOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  `"${[dev, ino, size, mtimeNs, ctimeNs].join('-')}"`;
