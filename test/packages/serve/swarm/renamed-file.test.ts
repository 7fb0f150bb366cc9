import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { silentLogger } from '#core/logger';
import { GrowingFiles } from '#serve/swarm/growing-files';
import { dagOf } from '../../../helpers/swarm-kit.ts';
import { bytesOf } from '../../../helpers/transfer-kit.ts';
import { temporaryFolder } from '../../store/temp-store.ts';
import { ask, cleansUp, served, type Served } from '../serve-kit.ts';
import { growingLeaves } from './growing-leaves.ts';

cleansUp();
const bytes = bytesOf(2 * MIB, 'renamed');
const { cid, table } = dagOf(bytes);
const growing = new GrowingFiles();
const warnings: string[] = [];
let server: Served;
let path: string;

beforeAll(async () => {
  const logger = { ...silentLogger, warn: (_fields: object, message: string) => void warnings.push(message) };
  server = await served({ growing, logger });
  path = join(await temporaryFolder(), 'growing.part');
  await writeFile(path, bytes);
});

const whole = () => ask(`${server.url}/swarm/${cid}`);

describe('a growing file whose name changes while hosts fetch it', () => {
  it('N6 goes on being given, because publishing renames it before its offer ends', async () => {
    const end = growing.offer(growingLeaves(path, table));
    expect((await whole()).body.equals(bytes)).toBe(true);
    await rename(path, `${path}.published`);
    const answer = await whole();
    expect([answer.status, answer.body.equals(bytes)]).toEqual([206, true]);
    end();
    expect((await whole()).status).toBe(404);
    expect(warnings).toEqual([]);
    await rename(`${path}.published`, path);
  });

  it('N6 is not there, in one answer that is complete, when it was gone before it was offered', async () => {
    await rm(path);
    const end = growing.offer(growingLeaves(path, table));
    expect(await whole()).toMatchObject({ status: 404, isBroken: false });
    expect(warnings).toEqual([]);
    end();
  });
});
