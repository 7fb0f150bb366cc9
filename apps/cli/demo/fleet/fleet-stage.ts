import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient, type ApiClient } from '#client/client';
import type { ManifestInput } from '#contracts/manifest';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import type { NodeProcess } from '../../stack/node-process.ts';
import type { Stack, StackWorker } from '../../stack/start-stack.ts';
import type { DemoFile } from '../demo-file.ts';
import { eventually } from '../eventually.ts';
import { makeDemoFiles, prepareGround, sourcesAt, type DemoFileSpec, type DemoServers } from '../ground.ts';
import type { DemoOrigin } from '../origin.ts';
import { DEMO_REPO } from '../stage.ts';
import { mountSmallDisk } from './small-disk.ts';

const HOSTS = 12;
const CANARIES = 2;
const SITES = ['eu-1', 'eu-2', 'us-1'];
/** The host that goes away, and the one whose disk is small: the last that waves take. */
const LEAVING = HOSTS - 2;
const SMALL = HOSTS - 1;

/** Holds one version of the model and not a second one. */
const SMALL_DISK_BYTES = 44_000_000;

const REPORT_EVERY = '4s';
const OFFLINE_AFTER = '15s';

/** A version of the fleet's model. */
export interface FleetVersion {
  readonly version: string;
  /** Commit in the demo's repository. */
  readonly commit: string;
  /** The largest first. */
  readonly files: readonly DemoFile[];
}

export interface FleetHost {
  readonly name: string;
  readonly home: string;
}

/** The parts of the fleet demo that its scenes use. */
export interface FleetStage {
  readonly client: ApiClient;
  readonly apiUrl: string;
  readonly origin: DemoOrigin;
  readonly model: string;
  readonly versions: readonly [FleetVersion, FleetVersion];
  readonly hosts: readonly FleetHost[];
  /** Selector of the hosts. */
  readonly selector: string;
  /** The host that leaves and returns. */
  readonly leaving: { readonly host: FleetHost; stop(): Promise<void>; start(): Promise<void> };
  /** The host with the small disk, or why there is none. */
  readonly small: FleetHost | { readonly missing: string };
  readonly context: CommandContext;
  readonly report: (step: string) => void;
}

const filesOf = (version: string): DemoFileSpec[] => [
  { path: 'onnx/decoder.bin', sizeBytes: 24_000_000, seed: `haulier-fleet-${version}-24mb` },
  { path: 'onnx/encoder.bin', sizeBytes: 4_000_000, seed: `haulier-fleet-${version}-4mb` },
  { path: 'config.bin', sizeBytes: 3_000, seed: `haulier-fleet-${version}-3kb` },
];

/**
 * Starts an origin, the stack and a fleet of empty hosts, and publishes two versions of a model. The workers stay in the process group of
 * this process.
 *
 * @param stops receives a function for each part that was started, also when this fails
 */
export async function prepareFleet(
  context: CommandContext,
  stops: (() => Promise<void>)[],
  servers?: DemoServers,
): Promise<FleetStage> {
  const ground = await prepareGround(context, 'demo-fleet', stops, { servers });
  const { home, run, origin, token, report } = ground;
  const hosts = Array.from({ length: HOSTS }, (_, index): FleetHost => {
    const number = String(index + 1).padStart(2, '0');
    return { name: `fleet-${run}-${number}`, home: join(home, 'hosts', number) };
  });
  const small = await makeHomes(home, hosts[SMALL]!, stops);
  const versions = await makeVersions(home);
  const workers = hosts.map((host, index) => workerOf(host, index, run, origin));
  const stack = await ground.startStack(workers, { HAULIER_HOST_OFFLINE_AFTER: OFFLINE_AFTER });
  const client = createClient({ baseUrl: stack.apiUrl, token });
  const model = `fleet-${run}`;
  for (const version of versions) await client.publishVersion(manifestOf(model, version));
  const selector = `demo=${run}`;
  const stage = { context: ground.context, report };
  await Promise.race([allReport(stage, client, selector), refuseEnded(stack)]);
  let away: NodeProcess = stack.workers[LEAVING]!;
  const leaving = {
    host: hosts[LEAVING]!,
    stop: () => away.stop(),
    start: async () => void (away = await stack.startWorker(workers[LEAVING]!)),
  };
  return { ...stage, client, apiUrl: stack.apiUrl, origin, model, versions, hosts, selector, leaving, small };
}

/** @returns the host with a small disk, once it has one */
async function makeHomes(home: string, host: FleetHost, stops: (() => Promise<void>)[]): Promise<FleetStage['small']> {
  // Mounted twice, so that the disk of a run that was killed is gone before its folder is removed.
  const left = await mountSmallDisk(host.home, SMALL_DISK_BYTES);
  if ('unmount' in left) await left.unmount();
  await rm(join(home, 'hosts'), { recursive: true, force: true });
  const disk = await mountSmallDisk(host.home, SMALL_DISK_BYTES);
  if ('missing' in disk) return disk;
  stops.push(() => disk.unmount());
  return host;
}

async function makeVersions(home: string): Promise<[FleetVersion, FleetVersion]> {
  const make = async (version: string, commit: string): Promise<FleetVersion> => ({
    ...{ version, commit },
    files: await makeDemoFiles(join(home, 'origin'), filesOf(version)),
  });
  return [await make('1.0', 'a'.repeat(40)), await make('2.0', 'b'.repeat(40))];
}

function workerOf({ name, home }: FleetHost, index: number, run: string, origin: DemoOrigin): StackWorker {
  const labels = { demo: run, site: SITES[index % SITES.length]!, ...(index < CANARIES ? { env: 'canary' } : {}) };
  const env = {
    ...sourcesAt(origin),
    HAULIER_HOME: home,
    HAULIER_HOST: name,
    HAULIER_REPORT_EVERY: REPORT_EVERY,
    HAULIER_LABELS: Object.entries(labels)
      .map((label) => label.join('='))
      .join(','),
  };
  return { name: `worker-${String(index + 1).padStart(2, '0')}`, env, sharesGroup: true };
}

/** The two larger files have a CID and come from the gateway; the smallest has a digest only and comes from the hub. */
const manifestOf = (name: string, { version, commit, files }: FleetVersion): ManifestInput => ({
  ...{ name, version, type: 'demo' },
  files: files.map(({ path, sizeBytes, sha256, cid }, index) => ({
    ...{ path, sizeBytes, sha256 },
    ...(index < files.length - 1 ? { cid } : {}),
  })),
  sources: [{ kind: 'huggingface', repo: DEMO_REPO, revision: commit }],
});

/** @throws CliError when a process ends before the hosts report, with the end of its log */
async function refuseEnded({ failed }: Stack): Promise<never> {
  const ended = await failed;
  throw new CliError(EXIT.failed, `the ${ended.name} ended by itself; its log says:\n${await ended.logTail()}`);
}

async function allReport(
  stage: Pick<FleetStage, 'context' | 'report'>,
  client: ApiClient,
  selector: string,
): Promise<void> {
  let told = 0;
  await eventually(stage, `${HOSTS} hosts to report`, async () => {
    const { length } = await client.listHosts(selector);
    if (length > told) stage.report(`${length} of ${HOSTS} hosts report`);
    told = Math.max(told, length);
    return length === HOSTS;
  });
}
