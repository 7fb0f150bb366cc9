import { createHash } from 'node:crypto';
import type { Manifest, ManifestInput } from '#contracts/manifest';
import type { Database } from '#database/sql/connect';

/** How many hosts want how many files each. */
export interface FleetSize {
  readonly hosts: number;
  readonly files: number;
}

export const modelOf = ({ hosts, files }: FleetSize): string => `fleet-${hosts}-${files}`;

/** A manifest of a hub's repository; the files are never fetched. */
export const manifestOf = (size: FleetSize): ManifestInput & Pick<Manifest, 'name' | 'version'> => ({
  name: modelOf(size),
  version: '1',
  files: Array.from({ length: size.files }, (_, index) => ({
    path: `weights/model-${String(index + 1).padStart(5, '0')}.safetensors`,
    sizeBytes: 1_000_000_000 + index,
    sha256: createHash('sha256').update(`file ${index}`).digest('hex'),
  })),
  sources: [{ kind: 'huggingface', repo: 'onnx-community/whisper-base', revision: 'main' }],
});

/** Names that no other run uses, as when a fleet gets its first model. */
export const hostsOf = (count: number, run: string): string[] =>
  Array.from({ length: count }, (_, index) => `host-${run}-${String(index + 1).padStart(5, '0')}`);

/** Hosts that were heard of, so that a request may name them. */
export async function enterHosts({ pool }: Database, hosts: readonly string[]): Promise<void> {
  const sql = `INSERT INTO hosts (name, first_seen_at, last_seen_at) SELECT unnest($1::text[]), now(), now()
    ON CONFLICT DO NOTHING`;
  await pool.query(sql, [hosts]);
}
