import { afterEach, describe, expect, it } from '@jest/globals';
import type { Source } from '#core/source';
import { mirror } from '#sources/mirror';
import type { Fault } from '../../helpers/origin/origin-fault.ts';
import { someBytes } from '../../helpers/origin/origin-content.ts';
import type { Origin } from '../../helpers/origin/origin.ts';
import { startOrigin } from '../../helpers/origin/origin.ts';
import { collect, quickHttp, type Collected } from './collect.ts';

const FILE = someBytes(5000);
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(faults: (Fault | readonly Fault[])[]): Promise<{ origin: Origin; source: Source }> {
  const origin = await startOrigin(FILE, faults);
  const http = quickHttp();
  closers.push(
    () => origin.close(),
    () => http.close(),
  );
  return { origin, source: mirror({ http, url: `${origin.url}/files/m.bin?token=secret` }) };
}

const part = (start: number, end: number): { range: { start: number; end: number }; sizeBytes: number } => ({
  range: { start, end },
  sizeBytes: FILE.length,
});

describe('a mirror', () => {
  const after = (start: number, end: number, { head }: Collected) => ({
    ...part(start, end),
    continues: { validator: head!.validator },
  });
  const ifRanges = ({ requests }: Origin) => requests.map((request) => request.headers['if-range']);

  it('HR2 makes a range depend on the version of unproven bytes, and on nothing else', async () => {
    const { origin, source } = await start([]);
    const first = await collect(source, part(0, 10));
    await collect(source, after(10, 20, first));
    await collect(source, part(20, 30));
    const { etag, lastModified } = first.head!.validator!;
    expect([etag, lastModified]).toEqual([expect.stringMatching(/^"/), expect.stringContaining('GMT')]);
    expect(ifRanges(origin)).toEqual([undefined, etag, undefined]);
  });

  it('A15 HR3 never sends a weak validator', async () => {
    const { origin, source } = await start([[{ do: 'weak-etag' }, { do: 'headers', set: { 'last-modified': null } }]]);
    const first = await collect(source, part(0, 10));
    expect(first.head!.validator).toBeUndefined();
    await collect(source, after(10, 20, first));
    expect(ifRanges(origin)).toEqual([undefined, undefined]);
  });

  it('A15 HR3 sends no date beside a weak ETag, and compares both', async () => {
    const { origin, source } = await start([{ do: 'weak-etag' }]);
    const first = await collect(source, part(0, 10));
    expect(first.head!.validator).toMatchObject({ etag: expect.stringMatching(/^W/) });
    await collect(source, after(10, 20, first));
    expect(ifRanges(origin)).toEqual([undefined, undefined]);
  });

  it('A18 HR4 sends a date only when the answer is clearly younger than the file', async () => {
    const date = 'Thu, 01 Jan 2026 00:00:00 GMT';
    const modified = (lastModified: string): Fault => ({
      do: 'headers',
      set: { etag: null, date, 'last-modified': lastModified },
    });
    const old = 'Wed, 31 Dec 2025 23:58:00 GMT';
    const { origin, source } = await start([modified(date), modified(old), modified(old)]);
    const first = await collect(source, part(0, 10));
    const second = await collect(source, after(10, 20, first));
    await collect(source, after(20, 30, second));
    expect(ifRanges(origin)).toEqual([undefined, undefined, old]);
  });

  it('HR5 gives the whole file for a range of unproven bytes, and its head starts at 0', async () => {
    const { source } = await start([{ do: 'none' }, [{ do: 'change-etag' }, { do: 'ignore-range' }]]);
    const first = await collect(source, part(0, 10));
    const got = await collect(source, after(10, 20, first));
    expect(got).toMatchObject({ error: undefined, head: { start: 0, end: FILE.length, totalBytes: FILE.length } });
    expect(got.head!.validator).not.toEqual(first.head!.validator);
    expect(got.bytes.equals(FILE)).toBe(true);
    const range = await collect(source, part(30, 40));
    expect(range.bytes.equals(FILE.subarray(30, 40))).toBe(true);
  });

  it('HR6 sends the validator of one place to no other', async () => {
    const [first, second] = [await startOrigin(FILE), await startOrigin(FILE)];
    closers.push(
      () => first.close(),
      () => second.close(),
    );
    const to = (place: Origin) => ({ do: 'redirect', to: `${place.url}/files/m.bin` }) as const;
    const { origin, source } = await start([to(first), to(second)]);
    let last = await collect(source, part(0, 10));
    last = await collect(source, after(10, 20, last));
    await first.close();
    last = await collect(source, after(20, 30, last));
    expect(last.bytes.equals(FILE.subarray(20, 30))).toBe(true);
    await collect(source, after(30, 40, last));
    expect(origin.requests).toHaveLength(2);
    const sent = [...first.requests, ...second.requests].map(({ headers }) => headers['if-range']);
    expect(sent).toEqual([undefined, expect.any(String), undefined, expect.any(String)]);
  });

  it('A19 HR25 takes ranges although Accept-Ranges says none', async () => {
    const { source } = await start([{ do: 'headers', set: { 'accept-ranges': 'none' } }]);
    expect((await collect(source, part(5, 10))).bytes.equals(FILE.subarray(5, 10))).toBe(true);
    expect(source.capabilities().range).toBe(true);
  });

  it.each([
    ['bytes', true],
    ['none', false],
    ['', undefined],
  ])(
    'A19 HR25 takes from a whole answer with Accept-Ranges "%s" whether ranges are served: %s',
    async (said, range) => {
      const { source } = await start([{ do: 'headers', set: { 'accept-ranges': said } }]);
      await collect(source, {});
      expect(source.capabilities().range).toBe(range);
    },
  );

  it('A20 HR26 never needs HEAD', async () => {
    const { origin, source } = await start([]);
    await collect(source, part(0, 10));
    expect(origin.requests.map((request) => request.method)).toEqual(['GET']);
  });

  it('HA9 shows no secret of its URL', async () => {
    const { origin, source } = await start([{ do: 'status', status: 500 }]);
    const { error } = await collect(source, part(0, 10));
    expect(origin.requests[0]!.path).toContain('token=secret');
    expect(JSON.stringify([source.name, source.origin, String(error)])).not.toContain('secret');
  });
});
