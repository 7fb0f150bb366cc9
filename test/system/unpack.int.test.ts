import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { someBytes } from '../helpers/origin/origin-content.ts';
import { startSystem, type System } from '../helpers/system.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('a compressed file with declared contents', () => {
  const plain = someBytes(3_000_000, 'vocabulary');
  const archive = gzipSync(plain);
  let origin: Origin;
  let system: System;

  beforeEach(async () => {
    const files = { 'vocab.bin.gz': archive };
    origin = await startOrigin({ repos: { 'acme/sample': { commit: 'c'.repeat(40), files } } });
    system = await startSystem({ origin });
  });

  afterEach(async () => {
    await system.stop();
    await origin.close();
  });

  const ask = async (declared: Uint8Array) => {
    await system.client.publishVersion({
      name: 'packed',
      version: '1',
      files: [
        {
          path: 'vocab.bin.gz',
          sizeBytes: archive.length,
          sha256: sha256(archive),
          unpack: {
            as: 'gzip',
            files: [{ path: 'vocab.bin', sizeBytes: declared.length, sha256: sha256(declared) }],
          },
        },
      ],
      sources: [{ kind: 'huggingface', repo: 'acme/sample', revision: 'main' }],
    });
    const { downloads } = await system.client.createDownloads({ model: 'packed', host: 'host-a' });
    return downloads[0]!.id;
  };

  it('EX4 is verified as it came and appears decompressed beside it', async () => {
    const done = await system.awaitDownload(await ask(plain), ({ status }) => status === 'success');
    expect(sha256(await readFile(done.path!))).toBe(sha256(archive));
    const unpacked = join(system.homeOf('host-a'), 'models', 'packed', 'vocab.bin');
    expect(sha256(await readFile(unpacked))).toBe(sha256(plain));
  });

  it('EX4 fails by name when the content is not what was declared, and shows nothing of it', async () => {
    const id = await ask(someBytes(3_000_000, 'something else'));
    const ended = await system.awaitDownload(id, ({ status }) => status === 'failed');
    expect(ended.error).toContain('vocab.bin');
    await expect(readFile(join(system.homeOf('host-a'), 'models', 'packed', 'vocab.bin'))).rejects.toThrow('ENOENT');
  });
});
