/**
 * Loaded into a worker by `--import`: its answers to other hosts are wrong. It fetches, proves and announces as any other.
 *
 * `BENCH_ANSWERS=poison` changes a byte of every part of a file that it sends; `drip` sends them with 2 KiB/s, in small parts, so
 * that no connection ever looks dead.
 */
import { ServerResponse } from 'node:http';

const DRIP_BYTES = 512;
const DRIP_EVERY_MS = 250;

type Told = (error?: Error | null) => void;

const isDrip = process.env['BENCH_ANSWERS'] === 'drip';
const isOfPeers = ({ req }: ServerResponse): boolean => /^\/swarm\/[^/]+$/.test(req.url ?? '');
const { write } = ServerResponse.prototype;

function poisoned(bytes: Uint8Array): Buffer {
  const other = Buffer.from(bytes);
  if (other.length > 0) other[other.length >> 1]! ^= 1;
  return other;
}

/** @param told called when all bytes were passed on, or the client is gone */
function drip(response: ServerResponse, bytes: Buffer, told: Told): void {
  let at = 0;
  const timer = setInterval(() => {
    const part = bytes.subarray(at, at + DRIP_BYTES);
    at += part.length;
    const isOver = response.destroyed || at >= bytes.length;
    if (!response.destroyed) Reflect.apply(write, response, [part]);
    if (!isOver) return;
    clearInterval(timer);
    told(response.destroyed ? new Error('the client is gone') : null);
  }, DRIP_EVERY_MS);
}

ServerResponse.prototype.write = function (this: ServerResponse, bytes: Uint8Array, ...rest: unknown[]): boolean {
  if (!isOfPeers(this)) return Reflect.apply(write, this, [bytes, ...rest]) as boolean;
  if (!isDrip) return Reflect.apply(write, this, [poisoned(bytes), ...rest]) as boolean;
  const told = rest.find((one): one is Told => typeof one === 'function');
  // The caller may use its buffer again.
  drip(this, Buffer.from(bytes), told ?? (() => undefined));
  return false;
};
