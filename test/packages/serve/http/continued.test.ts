import { createHash } from 'node:crypto';
import { get } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { pullThrough } from '#serve/pull/pull-through';
import { hold } from '../../../helpers/origin/origin-fault.ts';
import { startOrigin } from '../../../helpers/origin/origin.ts';
import { until } from '../../../helpers/until.ts';
import { temporaryStore } from '../../store/temp-store.ts';
import { ask, cleansUp, numbered, served } from '../serve-kit.ts';

cleansUp();

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const WEIGHTS = numbered(1 * MIB + 11);
/** The end of a file that only its whole digest proves is held back. */
const SENT_BYTES = WEIGHTS.length - 65_536;

/** A mirror of a hub that sends a wrong byte near the beginning of the file, and its last bytes only when it is told to. */
async function wrongMirror() {
  const { fault, go } = hold(WEIGHTS.length - 10);
  const repos = { 'acme/tiny': { commit: 'a'.repeat(40), files: { 'model.onnx': WEIGHTS } } };
  const rules = [{ path: /resolve/, fault: [{ do: 'flip', atByte: 1000 } as const, fault] }];
  const hub = await startOrigin({ repos }, [], { rules });
  const store = await temporaryStore();
  const http = createHttp({ addressPolicy: parseAddressPolicy([]) });
  const pull = pullThrough({ store, allow: ['acme/*'], upstream: { http, hfEndpoint: hub.url, gateways: [] } })!;
  open.push(
    () => hub.close(),
    () => http.close(),
    () => pull.stop(),
  );
  const { url } = await served({ store, pull });
  const heal = (): void => void hub.rules.splice(0);
  return { file: `${url}/acme/tiny/resolve/main/model.onnx`, go, heal };
}

/** A client that has read what can be sent before the file is proven. */
async function reader(file: string, headers: Record<string, string> = {}) {
  const parts: Buffer[] = [];
  const received = (): number => parts.reduce((sum, part) => sum + part.length, 0);
  let isBroken = false;
  const request = get(file, { agent: false, headers }, (response) => {
    response.on('data', (part: Buffer) => parts.push(part));
    response.on('error', () => (isBroken = true));
  }).on('error', () => (isBroken = true));
  await until(() => received() === SENT_BYTES, { what: 'the client has what is not held back' });
  return { leave: () => void request.destroy(), isBroken: () => isBroken };
}

const rest = (extra: Record<string, string> = {}) => ({ headers: { range: `bytes=${SENT_BYTES}-`, ...extra } });

describe('a client that continues a file whose first bytes were wrong', () => {
  it('EX5 F17 is refused until it begins again, so it never joins wrong bytes and right ones', async () => {
    const { file, go, heal } = await wrongMirror();
    const client = await reader(file);
    go();
    await until(client.isBroken, { what: 'the connection is broken' });
    heal();
    const refused = await ask(file, rest());
    expect([refused.status, refused.headers['x-error-message']]).toEqual([
      409,
      expect.stringMatching(/turned out to be wrong/),
    ]);
    expect((await ask(file)).body.equals(WEIGHTS)).toBe(true);
    const continued = await ask(file, rest());
    expect([continued.status, continued.body.equals(WEIGHTS.subarray(SENT_BYTES))]).toEqual([206, true]);
  });

  it('EX5 F17 gets the whole file where it sent If-Range, which says that it would begin again', async () => {
    const { file, go, heal } = await wrongMirror();
    const client = await reader(file);
    go();
    await until(client.isBroken, { what: 'the connection is broken' });
    heal();
    const { etag } = (await ask(file, { method: 'HEAD' })).headers;
    const whole = await ask(file, rest({ 'if-range': etag! }));
    expect([whole.status, whole.body.equals(WEIGHTS)]).toEqual([200, true]);
  });

  it('EX5 F17 may go on where it asks for the digest of the whole file, as aria2 does, which it then checks', async () => {
    const { file, go, heal } = await wrongMirror();
    const client = await reader(file, { 'want-digest': 'SHA-256;q=1' });
    go();
    await until(client.isBroken, { what: 'the connection is broken' });
    heal();
    const { status, headers } = await ask(file, rest({ 'want-digest': 'SHA-256;q=1' }));
    const digest = createHash('sha256').update(WEIGHTS).digest('base64');
    expect([status, headers['digest']]).toEqual([206, `SHA-256=${digest}`]);
  });

  it('EX5 F17 is refused as well where it left before they turned out to be wrong', async () => {
    const { file, go, heal } = await wrongMirror();
    const [first, other] = [await reader(file), await reader(file)];
    first.leave();
    await until(first.isBroken, { what: 'the client is gone' });
    go();
    await until(other.isBroken, { what: 'the connection of the other client is broken' });
    heal();
    // The other client begins again; the one that left does not.
    expect((await ask(file)).body.equals(WEIGHTS)).toBe(true);
    expect((await ask(file, rest())).status).toBe(409);
  });
});
