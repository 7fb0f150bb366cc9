import type { Readiness } from '#contracts/http/status';
import { messageOf } from '#core/error-facts';
import { SECOND_MS } from '#core/units';

/** Checks one dependency of the API; throws an Error whose message says what is missing. */
export type Check = () => Promise<void>;

export interface Health {
  readiness(): Promise<Readiness>;
}

const CHECK_TIMEOUT_MS = 2 * SECOND_MS;

/** @param checks by the name of what they look at */
export function createHealth(checks: Readonly<Record<string, Check>>): Health {
  return {
    async readiness() {
      const results = await Promise.all(
        Object.entries(checks).map(async ([name, check]) => [name, await outcomeOf(check)] as const),
      );
      const missing = results.flatMap(([name, message]) => (message === null ? [] : [`${name}: ${message}`]));
      return {
        status: missing.length === 0 ? 'ready' : 'not_ready',
        missing,
        components: Object.fromEntries(
          results.map(([name, message]) => [name, { status: message === null ? 'up' : 'down', message }]),
        ),
      };
    },
  };
}

/** @returns what is wrong, or null */
async function outcomeOf(check: Check): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${CHECK_TIMEOUT_MS / SECOND_MS} s`), CHECK_TIMEOUT_MS);
  });
  const checked = check().then(
    () => null,
    (error: unknown) => sentenceOf(error),
  );
  try {
    return await Promise.race([checked, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** An AggregateError of Node (both addresses of localhost refused) has no message of its own. */
function sentenceOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return sentenceOf(error.errors[0]);
  return messageOf(error);
}
