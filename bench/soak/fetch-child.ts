import { download } from '#fetch/download';

/** Fetches one file by CID from a gateway, or by its SHA-256 from a URL, and publishes it: the program that the kill matrix kills. */
const [to = '', from = '', gateway = '', sha256 = ''] = process.argv.slice(2);
const report = await download({
  from,
  to,
  gateways: gateway === '' ? [] : [gateway],
  digests: sha256 === '' ? {} : { sha256 },
});
process.stdout.write(`${JSON.stringify({ sha256: report.sha256, resumedBytes: report.resumedBytes })}\n`);
