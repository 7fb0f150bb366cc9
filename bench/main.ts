import { parseArgs } from 'node:util';
import { bundleBench } from './bundle/bundle-bench.ts';
import { dashboardBench } from './dashboard/dashboard-bench.ts';
import { fleetBench } from './fleet/fleet-bench.ts';
import { listsBench } from './lists/lists-bench.ts';
import { liveBench } from './live/live-bench.ts';
import { metricsBench } from './metrics/metrics-bench.ts';
import { queueBench } from './queue/queue-bench.ts';
import { serveBench } from './serve/serve-bench.ts';
import { swarmBench } from './swarm/swarm-bench.ts';
import { transferBench } from './transfer/transfer-bench.ts';
import { unpackBench } from './unpack/unpack-bench.ts';

const USAGE = `usage: npm run bench -- transfer [--quick] [--rounds N] [--only CASE] [--json] [--dir FOLDER] [--profile FOLDER]
       npm run bench -- bundle [--quick] [--rounds N] [--json] [--dir FOLDER]
       npm run bench -- unpack [--quick] [--rounds N] [--json] [--dir FOLDER]
       npm run bench -- queue [--quick] [--rounds N] [--only CASE] [--json] [--dir FOLDER]
       npm run bench -- fleet [--quick] [--rounds N] [--json] [--dir FOLDER]
       npm run bench -- serve [--quick] [--rounds N] [--only CASE] [--json] [--dir FOLDER]
       npm run bench -- swarm [--quick] [--rounds N] [--only CASE] [--json] [--dir FOLDER]
       npm run bench -- metrics [--quick] [--rounds N] [--json] [--dir FOLDER]
       npm run bench -- live [--quick] [--rounds N] [--json] [--dir FOLDER]
       npm run bench -- lists [--quick] [--rounds N] [--json] [--dir FOLDER]
       npm run bench -- dashboard [--quick] [--rounds N] [--json] [--dir FOLDER]

  --quick           3 rounds and smaller files
  --rounds N        rounds of each case; default 5
  --only CASE       only this case; repeatable; an unknown name lists them
  --json            one JSON object on stdout instead of the table
  --dir FOLDER      where files are made and fetched to, about 10 GB; default: the system's temporary folder
  --profile FOLDER  write a CPU profile of our engine for each case
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean', default: false },
    dir: { type: 'string' },
    profile: { type: 'string' },
  },
});

const rounds = Number(values.rounds ?? (values.quick ? 3 : 5));
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));

/** Each measures one kind of work. */
const BENCHES = {
  transfer: transferBench,
  unpack: unpackBench,
  bundle: bundleBench,
  queue: queueBench,
  fleet: fleetBench,
  serve: serveBench,
  swarm: swarmBench,
  metrics: metricsBench,
  live: liveBench,
  lists: listsBench,
  dashboard: dashboardBench,
};
const bench = new Map(Object.entries(BENCHES)).get(positionals[0] ?? '');

if (positionals.length !== 1 || bench === undefined || !Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  const { quick, only, dir, profile } = values;
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const outcome = await bench({ quick, rounds, only, dir, profile, say, signal: stop.signal });
  process.stdout.write(values.json ? `${JSON.stringify(outcome.report, null, 2)}\n` : outcome.markdown);
}
