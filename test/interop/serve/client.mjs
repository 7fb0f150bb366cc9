// Runs one call of @huggingface/hub, as a program of a user does: node client.mjs CALL HUB_URL REPO FOLDER
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  downloadFile,
  downloadFileToCacheDir,
  fileExists,
  listFiles,
  modelInfo,
  pathsInfo,
  snapshotDownload,
} from '@huggingface/hub';

const [call, hubUrl, repo, folder] = process.argv.slice(2);
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

const CALLS = {
  async snapshot() {
    const path = await snapshotDownload({ repo, hubUrl, cacheDir: folder });
    const files = {};
    for await (const { type, path: name } of listFiles({ repo, hubUrl, recursive: true }))
      if (type === 'file') files[name] = sha256(await readFile(`${path}/${name}`));
    return { commit: path.split('/').at(-1), files };
  },
  async file() {
    const cached = await downloadFileToCacheDir({ repo, hubUrl, path: 'onnx/model.onnx', cacheDir: folder });
    const blob = await downloadFile({ repo, hubUrl, path: 'onnx/model.onnx' });
    const slice = await blob.slice(1000, 2000).arrayBuffer();
    return { sha256: sha256(await readFile(cached)), size: blob.size, slice: sha256(Buffer.from(slice)) };
  },
  async facts() {
    const { name, id } = await modelInfo({ name: repo, hubUrl });
    const [info] = await pathsInfo({ repo, hubUrl, paths: ['config.json'], expand: true });
    const exists = await fileExists({ repo, hubUrl, path: 'config.json' });
    const missing = await fileExists({ repo, hubUrl, path: 'none.json' });
    return { name, id, size: info.size, exists, missing };
  },
};

console.log(JSON.stringify(await CALLS[call]()));
