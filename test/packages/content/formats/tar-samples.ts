import { pack, type Header } from 'tar-stream';

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
