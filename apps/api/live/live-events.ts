import type { EventTopic, LiveEvent } from '#contracts/http/events';
import type { LivePosition } from '#contracts/live';
import { isFinal, isRunning } from '#core/download-status';
import { BoundedMap } from '#core/bounded-map';
import { liveFacts, type LiveFacts } from '#database/downloads/live-facts';
import type { Dependencies } from '../dependencies.ts';
import { seeRollout } from '../rollouts/await-rollout.ts';
import type { Thing } from './change-queue.ts';

type EventDeps = Pick<Dependencies, 'database' | 'changes' | 'now'>;

/** Downloads whose facts are kept: more than run at once. */
const KNOWN_DOWNLOADS = 50_000;
const KNOWN_ROLLOUTS = 1000;

/** Turns changes into the events that clients get. What clients have no wish for is not looked up. */
export class LiveEvents {
  readonly #deps: EventDeps;
  readonly #facts = new BoundedMap<LiveFacts>({ capacity: KNOWN_DOWNLOADS });
  /** The version of each rollout that was last told. */
  readonly #versions = new BoundedMap<string>({ capacity: KNOWN_ROLLOUTS });

  constructor(deps: EventDeps) {
    this.#deps = deps;
  }

  /**
   * @param wanted topics of the clients
   * @param all also rollouts that look as they were last told
   * @throws Error while Postgres is away
   */
  async of(things: readonly Thing[], wanted: ReadonlySet<EventTopic>, all = false): Promise<LiveEvent[]> {
    const changed = idsOf(things, 'download');
    const positions = things.flatMap((thing) => (thing.kind === 'position' ? [thing.position] : []));
    const ofDownloads = wanted.has('downloads') || wanted.has('progress');
    if (ofDownloads) await this.#learn(changed, wanted.has('progress') ? positions : []);
    return [
      ...(ofDownloads ? changed.flatMap((id) => this.#moved(id)) : []),
      ...(wanted.has('progress') ? positions.flatMap((position) => this.#progress(position)) : []),
      ...(wanted.has('rollouts') ? await this.#rollouts(idsOf(things, 'rollout'), all) : []),
      ...idsOf(things, 'host').map((id) => ({ type: 'host.changed' as const, id })),
      ...things.flatMap((thing) => (thing.kind === 'event' ? [thing.event] : [])),
    ];
  }

  async #learn(changed: readonly string[], positions: readonly LivePosition[]): Promise<void> {
    const unknown = positions.map(({ id }) => id).filter((id) => this.#facts.peek(id) === undefined);
    const ids = [...new Set([...changed, ...unknown])];
    if (ids.length === 0) return;
    for (const facts of await liveFacts(this.#deps.database, ids)) this.#facts.set(facts.id, facts);
  }

  #moved(id: string): LiveEvent[] {
    const facts = this.#facts.peek(id);
    if (facts === undefined) return [];
    const { status, host, model, version, file } = facts;
    const about = { id, host, model, version, file };
    const moved = { type: 'download.changed' as const, ...about, status };
    if (!isFinal(status)) return [moved];
    const { outcome, bytes, total, gateway, sha256, verified, path, error } = facts;
    const end = { outcome, bytes, total, gateway, sha256, verified, path, error };
    return [
      moved,
      { type: 'download_complete', ...about, status: status as 'success' | 'failed' | 'cancelled', ...end },
    ];
  }

  /** A position that comes after the end of its download is old. */
  #progress({ id, bytes, total: told, speed, gateway, retries }: LivePosition): LiveEvent[] {
    const facts = this.#facts.get(id);
    if (facts === undefined || isFinal(facts.status)) return [];
    const { host, model, version, file } = facts;
    const total = told ?? facts.total;
    const remaining = total === null ? null : Math.max(0, total - bytes);
    return [
      {
        ...{ type: 'model_download_progress', id, host, model, version, file },
        status: isRunning(facts.status) ? facts.status : 'in_progress',
        ...{ bytes, total, remaining, speed },
        eta: remaining === null || speed === 0 ? null : Math.round((remaining * 10) / speed) / 10,
        percent: total === null || total === 0 ? null : Math.min(99.9, Math.floor((bytes / total) * 1000) / 10),
        ...{ gateway, retries },
      },
    ];
  }

  async #rollouts(ids: readonly string[], all: boolean): Promise<LiveEvent[]> {
    const events: LiveEvent[] = [];
    for (const id of ids) {
      const seen = await seeRollout(this.#deps, id);
      if (seen === undefined) continue;
      const { version, state, counts } = seen.view;
      if (!all && this.#versions.get(id) === version) continue;
      this.#versions.set(id, version);
      events.push({ type: 'rollout.progress', id, version, state, counts });
    }
    return events;
  }
}

const idsOf = (things: readonly Thing[], kind: 'download' | 'rollout' | 'host'): string[] =>
  things.flatMap((thing) => (thing.kind === kind ? [thing.id] : []));
