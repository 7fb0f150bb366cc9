import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { sha256Of, someBytes } from '../../helpers/origin/origin-content.ts';
import { startOrigin } from '../../helpers/origin/origin.ts';

const PROGRAM = fileURLToPath(new URL('use-library.mjs', import.meta.url));

it('IN3 is a library: haulier/fetch fetches, proves, reports progress, stops on its signal and names its failures in another program', async () => {
  const bytes = someBytes(2_000_000, 'library');
  const home = await mkdtemp(join(tmpdir(), 'haulier-library-'));
  const origin = await startOrigin({ files: { x: bytes } });
  try {
    const env = { FROM: `${origin.url}/files/x`, TO: join(home, 'x'), SHA256: sha256Of(bytes) };
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM], { env });
    const report = JSON.parse(stdout) as { seen: number[] };
    expect(report).toMatchObject({ path: env.TO, sizeBytes: bytes.length, sha256: env.SHA256, verified: true });
    expect(report.seen.at(-1)).toBe(bytes.length);
    expect(report).toMatchObject({
      stopped: 'enough',
      failure: [{ kind: 'missing', message: 'answered 404', count: 1 }],
    });
  } finally {
    await origin.close();
    await rm(home, { recursive: true, force: true });
  }
});
