import { createHash } from 'node:crypto';
import type { CidParts } from '#content/cid/cid-bytes';
import type { DirectoryEntry } from '#content/dag/directory-node';
import { blockName } from '#content/dag/verified-blocks';
import { matchesNone } from '../http/entity-tags.ts';
import { answerBytes, answerNothing, answerText, headerOf, type Exchange } from '../http/exchange.ts';
import type { Asked } from './asked.ts';
import type { GatewayParts } from './gateway.ts';
import { immutableHeaders, type Place } from './gateway-headers.ts';
import { entriesHere } from './resolve.ts';

export interface FolderAnswer {
  readonly cid: CidParts;
  readonly place: Place;
  readonly asked: Asked;
  readonly answerFile: (exchange: Exchange, parts: GatewayParts, cid: CidParts, place: Place) => Promise<void>;
}

/** Answers a directory: its index.html where it has one, else a list; without a slash at its end a redirect to it. */
export async function answerFolder(exchange: Exchange, parts: GatewayParts, answer: FolderAnswer): Promise<void> {
  const { cid, place, asked } = answer;
  if (!asked.endsWithSlash) {
    const query = exchange.query.size === 0 ? '' : `?${exchange.query}`;
    const location = `${place.ipfsPath}/${query}`;
    return answerText(exchange, 301, `it is a folder: ${location}`, { ...immutableHeaders(place), location });
  }
  const entries = await entriesHere(parts.blocks, cid);
  if (entries === undefined) return answerText(exchange, 404, 'the folder is not whole here');
  const index = entries.find(({ name }) => name === 'index.html');
  if (index !== undefined) {
    const below = { roots: [...place.roots, blockName(index.cid)], ipfsPath: `${place.ipfsPath}/index.html` };
    return answer.answerFile(exchange, parts, index.cid, below);
  }
  const page = Buffer.from(pageOf(place, entries));
  const etag = `"DirIndex-${createHash('sha256').update(page).digest('hex').slice(0, 16)}_CID-${blockName(cid)}"`;
  const headers = {
    ...immutableHeaders(place),
    'x-ipfs-path': `${place.ipfsPath}/`,
    'cache-control': 'public, max-age=604800, stale-while-revalidate=2678400',
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    etag,
  };
  if (matchesNone(headerOf(exchange, 'if-none-match'), etag)) return answerNothing(exchange, 304, headers);
  answerBytes(exchange, 200, page, headers);
}

function pageOf({ ipfsPath, roots }: Place, entries: readonly DirectoryEntry[]): string {
  const title = escaped(`Index of ${decodeURIComponent(ipfsPath)}`);
  const rows = entries.map(({ name, cid, tsize }) => {
    const hash = blockName(cid);
    const target = `${ipfsPath}/${encodeURIComponent(name)}`;
    return (
      `<tr><td><a href="${escaped(target)}">${escaped(name)}</a></td>` +
      `<td><a class="ipfs-hash" translate="no" href="/ipfs/${hash}?filename=${encodeURIComponent(name)}">${hash}</a></td>` +
      `<td>${tsize ?? ''}</td></tr>`
    );
  });
  return (
    `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body><h1>${title}</h1>` +
    `<p class="ipfs-hash" translate="no">${roots.at(-1)}</p><table>${rows.join('')}</table></body></html>\n`
  );
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escaped = (text: string): string => text.replace(/[&<>"']/g, (letter) => ENTITIES[letter]!);
