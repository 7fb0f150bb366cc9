import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { GrowingFiles } from '#serve/swarm/growing-files';
import { dagOf } from '../../../helpers/swarm-kit.ts';
import { bytesOf } from '../../../helpers/transfer-kit.ts';
import { expectWithin } from '../../../helpers/within.ts';
import { cleansUp, served } from '../serve-kit.ts';
import { growingLeaves } from './growing-leaves.ts';

cleansUp();
const FOLLOWERS = 20;

it('N6 a server that stops ends what it tells to hosts that follow it, and waits for none of them', async () => {
  const { cid, table } = dagOf(bytesOf(2 * MIB, 'followed'));
  const growing = new GrowingFiles();
  const server = await served({ growing });
  let listeners = 0;
  growing.offer(
    growingLeaves('/none', table, {
      isDone: () => false,
      onMore: () => {
        listeners += 1;
        return () => (listeners -= 1);
      },
    }),
  );
  // Such connections stay open after an answer, unless the server ends them.
  const agent = new Agent({ keepAlive: true });
  const follow = async (): Promise<IncomingMessage> => {
    const asked = request(`${server.url}/swarm/${cid}/have`, { agent, headers: { 'swarm-follow': '1' } });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return response;
  };
  const responses = await Promise.all(Array.from({ length: FOLLOWERS }, follow));
  expect(listeners).toBe(FOLLOWERS);
  const ends = responses.map((response) => once(response.resume(), 'end'));
  // Answers that do not end by themselves have a second.
  await expectWithin(700, () => server.stop());
  await Promise.all(ends);
  expect(responses.every(({ complete }) => complete)).toBe(true);
  expect(listeners).toBe(0);
});
