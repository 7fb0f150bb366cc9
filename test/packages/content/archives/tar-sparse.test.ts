import { describe, expect, it } from '@jest/globals';
import { INPUTS, paxHeader, rawTar, readFiles as read, type RawEntry } from './tar-samples.ts';

const A: RawEntry = { name: 'a', content: Buffer.from('A') };

describe.each(INPUTS)('readTar from %s', (_what, inputOf) => {
  const octal = (value: number): string => `${value.toString(8).padStart(11, '0')}\0`;
  const pairs = (from: number, ...numbers: number[]): Record<number, string> =>
    Object.fromEntries(numbers.map((number, index) => [from + 12 * index, octal(number)]));
  const gnu = (sizeBytes: number, ...map: number[]): Record<number, string> => ({
    257: 'ustar  \0',
    483: octal(sizeBytes),
    ...pairs(386, ...map),
  });
  const sparse = (version: Record<string, string>): RawEntry =>
    paxHeader({ ...version, 'GNU.sparse.name': 's', 'GNU.sparse.realsize': '9' });
  const holes = '\0\0AB\0\0\0C\0';

  it.each<[string, Buffer, Record<string, string>]>([
    [
      'GNU',
      rawTar({ name: 's', type: 'S', content: Buffer.from('ABC'), fields: gnu(9, 2, 2, 7, 1) }, A),
      { s: holes, a: 'A' },
    ],
    [
      'GNU with more parts than a header holds',
      rawTar({
        ...{ name: 's', type: 'S', content: Buffer.from('ABCDE') },
        fields: { ...gnu(10, 0, 1, 2, 1, 4, 1, 6, 1), 482: '\x01' },
        between: Object.entries(pairs(0, 8, 1)).reduce((block, [at, text]) => {
          block.write(text, Number(at), 'latin1');
          return block;
        }, Buffer.alloc(512)),
      }),
      { s: 'A\0B\0C\0D\0E\0' },
    ],
    [
      'pax 0.0',
      rawTar(
        paxHeader([
          ['GNU.sparse.size', '9'],
          ['GNU.sparse.numblocks', '2'],
          ...['2', '2', '7', '1'].map((number, index): [string, string] => [
            index % 2 === 0 ? 'GNU.sparse.offset' : 'GNU.sparse.numbytes',
            number,
          ]),
        ]),
        { name: 's', content: Buffer.from('ABC') },
      ),
      { s: holes },
    ],
    [
      'pax 0.1',
      rawTar(sparse({ 'GNU.sparse.map': '2,2,7,1' }), { name: 'GNUSparseFile.1/s', content: Buffer.from('ABC') }, A),
      { s: holes, a: 'A' },
    ],
    [
      'pax 1.0',
      rawTar(
        sparse({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' }),
        {
          name: 'GNUSparseFile.1/s',
          content: Buffer.concat([Buffer.from('2\n2\n2\n7\n1\n'.padEnd(512, '\0')), Buffer.from('ABC')]),
        },
        A,
      ),
      { s: holes, a: 'A' },
    ],
    ['a file that is one hole', rawTar({ name: 's', type: 'S', fields: gnu(3, 3, 0) }), { s: '\0\0\0' }],
  ])('L23 unpacks a sparse file of %s', async (_what, tar, files) => {
    expect(await read(inputOf(tar))).toEqual(files);
  });

  it.each<[string, RawEntry[], string]>([
    ['overlap', [{ name: 's', type: 'S', content: Buffer.from('ABC'), fields: gnu(9, 2, 2, 3, 1) }], 'overlap'],
    [
      'end behind the file',
      [{ name: 's', type: 'S', content: Buffer.from('ABC'), fields: gnu(7, 2, 2, 7, 1) }],
      'ends at byte 8 of 7',
    ],
    [
      'are more than what is stored',
      [{ name: 's', type: 'S', content: Buffer.from('A'), fields: gnu(9, 2, 2) }],
      'describes 2 bytes',
    ],
    [
      'are no numbers',
      [sparse({ 'GNU.sparse.major': '1' }), { name: 'x', content: Buffer.from('2\nx\n'.padEnd(512, '\0')) }],
      'broken map',
    ],
  ])('L23 refuses by name a sparse file whose parts %s', async (_what, entries, reason) => {
    await expect(read(inputOf(rawTar(...entries)))).rejects.toThrow(reason);
  });

  it('L23 does not take a sparse file of another form, or the rest of one from an earlier volume', async () => {
    const reasons: string[] = [];
    const tar = rawTar({ name: 's', type: 'S' }, { name: 'm', type: 'M' });
    const onSkipped = (entry: { reason: string }): void => void reasons.push(entry.reason);
    expect(await read(inputOf(tar), { onSkipped })).toEqual({});
    expect(reasons).toEqual([expect.stringContaining('sparse file'), expect.stringContaining('earlier volume')]);
  });
});
