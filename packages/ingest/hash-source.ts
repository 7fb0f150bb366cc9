import { startDigests, type RunningDigests } from '#content/digest/digests';
import { SourceError } from '#core/failure';
import type { Source } from '#core/source';

/** What a hub says of a small file. */
export interface HubBlob {
  readonly sizeBytes: number;
  /** Name git gives the blob. */
  readonly gitSha1: string;
}

/**
 * Reads a whole file through and hashes it; its bytes are kept nowhere.
 *
 * @returns SHA-256, once length and git name are what the hub says
 * @throws SourceError `interrupted` for a short answer, `digest-mismatch` for other bytes, and those of the source
 */
export async function hashSource(
  source: Source,
  { sizeBytes, gitSha1 }: HubBlob,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const running = startDigests(['sha256', 'git'], { sizeBytes });
  let seenBytes = 0;
  const write = (chunk: Uint8Array): void => {
    seenBytes += chunk.length;
    if (seenBytes > sizeBytes)
      throw new SourceError('size-mismatch', source.name, `sends more than the ${sizeBytes} bytes its file list says`);
    running.update(chunk);
    onBytes(chunk.length);
  };
  await source.read({ sizeBytes }, { head: () => undefined, write }, signal);
  if (seenBytes < sizeBytes)
    throw new SourceError('interrupted', source.name, `ended after ${seenBytes} of ${sizeBytes} bytes`);
  return checkedSha256(source, running, gitSha1);
}

function checkedSha256(source: Source, running: RunningDigests, gitSha1: string): string {
  const { sha256, git } = running.finish().digests;
  if (git !== gitSha1)
    throw new SourceError('digest-mismatch', source.name, `sends git blob ${git}, its file list says ${gitSha1}`);
  return sha256!;
}
