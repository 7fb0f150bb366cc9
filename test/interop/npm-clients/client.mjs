// Runs calls of a client of npm, as a program of a user does, and prints the answers as JSON: node client.mjs CLIENT '[WORDS, …]'
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

const CLIENTS = {
  async transformers() {
    const { AutoModel, AutoTokenizer, env } = await import('@huggingface/transformers');
    env.allowLocalModels = false;
    return async ({ url, repo, revision, folder, token }) => {
      // It sends HF_TOKEN to the public hub alone.
      const withToken = (file, { headers }) => {
        if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
        return fetch(file, { headers });
      };
      Object.assign(env, { remoteHost: `${url}/`, cacheDir: folder, fetch: withToken });
      const tokenizer = await AutoTokenizer.from_pretrained(repo, { revision });
      const model = await AutoModel.from_pretrained(repo, { revision, dtype: 'fp32' });
      const { last_hidden_state } = await model(tokenizer('hello world'));
      return { output: [...last_hidden_state.data], files: await digestsOf(join(folder, repo)) };
    };
  },

  async gguf() {
    const { gguf } = await import('@huggingface/gguf');
    return async ({ url, repo, revision, path }) => {
      const { metadata, tensorInfos } = await gguf(`${url}/${repo}/resolve/${revision}/${path}`);
      return {
        architecture: metadata['general.architecture'],
        shapes: tensorInfos.map(({ shape }) => shape.map(Number)),
      };
    };
  },

  async 'node-llama-cpp'() {
    const { createModelDownloader } = await import('../node-llama-cpp/index.mjs');
    return async ({ url, uri, folder }) => {
      process.env.HF_ENDPOINT = url;
      const downloader = await createModelDownloader({ modelUri: uri, dirPath: folder, showCliProgress: false });
      await downloader.download();
      return digestsOf(folder);
    };
  },

  async helia() {
    const { withHTTP } = await import('@helia/http');
    const { createVerifiedFetchWithHelia } = await import('@helia/verified-fetch');
    const { uriToMultiaddr } = await import('@multiformats/uri-to-multiaddr');
    const { createHeliaLight } = await import('helia');
    const near = { allowLocal: true, allowInsecure: true };
    return async ({ url, cid, way }) => {
      const http = { ...near, delegatedRouters: [url], recursiveGateways: [] };
      const helia = await withHTTP(createHeliaLight(), http).start();
      const fetch = await createVerifiedFetchWithHelia(helia);
      const providers = way === 'provider' ? { providers: [uriToMultiaddr(url)] } : {};
      const answer = await fetch(`ipfs://${cid}`, { ...near, ...providers });
      const bytes = Buffer.from(await answer.arrayBuffer());
      await fetch.stop();
      return answer.ok ? { sha256: sha256(bytes) } : { status: answer.status, message: bytes.toString() };
    };
  },
};

async function digestsOf(folder) {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = names.filter((name) => name.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const digests = paths.map(async (path) => [path.slice(folder.length + 1), sha256(await readFile(path))]);
  return Object.fromEntries(await Promise.all(digests));
}

const [name, calls] = process.argv.slice(2);
const call = await CLIENTS[name]();
const answers = [];
for (const words of JSON.parse(calls))
  answers.push(await call(words).catch((error) => ({ error: error.name, message: error.message })));
console.log(JSON.stringify(answers));
