import { createHash } from 'node:crypto';
import { downloadJob } from '#contracts/worker/download-job';
import { toJobFile } from '#contracts/file-spec';
import type { JobFile } from '#contracts/file-spec';
import type { CreateDownloadsBody, InlineDownloadsBody, ModelDownloadsBody } from '#contracts/http/downloads';
import type { FieldError } from '#contracts/http/problem';
import { contentKeyOf } from '#database/downloads/content-key';
import type { Database } from '#database/sql/connect';
import type { DownloadOrder } from '#database/downloads/insert-downloads';
import { foldedPath } from '#core/text/safe-path';
import { refuseUnknownHosts } from '../hosts/unknown-host.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { findVersion } from '../models/find-version.ts';

/** Room in a job for everything but its file. */
const MAX_FILE_JSON_BYTES = downloadJob.maxPayloadBytes - 1024;
const MAX_DOWNLOADS = 1_000_000;

/**
 * Turns a request into the files and hosts that are wanted.
 *
 * @throws RequestError for an unknown model, version, path or host, and for what is too large
 */
export async function orderFiles(database: Database, body: CreateDownloadsBody): Promise<DownloadOrder> {
  const wanted = 'model' in body ? await filesOfModel(database, body) : inlineFiles(body);
  const order = {
    ...wanted,
    hosts: body.hosts ?? [body.host ?? null],
    layers: body.layers,
    strategy: body.strategy,
    limitBytesPerSecond: body.limitBytesPerSecond,
    deadlineMs: body.deadline,
  };
  refuseTooMany(order);
  await refuseUnknown(database, body);
  refuseTooLarge(order.files);
  return order;
}

async function refuseUnknown(database: Database, { host, hosts, allowUnknown }: CreateDownloadsBody): Promise<void> {
  if (allowUnknown) return;
  if (hosts !== undefined) await refuseUnknownHosts(database, hosts, (index) => `/hosts/${index}`);
  else if (host !== undefined) await refuseUnknownHosts(database, [host], () => '/host');
}

type Wanted = Pick<DownloadOrder, 'files' | 'model'>;

async function filesOfModel(database: Database, body: ModelDownloadsBody): Promise<Wanted> {
  const { manifest } = await findVersion(database, body.model, body.version);
  const known = new Set(manifest.files.map((file) => file.path));
  const errors = (body.files ?? []).flatMap((path, index) =>
    known.has(path)
      ? []
      : [
          {
            pointer: `/files/${index}`,
            detail: `"${manifest.name}" ${manifest.version} has no such file`,
            value: path,
          },
        ],
  );
  refuse(errors);
  const chosen = body.files === undefined ? known : new Set(body.files);
  return {
    files: manifest.files.filter((file) => chosen.has(file.path)).map((file) => toJobFile(file, manifest.sources)),
    model: { name: manifest.name, type: manifest.type, version: manifest.version },
  };
}

function inlineFiles(body: InlineDownloadsBody): Wanted {
  const files = body.files.map((file) => toJobFile(file, body.sources));
  refuse(repeatedPaths(files));
  if (body.name === undefined) return { files };
  return { files, model: { name: body.name, type: 'inline', version: inlineVersion(files) } };
}

/** Equal files give an equal version, so that a repeated request finds its downloads. */
function inlineVersion(files: readonly JobFile[]): string {
  const names = files.map((file) => `${contentKeyOf(file)} ${file.path}`).sort();
  return `inline-${createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 12)}`;
}

function repeatedPaths(files: readonly JobFile[]): FieldError[] {
  const seen = new Set<string>();
  return files.flatMap(({ path }, index) => {
    const folded = foldedPath(path);
    const repeated = seen.has(folded);
    seen.add(folded);
    return repeated
      ? [{ pointer: `/files/${index}/path`, detail: 'collides with an earlier path; name each file once', value: path }]
      : [];
  });
}

function refuseTooMany({ files, hosts }: Pick<DownloadOrder, 'files' | 'hosts'>): void {
  const count = files.length * hosts.length;
  if (count > MAX_DOWNLOADS)
    refuse([
      {
        pointer: '/hosts',
        detail: `${files.length} files on ${hosts.length} hosts are ${count} downloads and one request makes at most ${MAX_DOWNLOADS}; split it`,
      },
    ]);
}

/** A job carries its file whole. */
function refuseTooLarge(files: readonly JobFile[]): void {
  refuse(
    files.flatMap((file, index) => {
      const bytes = Buffer.byteLength(JSON.stringify(file));
      const detail = `"${file.path}" takes ${bytes} bytes of JSON and at most ${MAX_FILE_JSON_BYTES} are possible; name fewer or shorter sources`;
      return bytes > MAX_FILE_JSON_BYTES ? [{ pointer: `/files/${index}/sources`, detail }] : [];
    }),
  );
}

function refuse(errors: readonly FieldError[]): void {
  const [first] = errors;
  if (first !== undefined) throw new RequestError('invalid-request', `${first.pointer}: ${first.detail}`, { errors });
}
