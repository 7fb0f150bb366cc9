import type { Source } from '#core/source';

/**
 * Whether the bytes of a source enter the site of this host: those of servers, and of hosts of other sites. Files of this machine and hosts of the
 * site are inside.
 *
 * @param isFar whether a peer is a host of another site
 */
export const isOutside = (
  { layer, origin }: Pick<Source, 'layer' | 'origin'>,
  isFar: (origin: string) => boolean,
): boolean => (layer === 'peer' ? isFar(origin) : URL.canParse(origin));
