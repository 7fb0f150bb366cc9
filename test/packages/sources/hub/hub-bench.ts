import { afterEach } from '@jest/globals';
import { silentLogger } from '#core/logger';
import type { Source } from '#core/source';
import type { Http } from '#http/pool';
import { huggingface } from '#sources/hub/huggingface';
import type { SourceHealth } from '#sources/guards/source-health';
import { someBytes } from '../../../helpers/origin/origin-content.ts';
import type { Origin, OriginOptions } from '../../../helpers/origin/origin.ts';
import { startOrigin } from '../../../helpers/origin/origin.ts';
import { quickHttp } from '../collect.ts';

export const BIG = someBytes(200_000);
export const SMALL = Buffer.from('{"a":1}');
export const COMMIT = 'a'.repeat(40);

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

export interface Hub {
  readonly hub: Origin;
  readonly cdn: Origin;
  readonly http: Http;
  readonly source: Source;
}

/** A hub whose large files lie on a content host, and a source of one of them. */
export async function startHub(
  options: OriginOptions = {},
  { health, now = () => Date.UTC(2026, 0, 1) }: { health?: SourceHealth; now?: () => number } = {},
): Promise<Hub> {
  const repos = {
    'org/m': { commit: COMMIT, files: { 'big.bin': BIG, 'config.json': SMALL } },
    'org/gated': { commit: COMMIT, files: {}, gated: true },
  };
  const cdn = await startOrigin({ repos });
  const hub = await startOrigin({ repos }, [], { cdn: cdn.url, ...options });
  const http = quickHttp({ now });
  closers.push(
    () => hub.close(),
    () => cdn.close(),
    () => http.close(),
  );
  const file = {
    endpoint: hub.url,
    repo: 'org/m',
    repoType: 'model' as const,
    revision: 'main',
    path: 'big.bin',
  };
  const source = huggingface({ http, file, token: 'hf_secret', trusted: true, logger: silentLogger, health });
  return { hub, cdn, http, source };
}

/** Asks for some bytes of the large file. */
export const part = (start: number, end: number): { range: { start: number; end: number }; sizeBytes: number } => ({
  range: { start, end },
  sizeBytes: BIG.length,
});
