import { pack, type Header } from 'tar-stream';
import { readTar, type TarInput, type TarLimits, type TarOptions } from '#content/archives/read-tar';
import { randomAccessInput, streamInput } from '#content/archives/tar-input';
import { encodeTarHeader, tarPadding } from '#content/archives/tar-header';

export type Entry = Partial<Header> & { name: string; text?: string };

/** A tar as a foreign program writes it. */
export async function foreignTar(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { text = '', ...header } of entries) tar.entry(header, text);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export interface RawEntry {
  readonly name: string;
  readonly type?: string;
  readonly content?: Buffer;
  /** Into the header after everything else, by position. */
  readonly fields?: Readonly<Record<number, string>>;
  /** Blocks between header and content that the size does not count. */
  readonly between?: Buffer;
  readonly padded?: boolean;
}

/** Entries as no library here writes them: any type, any bytes in the header, a right checksum. */
export function rawTar(...entries: readonly RawEntry[]): Buffer {
  return Buffer.concat(entries.flatMap(rawEntry));
}

function rawEntry({
  name,
  type = '0',
  content = Buffer.alloc(0),
  fields = {},
  between,
  padded = true,
}: RawEntry): Buffer[] {
  const header = Buffer.from(encodeTarHeader('x', content.length));
  header.fill(0, 0, 100).write(name, 0, 'latin1');
  header.write(type, 156, 'latin1');
  for (const [at, text] of Object.entries(fields)) header.write(text, Number(at), 'latin1');
  sumUp(header);
  return [header, between ?? Buffer.alloc(0), content, Buffer.alloc(padded ? tarPadding(content.length) : 0)];
}

export function sumUp(header: Buffer, isSigned = false): void {
  header.fill(0x20, 148, 156);
  const sum = header
    .subarray(0, 512)
    .reduce((total, byte) => total + (isSigned && byte >= 0x80 ? byte - 256 : byte), 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

/** A pax record; the value may be binary. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (length !== `${length}${rest}`.length) length = `${length}${rest}`.length;
  return `${length}${rest}`;
}

export const paxHeader = (records: Readonly<Record<string, string>> | readonly [string, string][]): RawEntry => ({
  name: 'pax',
  type: 'x',
  content: Buffer.from(
    (Array.isArray(records) ? (records as [string, string][]) : Object.entries(records))
      .map(([key, value]) => paxRecord(key, value))
      .join(''),
    'latin1',
  ),
});

/** What a model never needs, and what extractors are broken with (L01). */
export const HOSTILE: [string, Entry[], string][] = [
  ['a symbolic link', [{ name: 'a', type: 'symlink', linkname: '/etc/passwd' }], 'symbolic link'],
  ['a hard link', [{ name: 'a', type: 'link', linkname: '../../x' }], 'hard link'],
  ['a character device', [{ name: 'a', type: 'character-device' }], 'character device'],
  ['a block device', [{ name: 'a', type: 'block-device' }], 'block device'],
  ['a FIFO', [{ name: 'a', type: 'fifo' }], 'FIFO'],
  ['a path upwards', [{ name: '../../etc/passwd', text: 'x' }], '".."'],
  ['a path upwards inside', [{ name: 'a/../../b', text: 'x' }], '".."'],
  ['a folder upwards', [{ name: '../x/', type: 'directory' }], '".."'],
  ['an absolute path', [{ name: '/etc/passwd', text: 'x' }], 'absolute'],
  ['a backslash', [{ name: 'a\\..\\b', text: 'x' }], 'backslash'],
  ['a drive', [{ name: 'C:x', text: 'x' }], 'Windows refuses'],
  ['a long path upwards', [{ name: `${'d/'.repeat(80)}../x`, text: 'x' }], '".."'],
];

/** What is well-formed, and means two things. */
export const DOUBLED: [string, Entry[], string][] = [
  [
    'a name twice',
    [
      { name: 'a', text: '1' },
      { name: 'a', text: '2' },
    ],
    'twice',
  ],
  [
    'one name in two spellings',
    [
      { name: 'a', text: '1' },
      { name: './a', text: '2' },
    ],
    'twice',
  ],
];

const streamed = (tar: Uint8Array): TarInput =>
  streamInput(
    (async function* () {
      for (let at = 0; at < tar.length; at += 77) yield tar.subarray(at, at + 77);
    })(),
  );

export const randomAccess = (tar: Uint8Array): TarInput =>
  randomAccessInput(async (position, length) => tar.subarray(position, position + length), tar.length);

/** The two ways to read a tar. */
export const INPUTS: [string, (tar: Uint8Array) => TarInput][] = [
  ['a stream', streamed],
  ['a file', randomAccess],
];

export const SMALL_LIMITS = { maxEntries: 10, maxBytes: 10_000 };

/** @returns the text of each file by its name */
export async function readFiles(
  input: TarInput,
  options: TarOptions = {},
  limits: TarLimits = SMALL_LIMITS,
): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const entry of readTar(input, limits, options)) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry.chunks()) chunks.push(chunk.slice());
    files[entry.name] = Buffer.concat(chunks).toString();
  }
  return files;
}
