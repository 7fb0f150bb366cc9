import type { ListedSource, SourceTest } from '#contracts/http/sources';
import { messageOf } from '#core/error-facts';
import { SECOND_MS } from '#core/units';
import type { Dependencies } from '../dependencies.ts';

const ANSWER_TIMEOUT_MS = 10 * SECOND_MS;
const FIRST_SERVER_ERROR = 500;

/**
 * A gateway is asked for an empty block that the CID itself carries, which it answers from nothing else.
 *
 * @see https://specs.ipfs.tech/http-gateways/trustless-gateway/#dedicated-probe-paths
 */
const GATEWAY_PROBE = '/ipfs/bafkqaaa?format=raw';

/** Sends one request to the source, and reads the head of the answer alone. */
export async function testSource(
  { openHttp }: Pick<Dependencies, 'openHttp'>,
  { id, kind, origin }: ListedSource,
): Promise<SourceTest> {
  const startedAt = performance.now();
  const ended = (found: Omit<SourceTest, 'id' | 'ms'>): SourceTest => ({
    ...{ id, ms: Math.round(performance.now() - startedAt) },
    ...found,
  });
  if (!/^https?:/.test(origin))
    return ended({
      reachable: false,
      status: null,
      message: `${origin} is a file of the workers, which this process cannot ask`,
    });
  const http = openHttp();
  try {
    const url = new URL(kind === 'ipfs-gateway' ? GATEWAY_PROBE : '/', origin).href;
    const consumer = { head: () => false, data: () => undefined };
    const { status } = await http.request(
      { url, method: 'GET', source: origin },
      consumer,
      AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    );
    return ended({ reachable: status < FIRST_SERVER_ERROR, status, message: `${url} answered ${status}` });
  } catch (error) {
    return ended({ reachable: false, status: null, message: messageOf(error) });
  } finally {
    http.close();
  }
}
