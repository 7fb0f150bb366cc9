import { TLSSocket } from 'node:tls';
import type { ServerResponse } from 'node:http';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { readContent } from './origin-content.ts';
import type { Plan } from './origin-plan.ts';

const SLICE_BYTES = 1024 * 1024;
const ENDLESS_SLICE = new Uint8Array(64 * 1024).fill(0x61);

/**
 * Carries out a plan.
 *
 * @param onBytes told each time bytes were handed to the socket
 * @param signal ends everything that waits, when the origin closes
 */
export async function sendPlan(
  plan: Plan,
  method: string,
  response: ServerResponse,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<void> {
  if (plan.hang) return;
  if (plan.delayMs > 0) await pause(plan.delayMs, undefined, { signal });
  writeHead(plan, response);
  if (method === 'HEAD' || plan.status === 204 || plan.status === 304) {
    response.end();
    return;
  }
  response.flushHeaders();
  await sendBody(plan, response, onBytes, signal);
}

function writeHead(plan: Plan, response: ServerResponse): void {
  const headers = { ...plan.headers };
  if (plan.framing !== 'length') delete headers['content-length'];
  if (plan.framing === 'close') {
    response.useChunkedEncodingByDefault = false;
    headers['connection'] = 'close';
  }
  response.writeHead(plan.status, headers);
}

async function sendBody(
  plan: Plan,
  response: ServerResponse,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const limit = plan.stop ? Math.min(plan.end, plan.start + plan.stop.afterBytes) : plan.end;
  let { hold } = plan;
  const pace = paced(plan.bytesPerSecond);
  for (let at = plan.start; at < limit;) {
    if (hold && at >= hold.fromByte) {
      await Promise.race([hold.until, once(response, 'close')]);
      hold = undefined;
    }
    const room = await pace(Math.min(SLICE_BYTES, limit - at, (hold?.fromByte ?? limit) - at), signal);
    if (response.destroyed) break;
    const slice = damaged(plan, readContent(plan.content, at, at + room), at);
    await writeSlice(response, slice, signal);
    onBytes(slice.byteLength);
    at += slice.byteLength;
  }
  while (plan.endless && !response.destroyed) {
    await writeSlice(response, ENDLESS_SLICE, signal);
    onBytes(ENDLESS_SLICE.byteLength);
  }
  endBody(plan, response);
}

async function writeSlice(response: ServerResponse, slice: Uint8Array, signal: AbortSignal): Promise<void> {
  if (response.write(slice) || response.destroyed) return;
  const closed = new AbortController();
  const onClose = (): void => closed.abort();
  response.once('close', onClose);
  try {
    await once(response, 'drain', { signal: AbortSignal.any([closed.signal, signal]) });
  } catch (error) {
    if (!closed.signal.aborted) throw error;
  } finally {
    response.off('close', onClose);
  }
}

function endBody(plan: Plan, response: ServerResponse): void {
  const { socket } = response;
  if (plan.stop?.how === 'stall') return;
  if (plan.stop?.how === 'cut' && socket) {
    socket.end();
    socket.destroySoon();
  } else if (plan.stop?.how === 'reset' && socket) {
    // Called once everything before it is with the kernel; `drain` only comes after a full buffer.
    socket.write('', () => (socket instanceof TLSSocket ? socket.destroy() : socket.resetAndDestroy()));
  } else response.end();
}

function damaged(plan: Plan, bytes: Uint8Array, at: number): Uint8Array {
  const end = at + bytes.byteLength;
  const flips = plan.flipAt.filter((position) => position >= at && position < end);
  const zeroes = plan.zeroFrom !== undefined && plan.zeroFrom < end;
  if (flips.length === 0 && !zeroes && !plan.otherBytes) return bytes;
  const copy = Uint8Array.from(bytes);
  if (plan.otherBytes) for (let i = 0; i < copy.length; i += 1) copy[i]! ^= 0x5a;
  for (const position of flips) copy[position - at]! ^= 1;
  if (zeroes) copy.fill(0, Math.max(0, plan.zeroFrom! - at));
  return copy;
}

/** @returns a function that waits until some bytes may go and says how many; unlimited without a rate. */
function paced(bytesPerSecond: number | undefined): (want: number, signal: AbortSignal) => Promise<number> {
  if (bytesPerSecond === undefined) return (want) => Promise.resolve(want);
  const startedAt = performance.now();
  let sent = 0;
  return async (want, signal) => {
    const most = Math.max(1, Math.floor(bytesPerSecond / 50));
    const count = Math.min(want, most);
    const dueAt = startedAt + ((sent + count) * 1000) / bytesPerSecond;
    const waitMs = dueAt - performance.now();
    if (waitMs > 1) await pause(waitMs, undefined, { signal });
    sent += count;
    return count;
  };
}
