import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { MIB } from '#core/units';
import { connect } from '#database/sql/connect';
import { freePort } from '#os/port';
import { startCli } from '../helpers/cli.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, sha256OfFile, type SampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';

const HOSTS = ['host-a', 'host-b', 'host-c'];

describe('rollouts with real workers', () => {
  const files = (seed: string): SampleFile[] => [
    sampleFile('model.bin', 2 * MIB, `model ${seed}`),
    sampleFile('config.json', 3000, `config ${seed}`),
  ];
  let origin: Origin;
  let system: System;
  let folder: string;
  /** Of this test, and the files of its two versions. */
  let model = 'sample-0';
  let first: SampleFile[];
  let second: SampleFile[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haulier-commands-'));
    const note = `require('node:fs').appendFileSync(${JSON.stringify(join(folder, 'notes'))}, process.env.HAULIER_VERSION + '\\n')`;
    const commands = { note: { run: [process.execPath, '-e', note] }, refuse: { run: ['/bin/false'] } };
    await writeFile(join(folder, 'commands.json'), JSON.stringify({ commands }));
    origin = await startOrigin(hubOf([]));
    const env = { HAULIER_LABELS: 'gpu=true', HAULIER_COMMANDS: join(folder, 'commands.json') };
    system = await startSystem({ origin, hosts: HOSTS, env });
    await until(async () => (await system.client.listHosts('gpu=true')).length === 3, { what: 'all hosts report' });
  });
  beforeEach(async () => {
    model = `sample-${Number(model.split('-')[1]) + 1}`;
    [first, second] = [files(`${model} 1`), files(`${model} 2`)];
    origin.serve(hubOf(first));
    await system.client.publishVersion(sampleManifest(model, first, '1'));
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
    await rm(folder, { recursive: true, force: true });
  });

  const deploy = (version: string, ...more: string[]) => {
    const args = ['deploy', `${model}@${version}`, '--hosts', 'gpu=true', '--wait', '--json', ...more];
    const { child, ended } = startCli(args, { env: { HAULIER_URL: system.apiUrl, HAULIER_TOKEN: system.token } });
    return { child, ended: ended.then(({ code, stdout, stderr }) => ({ code, stderr, document: JSON.parse(stdout) })) };
  };
  const shown = (host: string, path: string): Promise<string> =>
    sha256OfFile(join(system.homeOf(host), 'models', model, path));
  const expectEverywhere = async (wanted: readonly SampleFile[]): Promise<void> => {
    for (const host of HOSTS) for (const { path, sha256 } of wanted) expect(await shown(host, path)).toBe(sha256);
  };
  const bytesSent = (): number => origin.requests.reduce((sum, request) => sum + request.bytesSent, 0);
  const theRollout = async (): Promise<string> => {
    let id: string | undefined;
    await until(
      async () => (id = (await system.client.listRollouts()).rollouts.find((one) => !one.isFinal)?.id) !== undefined,
      { what: 'there is a rollout' },
    );
    return id!;
  };

  it('bring a version to a canary, then to the others, and going back to it moves no bytes', async () => {
    const done = await deploy('1', '--canary', '1', '--batch', '50%').ended;
    expect([done.code, done.stderr]).toEqual([0, expect.stringContaining('SUCCEEDED: 3/3 (100%)')]);
    await expectEverywhere(first);
    const events = (await system.client.listRolloutHosts(done.document.id)).hosts.map(({ wave }) => wave);
    expect(events.sort()).toEqual(['canary', 'wave-2', 'wave-3']);

    origin.serve(hubOf(second));
    await system.client.publishVersion(sampleManifest(model, second, '2'));
    expect((await deploy('2').ended).code).toBe(0);
    await expectEverywhere(second);

    const before = bytesSent();
    const back = await deploy('1').ended;
    expect(back).toMatchObject({ code: 0, document: { counts: { succeeded: 3, alreadyPresent: 3 } } });
    expect(bytesSent()).toBe(before);
    await expectEverywhere(first);
  });

  it('store a version without showing it, then show it everywhere without a byte and run the allowed command', async () => {
    expect((await deploy('1').ended).code).toBe(0);
    origin.serve(hubOf(second));
    await system.client.publishVersion(sampleManifest(model, second, '2'));
    expect((await deploy('2', '--mode', 'download').ended).code).toBe(0);
    await expectEverywhere(first);

    const refused = await deploy('2', '--mode', 'activate', '--before', 'refuse').ended;
    expect(refused).toMatchObject({
      code: 1,
      document: {
        state: 'failed',
        errors: expect.arrayContaining([expect.objectContaining({ reason: 'before_command' })]),
      },
    });
    await expectEverywhere(first);

    const before = bytesSent();
    expect((await deploy('2', '--mode', 'activate', '--after', 'note').ended).code).toBe(0);
    await expectEverywhere(second);
    expect(bytesSent()).toBe(before);
    expect(await readFile(join(folder, 'notes'), 'utf8')).toBe('2\n2\n2\n');
  });

  it('N01 N10 go on while their API is killed and another one runs, and a waiting command stays with them', async () => {
    origin.rules.push({ path: 'model.bin', fault: { do: 'drip', bytesPerSecond: 600_000 } });
    const earlier = (await system.client.listRollouts()).rollouts.length;
    const ending = deploy('1', '--canary', '1', '--max-disconnect', '60s');
    const id = await theRollout();
    await until(async () => (await system.client.getRollout(id)).counts.running > 0, { what: 'the canary runs' });
    await system.kill(system.api);
    const port = await freePort();
    await system.startApi(port);
    await system.startApi();
    await system.awaitReady();
    const { code, document } = await ending.ended;
    expect([code, document]).toMatchObject([0, { id, counts: { succeeded: 3 } }]);
    const { rollouts } = await system.client.listRollouts();
    expect(rollouts).toHaveLength(earlier + 1);
    await expectEverywhere(first);
    origin.rules.pop();
  });

  it('N05 wait for a host that is offline, and give it the version when it returns', async () => {
    await system.kill(system.workers[2]!);
    const database = connect({ url: system.services.databaseUrl, poolSize: 1, logger: silentLogger });
    // A last report of the killed worker may be stored at any moment, and does not bring the host back.
    await database.pool.query(`
      CREATE FUNCTION stay_away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.last_seen_at := 'epoch'; RETURN NEW; END $$;
      CREATE TRIGGER stay_away BEFORE UPDATE ON hosts FOR EACH ROW WHEN (NEW.name = 'host-c') EXECUTE FUNCTION stay_away();
      UPDATE hosts SET last_seen_at = 'epoch' WHERE name = 'host-c'`);
    const ending = deploy('1');
    const id = await theRollout();
    const isAsWanted = async (): Promise<boolean> => {
      const { counts } = await system.client.getRollout(id);
      return counts.offline === 1 && counts.succeeded === 2;
    };
    await until(isAsWanted, { what: 'the others have it, and it is offline' });
    await database.pool.query('DROP TRIGGER stay_away ON hosts');
    await database.close();
    await system.startWorker('host-c');
    expect((await ending.ended).code).toBe(0);
    await expectEverywhere(first);
  });
});
