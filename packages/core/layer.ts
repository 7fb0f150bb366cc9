/** A tier of the fallback chain, in the default order. */
export const LAYERS = ['cache', 'ipfs', 'origin', 'bundled', 'peer'] as const;

export type Layer = (typeof LAYERS)[number];

/**
 * What each layer is called outside of the engine, in the same order: in settings, the API, jobs, events, rows and labels. `origin`
 * (hubs, mirrors and local files) keeps the name that it had when hubs were all that it held.
 */
export const LAYER_NAMES = ['cache', 'ipfs', 'huggingface', 'bundled', 'peer'] as const;

export type LayerName = (typeof LAYER_NAMES)[number];

export const nameOfLayer = (layer: Layer): LayerName => (layer === 'origin' ? 'huggingface' : layer);

export const layerOfName = (name: LayerName): Layer => (name === 'huggingface' ? 'origin' : name);

/** How a download ended; the labels of docs/requirements.md. */
export const OUTCOMES = [
  'cache_hit',
  'primary_success',
  'secondary_success',
  'tertiary_bundled_success',
  'tertiary_peer_success',
  'all_layers_exhausted',
] as const;

export type Outcome = (typeof OUTCOMES)[number];

const OUTCOME_BY_LAYER: Record<Layer, Outcome> = {
  cache: 'cache_hit',
  ipfs: 'primary_success',
  origin: 'secondary_success',
  bundled: 'tertiary_bundled_success',
  peer: 'tertiary_peer_success',
};

/**
 * The label of a finished download: the layer that gave its last missing bytes decides, because that
 * is how deep the chain had to go.
 */
export const outcomeOf = (deepestLayer: Layer): Outcome => OUTCOME_BY_LAYER[deepestLayer];

/** What a source is; several kinds may serve one layer (a hub and a mirror are both `origin`). */
export const SOURCE_KINDS = ['ipfs-gateway', 'huggingface', 'mirror', 'bundle', 'local', 'peer'] as const;

export type SourceKind = (typeof SOURCE_KINDS)[number];
