import type { CheckVersionJob } from '#contracts/worker/check-version-job';
import type { VersionChecked } from '#contracts/worker/worker-events';
import { canonicalCid } from '#content/cid/canonical-cid';
import { messageOf } from '#core/error-facts';
import { SECOND_MS } from '#core/units';
import type { Http } from '#http/pool';
import { parseGateway } from '#sources/gateway/gateways';
import { keepingPauses } from '#sources/guards/keeping-pauses';
import type { SourceHealth } from '#sources/guards/source-health';
import { hubApi, hubCommit } from '#sources/hub/hub-api';
import { resolveIpns } from '#sources/gateway/ipns';
import type { z } from 'zod';
import type { WorkerConfig } from '../config.ts';

export type Answer = z.infer<typeof VersionChecked>;

export interface CheckDeps {
  readonly config: Pick<WorkerConfig, 'huggingFace' | 'ipfsGateways' | 'gatewayData'>;
  readonly http: Http;
  /** Pauses that servers asked for. */
  readonly health: SourceHealth;
}

/** Longest wait for one origin. */
const TIMEOUT_MS = 30 * SECOND_MS;

/**
 * Asks each origin of a model once for its newest version. A failure is an answer too; no file is fetched.
 *
 * @throws the signal's reason
 */
export async function checkVersion(job: CheckVersionJob, deps: CheckDeps, signal: AbortSignal): Promise<Answer[]> {
  const { huggingface, ipfs } = job.origin;
  const answers: Answer[] = [];
  if (huggingface !== undefined)
    answers.push(
      await answerOf(job, 'huggingface', signal, huggingface.commit, (limit) => askHub(huggingface, deps, limit)),
    );
  if (ipfs !== undefined) {
    const known = ipfs.cid === undefined ? undefined : canonicalCid(ipfs.cid);
    answers.push(await answerOf(job, 'ipfs', signal, known, (limit) => askGateways(ipfs.name, deps, limit)));
  }
  return answers;
}

/** Without the commit or CID of the current version there is nothing to compare. */
async function answerOf(
  { model, current }: CheckVersionJob,
  source: Answer['source'],
  signal: AbortSignal,
  known: string | undefined,
  ask: (signal: AbortSignal) => Promise<string>,
): Promise<Answer> {
  const base = { type: 'version.checked', model, current, source } as const;
  try {
    const available = await ask(AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
    return { ...base, at: Date.now(), available, newer: known !== undefined && available !== known, error: null };
  } catch (error) {
    signal.throwIfAborted();
    const message = messageOf(error);
    return { ...base, at: Date.now(), available: null, newer: false, error: message.slice(0, 1000) };
  }
}

function askHub(
  { repo, repoType = 'model', revision }: NonNullable<CheckVersionJob['origin']['huggingface']>,
  { config, http, health }: CheckDeps,
  signal: AbortSignal,
): Promise<string> {
  const { endpoint, token } = config.huggingFace;
  const at = { http, endpoint, repo, repoType, revision, token, trusted: true };
  return keepingPauses(health, hubApi(endpoint), () => hubCommit(at, signal));
}

/** The first gateway that answers; they are all asked for the same name. */
async function askGateways(name: string, { config, http, health }: CheckDeps, signal: AbortSignal): Promise<string> {
  const failures: string[] = [];
  for (const text of config.ipfsGateways) {
    try {
      const gateway = parseGateway(text, config.gatewayData);
      const { host, origin } = new URL(gateway.baseUrl);
      return await keepingPauses(health, { origin, name: host }, () => resolveIpns(http, gateway, name, signal));
    } catch (error) {
      signal.throwIfAborted();
      failures.push(messageOf(error));
    }
  }
  throw new Error(failures.length === 0 ? 'no gateway is configured' : failures.join('; '));
}
