import { afterEach, describe, expect, it } from '@jest/globals';
import type { Source } from '#core/source';
import { mirror } from '#sources/mirror';
import type { Fault } from '../../helpers/origin-fault.ts';
import { someBytes } from '../../helpers/origin-content.ts';
import type { Origin } from '../../helpers/origin.ts';
import { startOrigin } from '../../helpers/origin.ts';
import { collect, quickHttp } from './collect.ts';

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
  it('HR2 sends the strong validator of its first answer with later ranges', async () => {
    const { origin, source } = await start([]);
    const first = await collect(source, part(0, 10));
    await collect(source, part(10, 20));
    expect(origin.requests.map((request) => request.headers['if-range'])).toEqual([undefined, first.head!.etag]);
  });

  it('A15 HR3 never sends a weak validator', async () => {
    const { origin, source } = await start([[{ do: 'weak-etag' }, { do: 'headers', set: { 'last-modified': null } }]]);
    expect((await collect(source, part(0, 10))).head!.etag).toBeUndefined();
    await collect(source, part(10, 20));
    expect(origin.requests[1]!.headers['if-range']).toBeUndefined();
  });

  it('A18 HR4 sends a date only when the answer is clearly younger than the file', async () => {
    const date = 'Thu, 01 Jan 2026 00:00:00 GMT';
    const undated = { do: 'headers', set: { etag: null, date, 'last-modified': date } } as const;
    const dated = {
      do: 'headers',
      set: { etag: null, date, 'last-modified': 'Wed, 31 Dec 2025 23:58:00 GMT' },
    } as const;
    const { origin, source } = await start([undated, dated, undated]);
    for (let at = 0; at < 30; at += 10) await collect(source, part(at, at + 10));
    expect(origin.requests.map((request) => request.headers['if-range'])).toEqual([
      undefined,
      undefined,
      'Wed, 31 Dec 2025 23:58:00 GMT',
    ]);
  });

  it('HR5 notices that the file changed and takes none of the other bytes', async () => {
    const { source } = await start([
      { do: 'none' },
      [{ do: 'change-etag' }, { do: 'ignore-range' }],
      { do: 'change-etag' },
    ]);
    await collect(source, part(0, 10));
    const got = await collect(source, part(10, 20));
    expect(got.error).toMatchObject({ kind: 'bad-response', message: 'the file changed while it was read' });
    expect(got.bytes).toHaveLength(0);
  });

  it('HR5 notices a changed validator on a part as well', async () => {
    const { source } = await start([{ do: 'none' }, { do: 'change-etag' }]);
    await collect(source, part(0, 10));
    expect((await collect(source, part(10, 20))).error).toMatchObject({
      message: 'the file changed while it was read',
    });
  });

  it('HR6 sends the validator of one origin to no other, and does not take the other one for a changed file', async () => {
    const [first, second] = [await startOrigin(FILE), await startOrigin(FILE)];
    closers.push(
      () => first.close(),
      () => second.close(),
    );
    const to = (place: Origin) => ({ do: 'redirect', to: `${place.url}/files/m.bin` }) as const;
    const { origin, source } = await start([to(first), to(second)]);
    second.rules.push({ fault: { do: 'change-etag' } });
    await collect(source, part(0, 10));
    await collect(source, part(10, 20));
    await first.close();
    const got = await collect(source, part(20, 30));
    expect(got.bytes.equals(FILE.subarray(20, 30))).toBe(true);
    await collect(source, part(30, 40));
    expect(origin.requests).toHaveLength(2);
    const sent = [...first.requests, ...second.requests].map(({ headers }) => headers['if-range']);
    expect(sent).toEqual([undefined, expect.any(String), undefined, expect.any(String)]);
    expect(sent[1]).not.toBe(sent[3]);
  });

  it('A19 HR25 takes ranges although Accept-Ranges says none', async () => {
    const { source } = await start([{ do: 'headers', set: { 'accept-ranges': 'none' } }]);
    expect((await collect(source, part(5, 10))).bytes.equals(FILE.subarray(5, 10))).toBe(true);
    expect(source.capabilities().range).toBe(true);
  });

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
