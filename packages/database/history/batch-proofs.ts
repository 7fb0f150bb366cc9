import type pg from 'pg';
import type { EventBatch } from '#contracts/worker/worker-events';
import { hostKey } from '#core/text/host-name';
import { withSequence, type BootSequences } from '../access/boot-sequences.ts';
import type { RefusedBatch } from '../access/refused-events.ts';
import type { EventPlan } from './event-waves.ts';

/** What is known of a batch whose signature was found right. */
export interface BatchProof {
  /** Its host may run jobs of the pool and checks of versions. */
  readonly mayPool: boolean;
  /** The entry was read before, so a repeat is no news. */
  readonly isReadAgain: boolean;
}

/** By batch; a batch without one comes from a host that never enrolled. */
export type BatchProofs = ReadonlyMap<EventBatch, BatchProof>;

interface KeyState {
  readonly host: string;
  readonly boots: readonly BootSequences[];
  readonly isRevoked: boolean;
}

/**
 * Leaves out signed batches that were applied before, and notes the others as applied. The rows of their keys stay locked, so
 * that of two recorders with the same batch one sees it as a repeat.
 */
export async function dropRepeats(
  client: pg.PoolClient,
  batches: readonly EventBatch[],
  proofs: BatchProofs,
): Promise<{ fresh: readonly EventBatch[]; refused: readonly RefusedBatch[] }> {
  if (proofs.size === 0) return { fresh: batches, refused: [] };
  const keys = await lockKeys(client, [...new Set([...proofs.keys()].map(({ host }) => hostKey(host!)))]);
  const changed = new Map<string, readonly BootSequences[]>();
  const refused: RefusedBatch[] = [];
  const fresh = batches.filter((batch) => {
    const proof = proofs.get(batch);
    if (proof === undefined) return true;
    const host = hostKey(batch.host!);
    const key = keys.get(host);
    if (key === undefined || key.isRevoked) {
      refused.push(refusal(batch, 'revoked', 'its key was revoked a moment ago'));
      return false;
    }
    const next = withSequence(changed.get(host) ?? key.boots, batch.boot!, batch.sequence);
    if (next !== undefined) changed.set(host, next);
    else if (!proof.isReadAgain)
      refused.push(refusal(batch, 'replayed', `boot ${batch.boot}, sequence ${batch.sequence}`));
    return next !== undefined;
  });
  await storeBoots(client, changed);
  return { fresh, refused };
}

async function lockKeys(client: pg.PoolClient, hosts: readonly string[]): Promise<Map<string, KeyState>> {
  const sql = `SELECT k.host, k.boots, k.revoked_at IS NOT NULL AS "isRevoked" FROM host_keys k
    WHERE k.host = ANY($1::text[]) ORDER BY k.host FOR NO KEY UPDATE`;
  return new Map((await client.query<KeyState>(sql, [hosts])).rows.map((row) => [row.host, row]));
}

async function storeBoots(client: pg.PoolClient, boots: ReadonlyMap<string, readonly BootSequences[]>): Promise<void> {
  if (boots.size === 0) return;
  const sql = `UPDATE host_keys k SET boots = e.boots FROM jsonb_to_recordset($1::jsonb) AS e (host text, boots jsonb)
    WHERE k.host = e.host`;
  await client.query(sql, [JSON.stringify([...boots].map(([host, one]) => ({ host, boots: one })))]);
}

/**
 * Leaves out what a signed host says about downloads of other hosts, and, unless it may serve the pool, about downloads of the
 * pool and versions of models.
 *
 * @param hostOf the host of each download that is known; null for the pool
 */
export function dropForeign(
  plan: EventPlan,
  batches: readonly EventBatch[],
  proofs: BatchProofs,
  hostOf: ReadonlyMap<string, string | null>,
): { plan: EventPlan; refused: readonly RefusedBatch[]; events: number } {
  const signed = new Map(
    batches.flatMap((batch) => {
      const proof = proofs.get(batch);
      return proof === undefined ? [] : [[hostKey(batch.host!), proof] as const];
    }),
  );
  if (signed.size === 0) return { plan, refused: [], events: 0 };
  const found = new Map<string, { events: number; detail: string }>();
  const isOwn = (host: string | null, of: string | null | undefined, detail: string): boolean => {
    const proof = host === null ? undefined : signed.get(host);
    if (proof === undefined || of === undefined || of === host || (of === null && proof.mayPool)) return true;
    found.set(host!, { events: (found.get(host!)?.events ?? 0) + 1, detail });
    return false;
  };
  const ofOwn = ({ host, downloadId }: { readonly host: string | null; readonly downloadId: string }): boolean =>
    isOwn(host, hostOf.get(downloadId), `download ${downloadId}`);
  const own: EventPlan = {
    ...plan,
    waves: plan.waves.map((wave) => wave.filter(ofOwn)).filter((wave) => wave.length > 0),
    tries: plan.tries.filter(ofOwn),
    checks: plan.checks.filter(({ host, model }) => isOwn(host, null, `a check of ${model}`)),
  };
  const refused = [...found].map(([host, { events, detail }]) => ({
    host,
    reason: 'foreign' as const,
    events,
    detail,
  }));
  return { plan: own, refused, events: refused.reduce((sum, { events }) => sum + events, 0) };
}

export const refusal = (batch: EventBatch, reason: RefusedBatch['reason'], detail: string): RefusedBatch => ({
  host: batch.host === null ? '' : hostKey(batch.host),
  reason,
  events: batch.events.length,
  detail,
});
