import type { Database } from './connect.ts';

/** Facts about this installation that every process must agree on. */
export type SettingKey = 'queue_epoch' | 'token_pepper' | 'metrics_reset_at';

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

/** The uuid that Redis holds too; a Redis without it lost its data. */
export const queueEpoch = (database: Database): Promise<string | undefined> => readSetting(database, 'queue_epoch');

export const setQueueEpoch = (database: Database, epoch: string, now: Date): Promise<void> =>
  writeSetting(database, 'queue_epoch', epoch, now);
