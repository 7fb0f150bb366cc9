import type { Catalogue } from './catalogue.ts';
import { readerOf } from './catalogue.ts';
import { answerJson, type Exchange } from './http/exchange.ts';

/**
 * Answers what is served: models with their repositories and folders, and what is fetched when it is asked for, as JSON.
 *
 * @param fetches patterns of repositories, and CIDs
 */
export async function answerIndex(exchange: Exchange, catalogue: Catalogue, fetches: readonly string[]): Promise<void> {
  const reader = readerOf(catalogue, exchange.isTrusted);
  const folders = await catalogue.folders();
  const models = [...catalogue.records].flatMap(([name, { version, versions }]) => {
    if (!reader.mayReadModel(name)) return [];
    const repos = [...catalogue.repos.values()].filter((repo) => repo.models.has(name));
    return {
      ...{ name, version },
      versions: [...versions.keys()].map((one) => ({
        version: one,
        cid: folders.find((folder) => folder.model === name && folder.version === one)?.dag.cid ?? null,
      })),
      repos: repos.map((repo) => ({ type: repo.type, name: repo.name, refs: Object.fromEntries(repo.refs) })),
    };
  });
  answerJson(exchange, 200, { hub: exchange.origin, gateway: `${exchange.origin}/ipfs/`, models, fetches });
}
