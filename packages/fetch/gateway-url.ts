import { tryParseCid } from '#content/cid/cid';

/** The content that a URL of an IPFS gateway names. */
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

/** Query parameters that leave the bytes as they are. */
const HARMLESS = new Set(['filename', 'download']);

/**
 * Reads `https://<gateway>/ipfs/<cid>[/<path>]` and `https://<cid>.ipfs.<host>/[<path>]`, the two forms in which gateways serve files
 * (IPFS path gateway and subdomain gateway specifications).
 *
 * @returns undefined for every other URL: one whose CID cannot be proven, one with credentials, and one with a query other than
 *   `filename` and `download`
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

/** @returns undefined for a name that is not UTF-8: no UnixFS folder has it */
function decoded(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

/** A CID may have slashes (base64). A slash in a name below it would make two names of one. */
const areNames = (names: readonly (string | undefined)[]): names is readonly string[] =>
  names.every((name, place) => name !== undefined && (place === 0 || !name.includes('/')));
