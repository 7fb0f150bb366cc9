import { describe, expect, it } from '@jest/globals';
import { DAY_MS } from '#core/units';
import { wrongBytes } from '#serve/http/wrong-bytes';

const from = (start: number) => [{ start, end: 1_000 }];
const SENT = { start: 0, end: 500 };

describe('bytes that a client was sent and that turned out to be wrong', () => {
  it.each([
    [1, true],
    [500, true],
    [501, false],
  ])('EX5 F17 are continued by a range from %d: %s', (start, expected) => {
    const client = wrongBytes()('one');
    client.note('"a"', SENT);
    expect(client.areContinuedBy('"a"', from(start))).toBe(expected);
    expect(client.areContinuedBy('"a"', [{ start: 600, end: 700 }, ...from(start)])).toBe(expected);
  });

  it('EX5 F17 are those of one client and of one content', () => {
    const clients = wrongBytes();
    clients('one').note('"a"', SENT);
    expect(clients('two').areContinuedBy('"a"', from(9))).toBe(false);
    expect(clients('one').areContinuedBy('"b"', from(9))).toBe(false);
    expect(clients('one').areContinuedBy('"a"', from(9))).toBe(true);
  });

  it('EX5 F17 are forgotten when the client begins again, once for each time that they were sent', () => {
    const client = wrongBytes()('one');
    client.note('"a"', SENT);
    client.note('"a"', SENT);
    expect(client.areContinuedBy('"a"', from(0))).toBe(false);
    expect(client.areContinuedBy('"a"', from(9))).toBe(true);
    expect(client.areContinuedBy('"a"', from(0))).toBe(false);
    expect(client.areContinuedBy('"a"', from(9))).toBe(false);
  });

  it('EX5 are forgotten after a day', () => {
    let now = 0;
    const client = wrongBytes(() => now)('one');
    client.note('"a"', SENT);
    now = DAY_MS - 1;
    expect(client.areContinuedBy('"a"', from(9))).toBe(true);
    now = DAY_MS;
    expect(client.areContinuedBy('"a"', from(9))).toBe(false);
  });
});
