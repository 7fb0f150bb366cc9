import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '#client/client';
import type { CommandContext } from '../context.ts';
import { makeDemoFiles, prepareGround, sourcesAt } from './ground.ts';
import { DEMO_COMMIT, type DemoStage } from './stage.ts';

/** The files of the demo's model: large, medium and small. */
const FILES = [
  { path: 'onnx/decoder.bin', sizeBytes: 300_000_000, seed: 'haulier-demo-300mb' },
  { path: 'onnx/encoder.bin', sizeBytes: 20_000_000, seed: 'haulier-demo-20mb' },
  { path: 'config.bin', sizeBytes: 3_000, seed: 'haulier-demo-3kb' },
];

/**
 * Starts an origin, the stack, and empty hosts with new names, so that no file of an earlier run is repaired or found.
 *
 * @param stops receives a function for each part that was started, also when this fails
 */
export async function prepare(context: CommandContext, stops: (() => Promise<void>)[]): Promise<DemoStage> {
  const ground = await prepareGround(context, 'demo', stops);
  const { home, run, origin, token, report } = ground;
  const hostHome = join(home, 'host');
  for (const folder of [hostHome, join(home, 'air-gapped')]) await rm(folder, { recursive: true, force: true });
  const making = makeDemoFiles(join(home, 'origin'), FILES);
  making.catch(() => undefined); // awaited below, unless the stack fails before
  const host = `demo-host-${run}`;
  const env = { ...sourcesAt(origin), HAULIER_HOME: hostHome, HAULIER_HOST: host };
  const stack = await ground.startStack([{ name: 'worker', env }]);
  const files = await making;
  origin.publish(DEMO_COMMIT, files);
  const client = createClient({ baseUrl: stack.apiUrl, token });
  return { client, stack, origin, files, model: `demo-${run}`, host, hostHome, token, context: ground.context, report };
}
