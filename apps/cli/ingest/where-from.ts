import { PUBLIC_HUB } from '#fetch/download';
import type { AddRequest } from './add-request.ts';
import type { ComposedManifest } from './compose-manifest.ts';

/** @returns one sentence: from where hosts will get the files of a model that was just published */
export function whereFrom({ origin }: AddRequest, { manifest }: ComposedManifest, isStored: boolean): string {
  const model = `${manifest.name}@${manifest.version}`;
  switch (origin.kind) {
    case 'hub': {
      const hub = new URL(origin.endpoint ?? PUBLIC_HUB).host;
      return `hosts get it from ${hub}, repository ${origin.repo}${origin.ipfs === undefined ? '' : ', and from their IPFS gateways'}`;
    }
    case 'ipfs':
    case 'manifest':
      return 'hosts get it from their IPFS gateways, by the CIDs of its files, and from sources that the manifest names';
    case 'folder':
      return (
        (isStored ? 'the files are in the store of this host' : `the files are in ${origin.folder} alone`) +
        `; the manifest names no source, so other hosts get ${model} from a bundle ` +
        `(haulier bundle create ${model} -o ${manifest.name}.tar, then HAULIER_BUNDLES there), ` +
        'or from their IPFS gateways once its files are on IPFS'
      );
  }
}
