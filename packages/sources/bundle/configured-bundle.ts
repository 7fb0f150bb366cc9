import type { Source } from '#core/source';
import type { Http } from '#http/pool';
import { openBundle, type Bundle, type BundleFileSpec } from './bundle.ts';
import { localBundle, type BundleReader } from './bundle-reader.ts';
import { remoteBundle } from './remote-bundle.ts';

/** A bundle that the operator named. It is opened when a file is wanted of it: a medium may be plugged in later. */
export interface ConfiguredBundle {
  source(file: BundleFileSpec): Source;
}

/**
 * Each has a name of its own, by which journals and attempts know it: the second of one name is `… #2`.
 *
 * @param locations absolute paths, or http(s) URLs
 */
export function configuredBundles(locations: readonly string[], http: Http): ConfiguredBundle[] {
  const seen = new Map<string, number>();
  return locations.map((location) => {
    const reader = readerOf(location, http);
    const count = (seen.get(reader.name) ?? 0) + 1;
    seen.set(reader.name, count);
    return openedWhenWanted(count === 1 ? reader : readerOf(location, http, `${reader.name} #${count}`));
  });
}

const readerOf = (location: string, http: Http, name?: string): BundleReader =>
  /^https?:\/\//i.test(location) ? remoteBundle(http, location, name) : localBundle(location, name);

function openedWhenWanted(reader: BundleReader): ConfiguredBundle {
  let opened: Bundle | undefined;
  const open = async (signal: AbortSignal): Promise<Bundle> => (opened ??= await openBundle(reader, signal));
  return { source: (file) => lazySource(reader, file, () => opened, open) };
}

function lazySource(
  reader: BundleReader,
  file: BundleFileSpec,
  opened: () => Bundle | undefined,
  open: (signal: AbortSignal) => Promise<Bundle>,
): Source {
  return {
    name: reader.name,
    kind: 'bundle',
    layer: 'bundled',
    origin: reader.origin,
    capabilities: () => opened()?.source(file).capabilities() ?? { range: undefined, blocks: false, maxConnections: 1 },
    read: async (request, sink, signal) => {
      const bundle = await open(signal);
      await bundle.source(file).read(request, sink, signal);
    },
  };
}
