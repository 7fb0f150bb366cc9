import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readWorkerConfig } from '../../../apps/worker/config.ts';

const REDIS_URL = 'redis://127.0.0.1:6379';

describe('configuration of the worker', () => {
  it('needs only Redis, and serves the pool where no host is named', () => {
    const config = readWorkerConfig({ REDIS_URL });
    expect(config).toMatchObject({
      redis: { url: REDIS_URL, prefix: '{haulier}' },
      host: undefined,
      pool: true,
      concurrency: 3,
      layers: ['cache', 'ipfs', 'origin', 'bundled', 'peer'],
      ipfsGateways: [],
      stallTimeoutMs: 30_000,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('serves only its host where one is named, and the pool too when told so', () => {
    expect(readWorkerConfig({ REDIS_URL, HAULIER_HOST: 'gpu-1' }).pool).toBe(false);
    expect(readWorkerConfig({ REDIS_URL, HAULIER_HOST: 'gpu-1', HAULIER_POOL: '1' }).pool).toBe(true);
  });

  it('N40 keeps the case of a host name, and takes capitals and underscores', () => {
    expect(readWorkerConfig({ REDIS_URL, HAULIER_HOST: 'GPU_Rack-01' }).host).toBe('GPU_Rack-01');
  });

  it('reads lists, sizes and durations as people write them', () => {
    const config = readWorkerConfig({
      REDIS_URL,
      IPFS_GATEWAYS: 'http://127.0.0.1:8080, https://gateway.example,',
      HAULIER_LAYERS: 'peer,ipfs',
      HAULIER_LIMIT_RATE: '50M',
      HAULIER_STALL_TIMEOUT: '5s',
      HAULIER_STORE_MAX_BYTES: '10GB',
      HAULIER_HOST: '',
      HAULIER_LABELS: 'gpu=true, example.com/site=eu-1,empty=',
    });
    expect(config).toMatchObject({
      ipfsGateways: ['http://127.0.0.1:8080', 'https://gateway.example'],
      layers: ['peer', 'ipfs'],
      limitBytesPerSecond: 50 * 1024 * 1024,
      stallTimeoutMs: 5_000,
      sweep: { hardLimitBytes: 1e10 },
      host: undefined,
      labels: { gpu: 'true', 'example.com/site': 'eu-1', empty: '' },
    });
  });

  it('names every bad variable in one error', () => {
    const bad = {
      REDIS_URL: 'localhost',
      HAULIER_CONCURRENCY: '0',
      HAULIER_LAYERS: 'ipfs,torrent',
      HAULIER_LIMIT_RATE: 'fast',
      HAULIER_HOST: 'GPU 1',
      HAULIER_LABELS: 'gpu=true,a b=c',
    };
    const message = messageOf(() => readWorkerConfig(bad));
    for (const name of Object.keys(bad)) expect(message).toContain(name);
    expect(message).toContain('HAULIER_LIMIT_RATE is "fast": write bytes per second, such as 50M');
  });

  describe('the file of commands', () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'haulier-commands-'));
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    const read = (commands: unknown) => {
      const path = join(folder, 'commands.json');
      writeFileSync(path, JSON.stringify({ commands }));
      return readWorkerConfig({ REDIS_URL, HAULIER_COMMANDS: path, PATH: '/bin' });
    };

    it('says what rollouts may run here; without it nothing', () => {
      const { commands, commandPath } = read({
        reload: { run: ['/bin/reload', '-x'], timeout: '2m' },
        check: { run: ['/c'] },
      });
      expect([...commands]).toEqual([
        ['reload', { run: ['/bin/reload', '-x'], timeoutMs: 120_000 }],
        ['check', { run: ['/c'], timeoutMs: 30_000 }],
      ]);
      expect(commandPath).toBe('/bin');
      expect(readWorkerConfig({ REDIS_URL }).commands.size).toBe(0);
    });

    it.each([
      [{ reload: { run: ['reload'] } }, 'commands.reload.run.0 is "reload": write the absolute path of a program'],
      [{ reload: { run: [] } }, 'commands.reload.run'],
      [{ reload: { run: ['/r'], timeout: '0s' } }, 'commands.reload.timeout is "0s": write a duration from 1s to 60m'],
      [{ 'Reload it': { run: ['/r'] } }, 'a command is named by 1 to 60 of'],
    ])('names what is wrong in %j', (commands, message) => {
      expect(messageOf(() => read(commands))).toContain(message);
    });
  });

  describe('the gateway data file', () => {
    let folder: string;
    let path: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'haulier-gateways-'));
      path = join(folder, 'gateways.json');
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    const read = (content: string) => {
      writeFileSync(path, content);
      return readWorkerConfig({ REDIS_URL, HAULIER_GATEWAY_DATA: path }).gatewayData;
    };

    it('sets what gateways tolerate', () => {
      const gateways = {
        'gateway.example': { requestsPerMinute: 600, requestsPerMinutePerCid: 60, maxRangeFileBytes: 0 },
        '10.0.0.7': { blocksOnly: true },
      };
      expect(read(JSON.stringify({ gateways }))).toEqual(gateways);
      expect(readWorkerConfig({ REDIS_URL }).gatewayData).toBeUndefined();
    });

    it.each([
      [
        '{"gateways":{"gw.example":{"requestsPerMinute":-1}}}',
        'gateways["gw.example"].requestsPerMinute is -1: write at least 1',
      ],
      [
        '{"gateways":{"gw.example":{"requestsPerMinutePerCid":"15"}}}',
        'gateways["gw.example"].requestsPerMinutePerCid is "15": write a whole number',
      ],
      ['{"gateways":{"gw.example":{"maxRangeFileBytes":1.5}}}', 'maxRangeFileBytes is 1.5: write a whole number'],
      ['{"gateways":{"gw.example":{"blocksOnly":1}}}', 'gateways["gw.example"].blocksOnly is 1: write true or false'],
      ['{"gateways":{"gw.example":{"rpm":1}}}', 'gateways["gw.example"] is {"rpm":1}: Unrecognized key: "rpm"'],
      ['{"gateways":{"https://gw.example":{}}}', 'gateways["https://gw.example"] is {}: write a host name'],
      ['{}', 'gateways is missing'],
      ['[]', 'the whole is []'],
      ['{"gateways":', 'is not JSON'],
    ])('%s is refused at the start, with its field and value', (content, message) => {
      const said = messageOf(() => read(content));
      expect(said).toContain(`HAULIER_GATEWAY_DATA: `);
      expect(said).toContain(path);
      expect(said).toContain(message);
    });

    it('is refused where it cannot be read', () => {
      const said = messageOf(() => readWorkerConfig({ REDIS_URL, HAULIER_GATEWAY_DATA: folder }));
      expect(said).toContain(`HAULIER_GATEWAY_DATA: "${folder}" cannot be read: EISDIR`);
    });
  });

  it('names addresses that cannot be read', () => {
    const said = messageOf(() => readWorkerConfig({ REDIS_URL, HAULIER_ALLOW_ADDRESSES: '10.0.0.0/99' }));
    expect(said).toContain('HAULIER_ALLOW_ADDRESSES: ');
    expect(said).toContain('10.0.0.0/99');
  });

  it('K31 warns of variables that are mistyped, and starts', () => {
    const { warnings } = readWorkerConfig({ REDIS_URL, HAULIER_CONCURENCY: '5' });
    expect(warnings).toEqual(['HAULIER_CONCURENCY is no setting and has no effect: did you mean HAULIER_CONCURRENCY?']);
  });

  it('reads proxies in both ways of writing them', () => {
    const { proxy } = readWorkerConfig({ REDIS_URL, HTTPS_PROXY: 'http://a:1', http_proxy: 'b:2', no_proxy: 'c' });
    expect(proxy).toEqual({ http: 'http://b:2', https: 'http://a:1', noProxy: 'c' });
  });

  it('refuses a worker without a queue', () => {
    expect(messageOf(() => readWorkerConfig({ REDIS_URL, HAULIER_POOL: '0' }))).toContain('HAULIER_POOL');
  });

  it('refuses a flag that is neither on nor off, with its value', () => {
    const message = messageOf(() => readWorkerConfig({ REDIS_URL, HAULIER_ALLOW_DOWNGRADE: 'maybe' }));
    expect(message).toContain('HAULIER_ALLOW_DOWNGRADE is "maybe"');
  });

  it('reads secrets from files and says which file cannot be read', () => {
    const folder = mkdtempSync(join(tmpdir(), 'haulier-config-'));
    const token = join(folder, 'token');
    writeFileSync(token, 'hf_secret\n');
    expect(readWorkerConfig({ REDIS_URL, HF_TOKEN_FILE: token }).huggingFace.token).toBe('hf_secret');
    expect(messageOf(() => readWorkerConfig({ REDIS_URL, HF_TOKEN_FILE: join(folder, 'none') }))).toContain(
      'HF_TOKEN_FILE',
    );
    rmSync(folder, { recursive: true });
  });
});

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error('nothing was thrown');
}
