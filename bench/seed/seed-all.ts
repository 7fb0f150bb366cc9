import { silentLogger } from '#core/logger';
import type { Database } from '#database/sql/connect';
import { migrate } from '#database/sql/migrate';
import { packageVersion } from '#os/package-folder';
import { seedCharts } from './seed-charts.ts';
import { seedDownloads } from './seed-downloads.ts';
import { seedHosts, seedNotices } from './seed-hosts.ts';
import { seedModels } from './seed-models.ts';
import { seedRollouts } from './seed-rollouts.ts';

export interface SeedPlan {
  readonly hosts: number;
  /** How far the history goes back. */
  readonly days: number;
  readonly downloads: number;
  /** So long the hosts count as online without any worker; milliseconds. */
  readonly onlineForMs: number;
  readonly now: Date;
  /** Folder of the migrations. */
  readonly migrations: string;
  readonly report: (step: string, done: string) => void;
}

/** Rows that are new. */
interface Seeded {
  readonly hosts: number;
  readonly models: number;
  readonly downloads: number;
  readonly tries: number;
  readonly rollouts: number;
  readonly rolloutHosts: number;
}

/** Migrates a database and fills it; what is there already stays, and a second run with the same numbers adds nothing. */
export async function seed(database: Database, plan: SeedPlan): Promise<Seeded> {
  const { report } = plan;
  report('migrating', '');
  await migrate(database, plan.migrations, silentLogger);
  report('hosts', `${plan.hosts}`);
  const hostPlan = { ...plan, workerVersion: packageVersion(import.meta.url) };
  const hosts = await seedHosts(database, hostPlan);
  await seedNotices(database, hostPlan);
  report('models', '');
  const files = await seedModels(database, plan);
  const made = await seedDownloads(database, {
    ...{ ...plan, files },
    onProgress: (downloads, tries) => report('downloads', `${downloads} of ${plan.downloads}, ${tries} tries`),
  });
  const rollouts = await seedRollouts(database, {
    ...{ ...plan, files },
    onProgress: (count, of) => report('rollouts', `${count}, with ${of} hosts`),
  });
  report('charts', '');
  await seedCharts(database, plan);
  report('analyzing', '');
  // As autovacuum leaves a database that took a month to fill: without it no index answers alone.
  await database.pool.query('VACUUM (ANALYZE)');
  return {
    hosts,
    models: new Set(files.map(({ model }) => model)).size,
    ...made,
    rollouts: rollouts.rollouts,
    rolloutHosts: rollouts.hosts,
  };
}
