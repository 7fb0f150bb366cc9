import { beforeAll, describe, expect, it } from '@jest/globals';
import { ask, cleansUp, hubView, HUB_COMMIT, jsonOf, publishBytes, served, type Served } from '../serve-kit.ts';

cleansUp();

let server: Served;

beforeAll(async () => {
  server = await served();
  await publishBytes(server.store, Buffer.from('main'), { view: hubView('a.txt', { version: 'release/1.0' }) });
  const sources = [{ kind: 'huggingface' as const, repo: 'acme/tiny', revision: 'refs/pr/3', path: 'a.txt' }];
  const view = hubView('a.txt', { model: 'proposed', version: '3', sources });
  await publishBytes(server.store, Buffer.from('pull request'), { view });
});

describe('a revision of a repository', () => {
  it.each([
    ['release%2F1.0', 'main'],
    ['refs%2Ftags%2Frelease%2F1.0', 'main'],
    [HUB_COMMIT, 'main'],
    ['refs%2Fpr%2F3', 'pull request'],
    ['refs/pr/3', 'pull request'],
    ['3', 'pull request'],
  ])('EX5 F15 is found as %s', async (revision, text) => {
    const file = await ask(`${server.url}/acme/tiny/resolve/${revision}/a.txt`);
    expect([file.status, file.body.toString()]).toEqual([200, text]);
    const commit = file.headers['x-repo-commit'];
    const info = await ask(`${server.url}/api/models/acme/tiny/revision/${revision}`);
    expect(jsonOf(info)).toMatchObject({ sha: commit, siblings: [{ rfilename: 'a.txt' }] });
    const tree = await ask(`${server.url}/api/models/acme/tiny/tree/${revision}`);
    expect([tree.headers['x-repo-commit'], jsonOf(tree)]).toMatchObject([commit, [{ path: 'a.txt' }]]);
  });

  it.each(['refs%2Fheads%2Fmain', 'refs/heads/main', 'HEAD'])(
    'EX5 F15 that is shown is %s as well',
    async (revision) => {
      const commitAt = async (name: string): Promise<unknown> =>
        (await ask(`${server.url}/acme/tiny/resolve/${name}/a.txt`, { method: 'HEAD' })).headers['x-repo-commit'];
      expect(await commitAt(revision)).toBe(await commitAt('main'));
      expect(await commitAt(revision)).toMatch(/^[0-9a-f]{40}$/);
    },
  );

  it.each(['0123456', 'refs%2Fpr%2F4', 'release'])('EX5 F15 is refused as %s', async (revision) => {
    const { status, headers } = await ask(`${server.url}/acme/tiny/resolve/${revision}/a.txt`, { method: 'HEAD' });
    expect([status, headers['x-error-code']]).toEqual([404, 'RevisionNotFound']);
  });
});
