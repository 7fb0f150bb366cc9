import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '#core/error-facts';
import { GIB, MINUTE_MS } from '#core/units';
import { CliError, EXIT } from '../../exit-code.ts';
import { DEMO_REPO } from '../stage.ts';
import type { SwarmDemoHost, SwarmStage } from './swarm-stage.ts';

const run = promisify(execFile);

const HUB_CLIENT = '@huggingface/hub';
const HUB_CLIENT_VERSION = '2.17.5';

/** A program of a user: it prints the SHA-256 of what the client downloaded. */
const PROGRAM = `
import { createHash } from 'node:crypto';
import { downloadFile } from '${HUB_CLIENT}';
const [hubUrl, repo, path] = process.argv.slice(2);
const blob = await downloadFile({ repo, path, hubUrl });
console.log(createHash('sha256').update(Buffer.from(await blob.arrayBuffer())).digest('hex'));
`;

/** What a client of others got from a worker, or why it could not be had on this machine. */
export type ClientReport = { readonly client: string; readonly url: string } & (
  { readonly sha256: string } | { readonly skipped: string }
);

/**
 * Lets unmodified clients download the file from one worker: by the name of the hub, and by CID.
 *
 * @throws CliError when a client that runs here does not get the file
 */
export async function askWorker(stage: SwarmStage, host: SwarmDemoHost): Promise<ClientReport[]> {
  const { file, home } = stage;
  const byName = `${host.url}/${DEMO_REPO}/resolve/main/${file.path}`;
  const byCid = `${host.url}/ipfs/${file.cid}`;
  const folder = join(home, 'client');
  const [noHubClient, noCurl] = [await whyNoHubClient(folder), await whyNoCurl()];
  const hubClient = (): Promise<string> => hubDownload(folder, host, file.path);
  return [
    await reportOf(stage, `${HUB_CLIENT} ${HUB_CLIENT_VERSION}`, byName, noHubClient, hubClient),
    await reportOf(stage, 'curl', byName, noCurl, () => curlDownload(byName)),
    await reportOf(stage, 'curl', byCid, noCurl, () => curlDownload(byCid)),
  ];
}

async function reportOf(
  { report, file }: SwarmStage,
  client: string,
  url: string,
  skipped: string | undefined,
  download: () => Promise<string>,
): Promise<ClientReport> {
  if (skipped !== undefined) {
    report(`${client} is left out: ${skipped}`);
    return { client, url, skipped };
  }
  const sha256 = await download().catch((cause: unknown) => {
    throw new CliError(EXIT.failed, `${client} did not get ${url}: ${messageOf(cause)}`, { cause });
  });
  if (sha256 !== file.sha256) throw new CliError(EXIT.failed, `${client} got another file from ${url}`);
  report(`${client} downloaded ${url}: the bytes are right`);
  return { client, url, sha256 };
}

/** Installs the client in a folder of its own. @returns why that did not work */
async function whyNoHubClient(folder: string): Promise<string | undefined> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  await writeFile(join(folder, 'download.mjs'), PROGRAM);
  const words = ['install', '--no-audit', '--no-fund', '--ignore-scripts', `${HUB_CLIENT}@${HUB_CLIENT_VERSION}`];
  return whyNot(run('npm', words, { cwd: folder, timeout: 2 * MINUTE_MS }));
}

const whyNoCurl = (): Promise<string | undefined> => whyNot(run('curl', ['--version']));

const whyNot = (tried: Promise<unknown>): Promise<string | undefined> =>
  tried.then(
    () => undefined,
    (error: unknown) => messageOf(error).split('\n', 1)[0],
  );

async function hubDownload(folder: string, { url }: SwarmDemoHost, path: string): Promise<string> {
  const { stdout } = await run(process.execPath, ['download.mjs', url, DEMO_REPO, path], { cwd: folder });
  return stdout.trim();
}

async function curlDownload(url: string): Promise<string> {
  const { stdout } = await run('curl', ['-sSfL', url], { encoding: 'buffer', maxBuffer: GIB });
  return createHash('sha256').update(stdout).digest('hex');
}
