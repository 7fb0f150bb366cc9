import { tryParseCid } from '#content/cid/cid';

/** What a URL of an IPFS gateway names. */
export interface GatewayUrl {
  /** The CID as it stands in the URL. */
  readonly cid: string;
  /** Decoded names below the CID, `/`-separated; empty when the CID itself is meant. */
  readonly path: string;
  /** The gateway itself, as `--gateway` takes it. */
  readonly gateway: string;
  /** The name that the URL asks the gateway to give the file. */
  readonly fileName: string | undefined;
}

/** What a gateway may be asked that leaves the bytes as they are. */
const HARMLESS = new Set(['filename', 'download']);

/**
 * Reads `https://<gateway>/ipfs/<cid>[/<path>]` and `https://<cid>.ipfs.<host>/[<path>]`, the two forms in which gateways serve files
 * (IPFS path gateway and subdomain gateway specifications).
 *
 * @returns undefined for every other URL, also when what stands in place of the CID is none that can be proven, and when the URL says
 *   more than a gateway and a path: credentials, or a query other than `filename` and `download`
 */
export function gatewayUrl(url: URL): GatewayUrl | undefined {
  if (url.username !== '' || url.password !== '') return undefined;
  if ([...url.searchParams.keys()].some((name) => !HARMLESS.has(name))) return undefined;
  const found = inPath(url) ?? inSubdomain(url);
  const names = found?.names.map(decoded);
  if (names === undefined || !areNames(names)) return undefined;
  const [cid, ...below] = names;
  if (tryParseCid(cid!)?.original !== cid) return undefined;
  const fileName = url.searchParams.get('filename') ?? '';
  return {
    cid: cid!,
    path: below.join('/'),
    gateway: found!.gateway,
    fileName: fileName === '' ? undefined : fileName,
  };
}

interface Found {
  readonly gateway: string;
  /** The CID and the names below it, as they stand in the URL. */
  readonly names: readonly string[];
}

function inPath({ pathname, origin }: URL): Found | undefined {
  const [first, ...names] = namesOf(pathname);
  return first === 'ipfs' && names.length > 0 ? { gateway: origin, names } : undefined;
}

function inSubdomain({ protocol, host, pathname }: URL): Found | undefined {
  const match = /^([a-z0-9]+)\.ipfs\.(.+)$/.exec(host);
  return match ? { gateway: `${protocol}//${match[2]}`, names: [match[1]!, ...namesOf(pathname)] } : undefined;
}

const namesOf = (pathname: string): string[] => pathname.split('/').filter((name) => name !== '');

/** @returns undefined for what is not UTF-8, and so no name of a UnixFS folder */
function decoded(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

/** A CID may have slashes (base64); a name below it that has one could not be told apart from two. */
const areNames = (names: readonly (string | undefined)[]): names is readonly string[] =>
  names.every((name, place) => name !== undefined && (place === 0 || !name.includes('/')));
