import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { HOST_NAME } from '#core/text/host-name';
import { codeOf, messageOf } from '#core/error-facts';
import { withLogin } from '#core/text/url-login';
import { parseJson } from '#core/text/parse-json';
import { nodeFiles } from '#os/file-calls';
import { writeDurably } from '#os/write-file';

/** What a host keeps of its enrolment; the file is readable by its owner only. */
const Enrolment = z.object({
  version: z.literal(1),
  /** Of the API that the host enrolled with. */
  apiUrl: z.string(),
  hostId: z.uuid(),
  host: z.string().regex(HOST_NAME),
  pool: z.boolean(),
  /** For calls of the API. */
  workerToken: z.string(),
  /** Ed25519, PKCS #8 in PEM. */
  privateKey: z.string(),
  redis: z.object({ url: z.string(), user: z.string(), password: z.string(), prefix: z.string() }),
});

export type Enrolment = z.infer<typeof Enrolment>;

export const enrolmentPath = (home: string): string => join(home, 'worker', 'enrolment.json');

/**
 * @returns the enrolment of this host; undefined where it never enrolled
 * @throws RangeError with the path for a file that cannot be read
 */
export function readEnrolment(home: string): Enrolment | undefined {
  const path = enrolmentPath(home);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw new RangeError(`the enrolment of this host in "${path}" cannot be read: ${messageOf(cause)}`, { cause });
  }
  const { data } = Enrolment.safeParse(parseJson(text));
  if (data !== undefined) return data;
  throw new RangeError(`the enrolment of this host in "${path}" is damaged: remove it and enrol the host again`);
}

/** @throws StorageError */
export async function writeEnrolment(home: string, enrolment: Enrolment): Promise<void> {
  const path = enrolmentPath(home);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await writeDurably(nodeFiles, path, `${JSON.stringify(enrolment, undefined, 2)}\n`, { mode: 0o600 });
}

/** Address of Redis with the login of the host. @param given REDIS_URL, whose address counts where it is set */
export const redisUrlOf = ({ redis }: Enrolment, given: string | undefined): string =>
  withLogin(given ?? redis.url, redis.user, redis.password);
