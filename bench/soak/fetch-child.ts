import { download } from '#chain/download';

/** Fetches one file by CID and publishes it: the program that the kill matrix kills. */
const [from = '', gateway = '', to = ''] = process.argv.slice(2);
const report = await download({ from, gateways: [gateway], to });
process.stdout.write(`${JSON.stringify({ sha256: report.sha256, resumedBytes: report.resumedBytes })}\n`);
