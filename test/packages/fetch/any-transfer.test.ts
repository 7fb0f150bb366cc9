import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { fc } from '../../helpers/properties.ts';
import { obtain } from '#fetch/obtain';
import { buildShape, dagShapes, type DagShape } from '../../helpers/dag/any-dag.ts';
import { fakeSource, type FakeBehaviour } from '../../helpers/fake-source.ts';
import { bytesOf, transferKit } from '../../helpers/transfer-kit.ts';

const FILE = bytesOf(400_000, 'any dag');
const bytesAt = (start: number, length: number): Uint8Array => FILE.subarray(start, start + length);

let kit: Awaited<ReturnType<typeof transferKit>>;
beforeEach(async () => {
  kit = await transferKit();
});
afterEach(() => kit.remove());

/** Cuts as a network makes them, and as it does not: nothing, single bytes, more than a leaf. */
const slicings = fc.array(fc.oneof(fc.constantFrom(0, 1, 1, 2, 3), fc.integer({ min: 0, max: 700 })), {
  minLength: 1,
  maxLength: 60,
});

const node = (children: DagShape[], inlineBytes: number, tsize: 'right' | 'low' = 'right'): DagShape => ({
  ...{ children, inlineBytes, tsize, dataFirst: false, hasFilesize: false },
});
const leaf = (kind: 'raw' | 'pbRaw' | 'pbOtherOrder', bytes: number): DagShape => ({
  leaf: kind,
  bytes,
  tsize: 'right',
});

/** A lie about one leaf beside a wrong guess about another: it takes luck to meet them. */
const EXAMPLES: [DagShape, number[], number[], number][] = [
  [node([node([node([leaf('raw', 16)], 0), node([leaf('raw', 1)], 1, 'low')], 1)], 0), [0], [566_106_241], 6_051_078],
  [node([leaf('pbRaw', 1), node([leaf('pbOtherOrder', 1), node([], 60)], 1), node([], 1)], 0), [0], [0], 1],
];

it('any leaf layout in any slicing with any damage: the file is whole, and no wrong byte counts as proven (property)', async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(dagShapes, slicings, fc.array(fc.nat()), fc.nat(), async (shape, slices, spots, cut) => {
      const dag = buildShape(shape, bytesAt);
      const file = FILE.subarray(0, dag.sizeBytes);
      const damage = (position: number, chunk: Uint8Array): void => {
        for (const spot of spots) {
          const at = (spot % (file.length + 1)) - position;
          if (at >= 0 && at < chunk.length) chunk[at]! ^= 0x10;
        }
      };
      const blocks = (cid: string): Uint8Array | undefined => dag.blocks.get(cid);
      // The last slice repeats: it must not be empty, or the source would never end.
      const common: FakeBehaviour = { kind: 'ipfs-gateway', slicing: [...slices, 97] };
      const bad = fakeSource(file, { ...common, name: 'bad', corrupt: damage, cutAfterBytes: cut % (file.length + 1) });
      const good = fakeSource(file, { ...common, name: 'good', blocks });
      const partialPath = join(kit.folder, `${(runs += 1)}`);
      const options = { ...kit.options([bad, good], {}), partialPath, sources: [bad, good] };
      const result = await obtain({ path: 'x', digests: {}, cid: dag.cid, sources: [] }, options);
      expect(result).toMatchObject({ verified: 'leaves', sizeBytes: file.length });
      expect(file.equals(await readFile(partialPath))).toBe(true);
    }),
    { numRuns: 60, examples: EXAMPLES },
  );
});
