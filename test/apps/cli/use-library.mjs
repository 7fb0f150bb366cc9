// A program that uses the library by its public name: FROM, TO and SHA256 say what to fetch.
import process from 'node:process';
import { download, ExhaustedError } from 'haulier/fetch';

const options = { from: process.env.FROM, to: process.env.TO, digests: { sha256: process.env.SHA256 } };

const stop = new globalThis.AbortController();
const stopped = await download({
  ...options,
  signal: stop.signal,
  onProgress: () => stop.abort(new Error('enough')),
}).catch((error) => error.message);

const failure = await download({ ...options, from: `${options.from}/nope` }).catch((error) =>
  error instanceof ExhaustedError ? error.failures : error,
);

const seen = [];
const report = await download({ ...options, onProgress: (progress) => seen.push(progress.committedBytes) });
process.stdout.write(JSON.stringify({ ...report, seen, stopped, failure }));
