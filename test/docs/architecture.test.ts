import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { MAY_IMPORT } from '../../eslint.borders.js';

const page = readFileSync(join(import.meta.dirname, '../../docs/architecture.md'), 'utf8');

describe('docs/architecture.md', () => {
  it('has a row for every room, with what it may import, as the borders hold it', () => {
    const rows = [...page.matchAll(/^\| `((?:packages|apps)\/\w+)` \| [^|]+ \| ([^|]+) \| [^|]+ \|$/gm)];
    const told = rows.map(([, room, imports]) => [room, imports === '–' ? [] : imports!.split(', ')]);
    expect(Object.fromEntries(told)).toEqual(MAY_IMPORT);
  });
});
