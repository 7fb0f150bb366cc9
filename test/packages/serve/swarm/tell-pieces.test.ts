import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import type { Exchange } from '#serve/http/exchange';
import type { GrowingLeaves } from '#serve/swarm/growing-files';
import { tellPieces } from '#serve/swarm/tell-pieces';
import { UploadSlots } from '#serve/swarm/upload-slots';
import { dagOf } from '../../../helpers/swarm-kit.ts';
import { bytesOf } from '../../../helpers/transfer-kit.ts';

const { table } = dagOf(bytesOf(2 * MIB, 'told'));

/** A response whose client reads nothing. */
function unread() {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const errors: unknown[] = [];
  response.on('error', (error) => errors.push(error));
  return { response, errors };
}

const anyReader = { takenBytes: () => 0, isAwaited: () => false, breakOff: () => undefined };

function told(response: ServerResponse, isOffered: () => boolean, isDone: () => boolean = () => false) {
  const listeners = new Set<() => void>();
  const onMore = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const file = { table, isDone, onMore } as unknown as GrowingLeaves;
  const slots = new UploadSlots();
  const { signal: stopping } = new AbortController();
  tellPieces({ response, stopping } as Exchange, { file, slots, everyMs: 50, isOffered, headers: {} });
  return { listeners, slots };
}

describe('what a host tells of its pieces', () => {
  it('L06 ends once for a client that does not read, and nothing is written after the end', async () => {
    const { response, errors } = unread();
    let isOffered = true;
    const { listeners, slots } = told(response, () => isOffered);
    isOffered = false;
    for (const listener of listeners) listener();
    const free = await slots.take(anyReader, new AbortController().signal);
    // Longer than lines are repeated.
    await pause(1200);
    expect([response.writableEnded, listeners.size, errors]).toEqual([true, 0, []]);
    free?.();
  });

  it('L06 is not begun for a client that has left', () => {
    const { response } = unread();
    response.destroy();
    expect(told(response, () => true).listeners.size).toBe(0);
  });

  it('tells a change of its load; nothing for one that is over by then, and for a block that completes no piece', async () => {
    const { response } = unread();
    const lines: string[] = [];
    response.write = ((line: string) => (lines.push(line.trim()), true)) as ServerResponse['write'];
    const { slots, listeners } = told(response, () => true);
    const none = lines.splice(0)[0]!.split(' ')[0]!;
    const { signal } = new AbortController();
    const brief = await slots.take(anyReader, signal);
    brief?.();
    await pause(120);
    expect(lines.splice(0)).toEqual([]);
    const first = await slots.take(anyReader, signal);
    await pause(120);
    expect(lines.splice(0)).toEqual([`${none} 1`]);
    first?.();
    await pause(120);
    expect(lines.splice(0)).toEqual([`${none} 0`]);
    for (const listener of listeners) listener();
    await pause(120);
    expect(lines).toEqual([]);
    response.emit('close');
  });

  it('tells a new piece and a new load in one line', async () => {
    const { response } = unread();
    const lines: string[] = [];
    response.write = ((line: string) => (lines.push(line.trim()), true)) as ServerResponse['write'];
    let isComplete = false;
    const { slots, listeners } = told(
      response,
      () => true,
      () => isComplete,
    );
    lines.splice(0);
    await slots.take(anyReader, new AbortController().signal);
    isComplete = true;
    for (const listener of listeners) listener();
    await pause(120);
    expect([lines, response.writableEnded]).toEqual([['all 1'], true]);
  });
});
