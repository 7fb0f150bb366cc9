import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startNodeProcess, type NodeProcess } from '../../apps/cli/stack/node-process.ts';
import type { FileOrder, OriginAnswer, OriginFile, OriginOrder, OriginQuestion } from './origin-order.ts';

const SCRIPT = fileURLToPath(new URL('./origin-process.js', import.meta.url));

/** The origin of a swarm: a gateway of generated files. */
export interface SwarmOrigin {
  readonly url: string;
  /** Makes a file, or makes it again, and shows it. */
  make(order: FileOrder): Promise<OriginFile>;
  /** Bytes of files and leaves that it sent. */
  sent(): Promise<number>;
  /** SIGKILL: it does not answer any more. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** @param launcher words in front of its command */
export async function startOrigin(order: OriginOrder, launcher: readonly string[]): Promise<SwarmOrigin> {
  const child = await startNodeProcess({
    ...{ name: 'origin', script: SCRIPT, args: [JSON.stringify(order)], launcher, env: { PATH: process.env['PATH'] } },
    logPath: join(order.folder, 'origin.log'),
  });
  await answered(child, { count: true }, (answer) => ('sent' in answer ? answer.sent : undefined));
  return {
    url: `http://${order.bind}:${order.port}`,
    make: (make) => answered(child, { make }, (answer) => ('made' in answer ? answer.made : undefined)),
    sent: () => answered(child, { count: true }, (answer) => ('sent' in answer ? answer.sent : undefined)),
    kill: async () => {
      process.kill(child.pid, 'SIGKILL');
      await child.ended;
    },
    stop: () => child.stop(),
  };
}

async function answered<Answer>(
  child: NodeProcess,
  question: OriginQuestion,
  find: (answer: OriginAnswer) => Answer | undefined,
): Promise<Answer> {
  const answer = await child.ask(question, (message) => find(message as OriginAnswer));
  if (answer !== undefined) return answer;
  throw new Error(`the origin ended; its log says:\n${await child.logTail()}`);
}
