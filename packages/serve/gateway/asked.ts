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

const RAW_TYPE = 'application/vnd.ipld.raw';
const CAR_TYPE = 'application/vnd.ipld.car';

function wantedOf(exchange: Exchange): Wanted | AskedWrongly {
  const format = exchange.query.get('format');
  const accept = headerOf(exchange, 'accept') ?? '';
  if (format === 'raw') return { as: 'raw' };
  const types = acceptedTypes(accept);
  if (format === 'car')
    return carWish(
      exchange,
      types.find(({ type }) => type === CAR_TYPE),
    );
  if (format !== null) return { status: 406, why: `format=${format} is not served: raw and car are` };
  const [best] = types.filter(({ type }) => type === RAW_TYPE || type === CAR_TYPE);
  const isPreferred = best !== undefined && types.every(({ quality }) => quality <= best.quality);
  if (isPreferred) return best.type === RAW_TYPE ? { as: 'raw' } : carWish(exchange, best);
  const refused = types.length > 0 && types.every(({ type }) => /^application\/vnd\.ip/.test(type));
  return refused ? { status: 406, why: `${types.map(({ type }) => type).join(', ')} is not served` } : { as: 'file' };
}

interface AcceptedType {
  /** In lower case. */
  readonly type: string;
  /** By name, in lower case; without quotes. */
  readonly parameters: ReadonlyMap<string, string>;
  /** 0 to 1. */
  readonly quality: number;
}

/** The types of an `Accept` header, the most wanted first; of equal ones a raw block before others. @see RFC 9110 section 12.5.1 */
function acceptedTypes(accept: string): readonly AcceptedType[] {
  const types = accept.split(',').map((text): AcceptedType => {
    const [type = '', ...rest] = text.split(';').map((part) => part.trim());
    const parameters = new Map(rest.map((part) => parameterOf(part)));
    return { type: type.toLowerCase(), parameters, quality: qualityOf(parameters.get('q')) };
  });
  const rank = ({ type }: AcceptedType): number => Number(type !== RAW_TYPE);
  return types
    .filter(({ type, quality }) => type !== '' && quality > 0)
    .sort((a, b) => b.quality - a.quality || rank(a) - rank(b));
}

function parameterOf(text: string): readonly [string, string] {
  const [name = '', value = ''] = text.split('=');
  return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1')];
}

/** What is no number counts as if it was not there. */
function qualityOf(text: string | undefined): number {
  const quality = text === undefined || text === '' ? 1 : Number(text);
  return quality >= 0 && quality <= 1 ? quality : 1;
}

/** @param accepted the type of CARs in the header, where it is named there */
function carWish(exchange: Exchange, accepted: AcceptedType | undefined): Wanted | AskedWrongly {
  const parameter = (inUrl: string, inHeader: string): string | undefined =>
    exchange.query.get(inUrl) ?? accepted?.parameters.get(inHeader);
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
