import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient, type ApiClient } from '#client/client';
import { freePort } from '#os/port';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import type { StackWorker } from '../../stack/start-stack.ts';
import type { DemoFile } from '../demo-file.ts';
import { eventually } from '../eventually.ts';
import { makeDemoFiles, prepareGround, sourcesAt, type DemoServers } from '../ground.ts';
import type { DemoOrigin } from '../origin.ts';
import { DEMO_COMMIT, DEMO_REPO } from '../stage.ts';

const HOSTS = 8;
/** Of the link of the origin. */
export const ORIGIN_BYTES_PER_SECOND = 4_000_000;

const WEIGHTS = { path: 'onnx/model.bin', sizeBytes: 48_000_000, seed: 'haulier-swarm-48mb' };

/** The parts of the swarm demo. */
export interface SwarmStage {
  readonly client: ApiClient;
  readonly origin: DemoOrigin;
  readonly model: string;
  readonly file: DemoFile;
  readonly hosts: readonly SwarmDemoHost[];
  /** Folder of the demo. */
  readonly home: string;
  readonly context: CommandContext;
  readonly report: (step: string) => void;
}

export interface SwarmDemoHost {
  readonly name: string;
  /** Of its server. */
  readonly url: string;
}

/**
 * Starts an origin with a slow link, the stack and eight empty hosts, and publishes a model of one file. The workers stay in the process
 * group of this process.
 *
 * @param stops receives a function for each part that was started, also when this fails
 */
export async function prepareSwarm(
  context: CommandContext,
  stops: (() => Promise<void>)[],
  servers?: DemoServers,
): Promise<SwarmStage> {
  const options = { servers, originBytesPerSecond: ORIGIN_BYTES_PER_SECOND };
  const ground = await prepareGround(context, 'demo-swarm', stops, options);
  const { home, run, origin, token, report } = ground;
  await rm(join(home, 'hosts'), { recursive: true, force: true });
  const [file] = await makeDemoFiles(join(home, 'origin'), [WEIGHTS]);
  origin.publish(DEMO_COMMIT, [file!]);
  const ports = await Promise.all(Array.from({ length: HOSTS }, () => freePort()));
  const hosts = ports.map((port, index) => ({
    ...{ name: `swarm-${run}-${index + 1}`, url: `http://127.0.0.1:${port}`, port },
    home: join(home, 'hosts', String(index + 1)),
  }));
  const workers = hosts.map((host, index): StackWorker => {
    const serves = { HAULIER_SERVE_PORT: String(host.port), HAULIER_LABELS: `demo=${run}`, HAULIER_REPORT_EVERY: '4s' };
    const env = { ...sourcesAt(origin), ...serves, HAULIER_HOME: host.home, HAULIER_HOST: host.name };
    return { name: `worker-${index + 1}`, env, sharesGroup: true };
  });
  const stack = await ground.startStack(workers);
  const client = createClient({ baseUrl: stack.apiUrl, token });
  const model = `swarm-${run}`;
  await client.publishVersion({
    ...{ name: model, version: '1.0', type: 'demo' },
    files: [{ path: file!.path, sizeBytes: file!.sizeBytes, sha256: file!.sha256, cid: file!.cid }],
    sources: [{ kind: 'huggingface', repo: DEMO_REPO, revision: DEMO_COMMIT }],
  });
  const stage = { context: ground.context, report };
  const ended = stack.failed.then(async (process): Promise<never> => {
    throw new CliError(EXIT.failed, `the ${process.name} ended by itself; its log says:\n${await process.logTail()}`);
  });
  const reported = async () => (await client.listHosts(`demo=${run}`)).length === HOSTS;
  await Promise.race([eventually(stage, `${HOSTS} hosts to report`, reported), ended]);
  return { ...stage, client, origin, model, file: file!, hosts, home };
}
