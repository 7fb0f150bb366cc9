import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DownloadStatus } from '#core/download-status';
import { MIB } from '#core/units';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { hold } from '../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin, type RecordedRequest } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, sha256OfFile, type SampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';
import { blobsOf, partialsOf } from './store-contents.ts';
import { expectWithin } from '../helpers/within.ts';

/** Sent by the origin and not yet a proven leaf when the worker stops. */
const IN_FLIGHT_BYTES = 8 * MIB;
const FINAL: readonly DownloadStatus[] = ['success', 'failed', 'cancelled'];

describe('commands during a transfer', () => {
  const files = ['early', 'half', 'end', 'done', 'paused', 'stopped'].map((name) =>
    sampleFile(`${name}.bin`, 32 * MIB, name),
  );
  const named = (name: string): SampleFile => files.find(({ path }) => path === `${name}.bin`)!;
  const dag = makeBlocks(wholeContent(named('stopped').content), { profile: 'unixfs-v1-2025' });
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    const { content } = named('stopped');
    const served = { ...hubOf(files), ipfs: { [dag.cid]: content }, blocks: dag.blocks };
    origin = await startOrigin(served, [], { bytesPerSecond: 24 * MIB });
    system = await startSystem({ origin });
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  const isSuccess = ({ status }: { status: DownloadStatus }): boolean => status === 'success';
  const bytesOf = (matches: (request: RecordedRequest) => boolean): number =>
    origin.requests.filter(matches).reduce((sum, { bytesSent }) => sum + bytesSent, 0);
  const sentOf = (file: SampleFile, matches: (request: RecordedRequest) => boolean = () => true): number =>
    bytesOf((request) => request.path.includes(file.path) && matches(request));
  const untilSent = (file: SampleFile, bytes: number) =>
    until(() => sentOf(file) >= bytes, { what: `${bytes} bytes of ${file.path} are sent` });

  /** Keeps a file from being complete while a command is on its way. */
  const holdBack = (path: string, fromByte: number): unknown =>
    origin.rules.push({ path, fault: hold(fromByte).fault });

  async function order(file: SampleFile): Promise<string> {
    const name = file.path.replace('.bin', '');
    await system.client.publishVersion(sampleManifest(name, [file]));
    return (await system.client.createDownloads({ model: name, host: 'host-a' })).downloads[0]!.id;
  }

  /** Nothing of it is on the disk, nothing more is sent, and asked for again it comes whole. */
  async function expectCancelled(id: string, file: SampleFile): Promise<void> {
    expect((await system.client.getDownload(id)).status).toBe('cancelled');
    const home = system.homeOf('host-a');
    await until(async () => (await partialsOf(home)).length === 0, { what: 'the partial is removed' });
    expect(await blobsOf(home)).not.toContain(file.sha256);
    // Of a request that was broken off, the origin may still be sending.
    const earlier = new Set(origin.requests);
    await system.client.resumeDownload(id);
    const done = await system.awaitDownload(id, isSuccess);
    expect(await sha256OfFile(done.path!)).toBe(file.sha256);
    expect(sentOf(file, (request) => !earlier.has(request))).toBe(file.content.size);
  }

  describe('and cancels', () => {
    it('H11 RE11 before the first byte', async () => {
      const id = await order(named('early'));
      await system.client.cancelDownload(id);
      await expectCancelled(id, named('early'));
    });

    it('H11 RE11 half-way', async () => {
      const file = named('half');
      holdBack(file.path, 16 * MIB);
      const id = await order(file);
      await untilSent(file, 16 * MIB);
      await system.client.cancelDownload(id);
      origin.rules.pop();
      await expectCancelled(id, file);
    });

    it('H11 while the whole file is verified and published: it is cancelled or there, never something between', async () => {
      const file = named('end');
      const id = await order(file);
      await untilSent(file, file.content.size);
      const refused = await system.client.cancelDownload(id).catch((error: unknown) => error);
      const { status } = await system.awaitDownload(id, (download) => FINAL.includes(download.status));
      expect(status).toBe(refused instanceof Error ? 'success' : 'cancelled');
      await until(async () => (await partialsOf(system.homeOf('host-a'))).length === 0, { what: 'no partial is left' });
      if (status === 'cancelled') await system.client.resumeDownload(id);
      const done = await system.awaitDownload(id, isSuccess);
      expect(await sha256OfFile(done.path!)).toBe(file.sha256);
    });

    it('H11 after it is published: refused, with the reason', async () => {
      const id = await order(named('done'));
      await system.awaitDownload(id, isSuccess);
      await expect(system.client.cancelDownload(id)).rejects.toMatchObject({
        status: 409,
        problem: { code: 'illegal-move', detail: expect.stringContaining('the file is there') },
      });
    });
  });

  it('H13 pauses and resumes ten times, and no verified byte comes twice', async () => {
    const file = named('paused');
    holdBack(file.path, 3 * MIB);
    const id = await order(file);
    let verified = 0;
    let earlier = new Set<RecordedRequest>();
    const sentNow = (): number => sentOf(file, (request) => !earlier.has(request));
    for (let round = 1; round <= 10; round += 1) {
      const heldFrom = 3 * round * MIB;
      await until(() => sentNow() > 1.5 * MIB, { what: `round ${round} moves` });
      await system.client.pauseDownload(id);
      const paused = await system.awaitDownload(id, ({ status }) => status === 'paused');
      // The last report of the worker may come later: that much is verified at least.
      expect(paused.bytes).toBeGreaterThanOrEqual(verified);
      expect(sentNow()).toBeLessThanOrEqual(heldFrom - verified);
      verified = paused.bytes;
      earlier = new Set(origin.requests);
      origin.rules.pop();
      if (round < 10) holdBack(file.path, heldFrom + 3 * MIB);
      await system.client.resumeDownload(id);
    }
    const done = await system.awaitDownload(id, isSuccess);
    expect(await sha256OfFile(done.path!)).toBe(file.sha256);
    expect(sentNow()).toBeLessThanOrEqual(file.content.size - verified);
  });

  it('H03 ends at the second SIGTERM at once, and what was verified stays', async () => {
    const { content, path, sha256 } = named('stopped');
    const file = { path, sizeBytes: content.size, sha256, cid: dag.cid };
    const heldFrom = 24 * MIB;
    holdBack(dag.cid, heldFrom);
    const { id } = (await system.client.createDownloads({ files: [file], host: 'host-a' })).downloads[0]!;
    const sent = (): number => bytesOf(({ path: asked }) => asked.includes(dag.cid));
    await system.awaitDownload(id, ({ bytes }) => bytes >= heldFrom - IN_FLIGHT_BYTES);
    const [worker] = system.workers;
    process.kill(worker!.pid, 'SIGTERM');
    // Two equal signals at once would be one to the kernel; the worker takes both kinds alike.
    process.kill(worker!.pid, 'SIGINT');
    expect(await expectWithin(500, () => worker!.ended)).toEqual({ code: 1, signal: null });
    expect(sent()).toBeLessThan(content.size);

    origin.rules.pop();
    await system.startWorker('host-a');
    const done = await system.awaitDownload(id, isSuccess);
    expect(await sha256OfFile(done.path!)).toBe(sha256);
    expect(sent() - content.size).toBeLessThanOrEqual(IN_FLIGHT_BYTES);
  });
});
