import type { RolloutSwarms } from '#contracts/http/rollouts/rollout-swarms';
import type { Announced, AnnounceInput, SwarmKey } from '#contracts/swarm';
import type { SwarmList, SwarmView } from '#contracts/swarm-view';
import { send, type ClientOptions } from './send.ts';

/** The tracker of files that hosts fetch from each other. Each method throws ApiError or UnreachableError. */
export interface SwarmClient {
  /** What this host fetches and has. With the token of an enrolled worker. */
  announce(body: AnnounceInput, signal?: AbortSignal): Promise<Announced>;
  /** The key that the tokens of other hosts are checked with. With the token of an enrolled worker. */
  getSwarmKey(): Promise<SwarmKey>;
  /** The hosts of one file at this moment. @param cid root of the file */
  getSwarm(cid: string): Promise<SwarmView>;
  /** Files that hosts fetch or give now, those that most hosts fetch first. */
  listSwarms(limit?: number): Promise<SwarmList>;
  /** How the hosts of a rollout fetched its files from each other, also after its end. */
  listRolloutSwarms(id: string): Promise<RolloutSwarms>;
}

export const swarmMethods = (options: ClientOptions): SwarmClient => ({
  announce: (body, signal) => send(options, { method: 'POST', path: '/api/swarm/announce', body, signal }),
  getSwarmKey: () => send(options, { method: 'GET', path: '/api/swarm/key' }),
  getSwarm: (cid) => send(options, { method: 'GET', path: `/api/swarm/${encodeURIComponent(cid)}` }),
  listSwarms: (limit) => send(options, { method: 'GET', path: '/api/swarms', query: { limit } }),
  listRolloutSwarms: (id) => send(options, { method: 'GET', path: `/api/rollouts/${encodeURIComponent(id)}/swarms` }),
});
