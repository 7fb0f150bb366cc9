import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { withoutLogin } from '#core/text/url-login';
import type { NodeProcess } from './node-process.ts';

const Answer = z.object({
  enrolment: z.object({ host: z.string(), token: z.string().optional(), refused: z.string().optional() }),
});

/**
 * Gets a worker of a named host what it enrols with at its start. The API gives the token over IPC, so that no admin token is needed.
 * Where Redis cannot keep hosts apart, the worker runs with the credential of the stack, as it would on its own.
 *
 * @returns variables that change for the worker; none for a worker of the pool
 */
export async function enrolmentEnv(
  api: NodeProcess,
  apiUrl: string,
  env: NodeJS.ProcessEnv,
  report: (step: string) => void,
): Promise<NodeJS.ProcessEnv> {
  const { HAULIER_HOST: host, HAULIER_POOL: pool, HAULIER_HOME: home = '', REDIS_URL: redisUrl = '' } = env;
  if (!host) return {};
  // The right to the pool is for the checks of versions; whether the worker takes jobs of the pool is a setting.
  const wish = { enrol: { host, pool: true } };
  const answer = await api.ask(wish, (message) => {
    const { data } = Answer.safeParse(message);
    return data?.enrolment.host === host ? data.enrolment : undefined;
  });
  if (answer?.token === undefined) {
    report(`the worker is not enrolled: ${answer?.refused ?? 'the API ended'}`);
    await rm(join(home, 'worker', 'enrolment.json'), { force: true });
    return {};
  }
  return {
    HAULIER_URL: apiUrl,
    HAULIER_ENROLMENT_TOKEN: answer.token,
    HAULIER_POOL: pool ?? '0',
    REDIS_URL: withoutLogin(redisUrl),
  };
}
