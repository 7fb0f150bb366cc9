import { makeDemoFile } from '../../apps/cli/demo/demo-file.ts';
import { startDemoOrigin } from '../../apps/cli/demo/origin.ts';
import type { OriginAnswer, OriginOrder, OriginQuestion } from './origin-order.ts';

/** The origin of a swarm, in a process of its own, so that it can have a link of its own. Its parent asks it over IPC. */
const { folder, bind, port, bytesPerSecond } = JSON.parse(process.argv[2] ?? '{}') as OriginOrder;
const origin = await startDemoOrigin('bench/swarm', { bytesPerSecond, bind, port });
let files = 0;

const answer = (message: OriginAnswer): void => void process.send?.(message);

async function heard(question: OriginQuestion): Promise<void> {
  if ('count' in question) return answer({ sent: origin.bytesSent() });
  const { seed, sizeBytes, changed } = question.make;
  const change = changed === undefined ? undefined : { seed: changed, everyMib: 5 };
  const made = await makeDemoFile(folder, 'model.bin', sizeBytes, seed, change);
  files += 1;
  origin.publish(String(files).padStart(40, '0'), [made]);
  const { path, diskPath, sha256, cid } = made;
  answer({ made: { path, diskPath, sizeBytes, sha256, cid } });
}

process.on('message', (question: OriginQuestion) => void heard(question));
process.once('disconnect', () => void origin.stop());
process.once('SIGTERM', () => {
  void origin.stop();
  process.disconnect();
});
