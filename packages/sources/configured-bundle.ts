import type { Source } from '#core/source';
import type { Http } from '#http/pool';
import { openBundle, type Bundle, type BundleFileSpec } from './bundle.ts';
import { localBundle, type BundleReader } from './bundle-reader.ts';
import { remoteBundle } from './remote-bundle.ts';

/** A bundle that the operator named. It is opened when a file is wanted of it: a medium may be plugged in later. */
export interface ConfiguredBundle {
  source(file: BundleFileSpec): Source;
}

/** @param location an absolute path, or an http(s) URL */
export function configuredBundle(location: string, http: Http): ConfiguredBundle {
  const reader = /^https?:\/\//i.test(location) ? remoteBundle(http, location) : localBundle(location);
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
