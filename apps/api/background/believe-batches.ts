import { keysOfHosts } from '#database/access/host-keys';
import type { HostKeyRow } from '#database/access/host-keys';
import type { RefusedBatch } from '#database/access/refused-events';
import { refusal, type BatchProof, type BatchProofs } from '#database/history/batch-proofs';
import type { Database } from '#database/sql/connect';
import type { EventBatch } from '#contracts/worker/worker-events';
import { hostKey } from '#core/text/host-name';
import { isSignedBy } from '#queue/events/batch-signature';
import type { ReceivedBatch } from '#queue/events/event-stream';

export interface BelievedBatches {
  readonly batches: readonly EventBatch[];
  /** Of those that are signed. */
  readonly proofs: BatchProofs;
  readonly refused: readonly RefusedBatch[];
}

/** The keys of those hosts that ever enrolled. */
export type HostKeys = ReadonlyMap<string, HostKeyRow>;

/** @throws Error while Postgres is down */
export async function keysOfBatches(database: Database, received: readonly ReceivedBatch[]): Promise<HostKeys> {
  const hosts = new Set(received.flatMap(({ batch }) => (batch.host === null ? [] : [hostKey(batch.host)])));
  return keysOfHosts(database, [...hosts]);
}

/**
 * Decides which batches come from the host that they name. A batch of a host that ever enrolled needs the signature of its key; one of another
 * host, or of the pool, is believed unless enrolment is required.
 *
 * @param keys of all hosts of the batches
 */
export function believeBatches(
  received: readonly ReceivedBatch[],
  keys: HostKeys,
  enrolment: 'optional' | 'required',
): BelievedBatches {
  const batches: EventBatch[] = [];
  const proofs = new Map<EventBatch, BatchProof>();
  const refused: RefusedBatch[] = [];
  for (const one of received) {
    const { batch } = one;
    const key = batch.host === null ? undefined : keys.get(hostKey(batch.host));
    const found = key === undefined ? withoutKey(batch, enrolment) : judge(one, key);
    if (found !== undefined) refused.push(found);
    else batches.push(batch);
    if (found === undefined && key !== undefined)
      proofs.set(batch, { mayPool: key.mayPool, isReadAgain: one.isReadAgain });
  }
  return { batches, proofs, refused };
}

function withoutKey(batch: EventBatch, enrolment: 'optional' | 'required'): RefusedBatch | undefined {
  if (enrolment === 'optional') return undefined;
  const who = batch.host === null ? 'a worker of the pool without a host name' : 'its host';
  return refusal(batch, 'unsigned', `${who} is not enrolled and HAULIER_ENROLMENT is required`);
}

function judge({ batch, text, signature }: ReceivedBatch, key: HostKeyRow): RefusedBatch | undefined {
  if (key.revokedAt !== null)
    return refusal(batch, 'revoked', `the host was revoked at ${key.revokedAt.toISOString()}`);
  if (signature === undefined || batch.boot === undefined)
    return refusal(batch, 'unsigned', 'the host is enrolled and the batch has no signature');
  if (!isSignedBy(key.publicKey, text, signature))
    return refusal(batch, 'forged', 'the signature is not of the key that the host enrolled with');
  return undefined;
}
