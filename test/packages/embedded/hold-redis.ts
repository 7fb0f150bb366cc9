import { silentLogger } from '#core/logger';
import { startRedis } from '#embedded/redis';

/** Starts a server, tells its number, and holds it until it is killed: the program that crashes in servers.int.test.ts. */
const [dataDir, cacheDir] = process.argv.slice(2) as [string, string];
const server = await startRedis({ dataDir, cacheDir, logger: silentLogger });
process.stdout.write(String(server.pid));
