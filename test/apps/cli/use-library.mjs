// A program that uses the library by its public name: FROM, TO and SHA256 say what to fetch.
import process from 'node:process';
import { download } from 'haulier/transfer';

const seen = [];
const report = await download({
  from: process.env.FROM,
  to: process.env.TO,
  digests: { sha256: process.env.SHA256 },
  onProgress: (progress) => seen.push(progress.committedBytes),
});
process.stdout.write(JSON.stringify({ ...report, seen }));
