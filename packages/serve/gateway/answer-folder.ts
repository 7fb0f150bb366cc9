import { createHash } from 'node:crypto';
import type { DirectoryEntry } from '#content/dag/directory-node';
import { blockName } from '#content/dag/verified-blocks';
import { matchesNone } from '../http/entity-tags.ts';
import { answerBytes, answerNothing, answerText, headerOf, type Exchange } from '../http/exchange.ts';
import { immutableHeaders, type Place } from './gateway-headers.ts';

/** The relative links of a page in the folder are right only behind a slash. */
export function redirectToFolder(exchange: Exchange, place: Place): void {
  const query = exchange.query.size === 0 ? '' : `?${exchange.query}`;
  const location = `${place.ipfsPath}/${query}`;
  answerText(exchange, 301, `it is a folder: ${location}`, { ...immutableHeaders(place), location });
}

/** One line of a list. */
export interface ListedEntry extends DirectoryEntry {
  /** Known to be a folder. Its link ends with a slash: programs that copy folders take any other link for a file. */
  readonly isFolder: boolean;
}

/** Answers with the list of a folder. @param place whose path ends with a slash */
export function answerFolder(exchange: Exchange, place: Place, entries: readonly ListedEntry[]): void {
  const page = Buffer.from(pageOf(place, entries));
  const etag = `"DirIndex-${createHash('sha256').update(page).digest('hex').slice(0, 16)}_CID-${place.roots.at(-1)}"`;
  const headers = {
    ...immutableHeaders(place),
    'cache-control': 'public, max-age=604800, stale-while-revalidate=2678400',
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    etag,
  };
  if (matchesNone(headerOf(exchange, 'if-none-match'), etag)) return answerNothing(exchange, 304, headers);
  answerBytes(exchange, 200, page, headers);
}

function pageOf({ ipfsPath, roots }: Place, entries: readonly ListedEntry[]): string {
  const title = escaped(`Index of ${decodeURIComponent(ipfsPath)}`);
  const rows = entries.map(({ name, cid, tsize, isFolder }) => {
    const hash = blockName(cid);
    const target = `${ipfsPath}${encodeURIComponent(name)}${isFolder ? '/' : ''}`;
    return (
      `<tr><td><a href="${escaped(target)}">${escaped(name)}</a></td>` +
      `<td><a class="ipfs-hash" translate="no" href="/ipfs/${hash}?filename=${encodeURIComponent(name)}">${hash}</a></td>` +
      `<td>${tsize ?? ''}</td></tr>`
    );
  });
  return (
    `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body><h1>Index of ${linksTo(ipfsPath)}</h1>` +
    `<p class="ipfs-hash" translate="no">${roots.at(-1)}</p><table>${wayUp(ipfsPath)}${rows.join('')}</table></body></html>\n`
  );
}

/** The path, each name of it a link to what it leads to. @param ipfsPath `/ipfs/CID/path/` */
function linksTo(ipfsPath: string): string {
  const names = ipfsPath.split('/').slice(2, -1);
  const links = names.map((name, index) => {
    const target = `/ipfs/${names.slice(0, index + 1).join('/')}`;
    return `<a href="${escaped(target)}">${escaped(decodeURIComponent(name))}</a>`;
  });
  return `/ipfs/${links.join('/')}`;
}

/** Nothing is above a root. */
const wayUp = (ipfsPath: string): string =>
  ipfsPath.split('/').length > 4 ? `<tr><td><a href="${escaped(ipfsPath)}..">..</a></td></tr>` : '';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escaped = (text: string): string => text.replace(/[&<>"']/g, (letter) => ENTITIES[letter]!);
