import type { Database } from './connect.ts';

/** Facts about this installation that every process must agree on. */
export type SettingKey =
  `${typeof EPOCH_KEY}${string}` | 'token_pepper' | 'metrics_reset_at' | 'replica_mark' | 'peer_token_key';

const EPOCH_KEY = 'queue_epoch:';

export async function readSetting(database: Database, key: SettingKey): Promise<string | undefined> {
  return (await database.prisma.setting.findUnique({ where: { key } }))?.value;
}

export async function writeSetting(database: Database, key: SettingKey, value: string, now: Date): Promise<void> {
  await database.prisma.setting.upsert({
    where: { key },
    create: { key, value, updatedAt: now },
    update: { value, updatedAt: now },
  });
}

/** Writes the value unless there is one already; several processes at once end up with the same. @returns what holds */
export async function ensureSetting(database: Database, key: SettingKey, value: string, now: Date): Promise<string> {
  await database.prisma.setting.createMany({ data: [{ key, value, updatedAt: now }], skipDuplicates: true });
  return (await database.prisma.setting.findUniqueOrThrow({ where: { key } })).value;
}

/** @returns by shard, the uuid that Redis holds too; a shard without it lost its data */
export async function queueEpochs(database: Database): Promise<Map<string, string>> {
  const rows = await database.prisma.setting.findMany({ where: { key: { startsWith: EPOCH_KEY } } });
  return new Map(rows.map(({ key, value }) => [key.slice(EPOCH_KEY.length), value]));
}

export const setQueueEpoch = (database: Database, shard: string, epoch: string, now: Date): Promise<void> =>
  writeSetting(database, `${EPOCH_KEY}${shard}`, epoch, now);
