import type pg from 'pg';
import { HOUR_MS } from '#core/units';
import { announce, isWanted, type Announcement } from '../webhooks/announce.ts';
import type { NoticeEvent, TryEvent } from './event-waves.ts';

/**
 * Tells webhooks of bytes that are not those of a model: a host found a published file corrupt, or a source sent other bytes. A source
 * is told once an hour for each file, because a fleet may ask it a thousand times.
 */
export async function announceMismatches(
  client: pg.PoolClient,
  notices: readonly NoticeEvent[],
  tries: readonly TryEvent[],
  now: Date,
): Promise<void> {
  const corrupt = notices.filter(({ notice }) => notice === 'corrupt');
  const wrong = tries.filter(({ errorKind }) => errorKind === 'digest-mismatch');
  if (corrupt.length + wrong.length === 0 || !(await isWanted(client, 'model.checksum_mismatch'))) return;
  await announce(client, [...corrupt.map(ofHost), ...(await ofSources(client, wrong))], now);
}

const type = 'model.checksum_mismatch' as const;

const ofHost = ({ host, at, model, path, message, bootId, sequence, position }: NoticeEvent): Announcement => ({
  type,
  at: new Date(at),
  data: { where: 'host', host, source: null, model, version: null, path, message },
  key: `corrupt ${bootId} ${sequence} ${position}`,
});

interface FileOfDownload {
  readonly id: string;
  readonly model: string | null;
  readonly version: string | null;
  readonly path: string;
}

async function ofSources(client: pg.PoolClient, tries: readonly TryEvent[]): Promise<Announcement[]> {
  if (tries.length === 0) return [];
  const ids = [...new Set(tries.map(({ downloadId }) => downloadId))];
  const sql = 'SELECT d.id, d.model, d.version, d.path FROM downloads d WHERE d.id = ANY($1::uuid[])';
  const files = new Map((await client.query<FileOfDownload>(sql, [ids])).rows.map((file) => [file.id, file]));
  return tries.flatMap(({ downloadId, host, at, source, errorMessage }) => {
    const file = files.get(downloadId);
    if (file === undefined) return [];
    const { model, version, path } = file;
    const hour = Math.floor(at / HOUR_MS);
    const data = { where: 'source', host, source, model, version, path, message: errorMessage };
    return [{ type, at: new Date(at), data, key: `mismatch ${JSON.stringify([source, model, version, path, hour])}` }];
  });
}
