import { tryParseCid, type ParsedCid } from '#content/cid/cid';
import { decodedNames, headerOf, type Exchange } from '../http/exchange.ts';

/** Bytes of the entity that a CAR is wanted for; both inclusive. `undefined` for `to` is the end (`*`). */
export interface EntityBytes {
  readonly from: number;
  readonly to: number | undefined;
}

export type DagScope = 'block' | 'entity' | 'all';

export interface CarWish {
  readonly scope: DagScope;
  readonly entityBytes: EntityBytes | undefined;
  /** Blocks that stand in the DAG several times are sent each time. */
  readonly dups: boolean;
}

export type Wanted = { readonly as: 'raw' } | { readonly as: 'car'; readonly car: CarWish } | { readonly as: 'file' };

/** What a request of the gateway asks for. */
export interface Asked {
  readonly root: ParsedCid;
  /** Names below the root, decoded. */
  readonly names: readonly string[];
  readonly endsWithSlash: boolean;
  readonly wanted: Wanted;
}

/** A request that cannot be answered as it was asked. */
export interface AskedWrongly {
  readonly status: 400 | 406;
  readonly why: string;
}

/** Longest CID in a URL: more is an attack, as no hash that we know needs it. */
const MAX_CID_CHARS = 1100;

/** Reads `/ipfs/CID[/path]` with its query and `Accept`. Parameters of the URL count before headers (IPIP-523). */
export function askedOf(exchange: Exchange): Asked | AskedWrongly {
  const names = decodedNames(exchange.path);
  if (names === undefined) return { status: 400, why: 'the path is not percent-encoded as a URL demands' };
  const [, cid = '', ...below] = names;
  if (cid.length > MAX_CID_CHARS) return { status: 400, why: 'the CID is too long' };
  const root = tryParseCid(cid);
  if (root === undefined)
    return { status: 400, why: `${JSON.stringify(cid)} is no CID that is served: write /ipfs/bafy…[/path]` };
  if (below.some((name) => name === '.' || name === '..' || name.includes('/') || name.includes('\0')))
    return { status: 400, why: 'the path has a name that no directory can have' };
  const wanted = wantedOf(exchange);
  if ('status' in wanted) return wanted;
  return { root, names: below, endsWithSlash: exchange.path.endsWith('/'), wanted };
}

const RAW_TYPES = ['application/vnd.ipld.raw'];
const CAR_TYPES = ['application/vnd.ipld.car'];

function wantedOf(exchange: Exchange): Wanted | AskedWrongly {
  const format = exchange.query.get('format');
  const accept = headerOf(exchange, 'accept') ?? '';
  if (format === 'raw') return { as: 'raw' };
  if (format === 'car') return carWish(exchange, accept);
  if (format !== null) return { status: 406, why: `format=${format} is not served: raw and car are` };
  const types = acceptedTypes(accept);
  if (types.some((type) => RAW_TYPES.includes(type))) return { as: 'raw' };
  if (types.some((type) => CAR_TYPES.includes(type))) return carWish(exchange, accept);
  const refused = types.length > 0 && types.every((type) => /^application\/vnd\.ip/.test(type));
  return refused ? { status: 406, why: `${types.join(', ')} is not served` } : { as: 'file' };
}

const acceptedTypes = (accept: string): string[] =>
  accept
    .split(',')
    .map((type) => type.split(';')[0]!.trim().toLowerCase())
    .filter((type) => type !== '');

function carWish(exchange: Exchange, accept: string): Wanted | AskedWrongly {
  const parameter = (inUrl: string, inHeader: string): string | undefined =>
    exchange.query.get(inUrl) ?? carParameter(accept, inHeader);
  const version = parameter('car-version', 'version') ?? '1';
  if (version !== '1') return { status: 400, why: `version ${version} of CAR is not served: 1 is` };
  const order = parameter('car-order', 'order') ?? 'dfs';
  if (!ORDERS.has(order)) return { status: 400, why: `order ${order} is not served: dfs is` };
  const part = dagPart(exchange);
  if ('status' in part) return part;
  return { as: 'car', car: { ...part, dups: parameter('car-dups', 'dups') === 'y' } };
}

/** A client that says that it takes any order is given the one that there is. */
const ORDERS = new Set(['dfs', 'unk']);
const SCOPES: ReadonlySet<string> = new Set<DagScope>(['block', 'entity', 'all']);

const carParameter = (accept: string, name: string): string | undefined =>
  new RegExp(`application/vnd\\.ipld\\.car[^,]*;\\s*${name}=([\\w-]+)`).exec(accept)?.[1];

/** Bytes of an entity mean the entity, not all that is below it. */
function dagPart({ query }: Exchange): Omit<CarWish, 'dups'> | AskedWrongly {
  const scope = query.get('dag-scope') ?? 'all';
  if (!SCOPES.has(scope)) return { status: 400, why: `dag-scope=${scope}: write block, entity or all` };
  const text = query.get('entity-bytes');
  if (text === null) return { scope: scope as DagScope, entityBytes: undefined };
  const entityBytes = entityBytesOf(text);
  if (entityBytes === undefined)
    return { status: 400, why: `entity-bytes=${text}: write FROM:TO, such as 0:1023, 1024:* or -1024:*` };
  return { scope: scope === 'all' ? 'entity' : (scope as DagScope), entityBytes };
}

function entityBytesOf(text: string): EntityBytes | undefined {
  const [, from, to] = /^(-?\d+):(\*|-?\d+)$/.exec(text) ?? [];
  if (from === undefined || to === undefined) return undefined;
  const [start, end] = [Number(from), to === '*' ? undefined : Number(to)];
  if (end !== undefined && start >= 0 === end >= 0 && end < start) return undefined;
  return Number.isSafeInteger(start) ? { from: start, to: end } : undefined;
}
