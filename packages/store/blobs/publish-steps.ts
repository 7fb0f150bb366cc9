/** The steps of a publish, in their order. After any of them the power may fail. */
export const PUBLISH_STEPS = [
  'partial-synced',
  'blob-renamed',
  'blob-folder-synced',
  'leaves-written',
  'facts-written',
  'view-temporary',
  'view-renamed',
  'view-folder-synced',
  'manifests-written',
  'manifests-renamed',
  'manifests-synced',
] as const;

export type PublishStep = (typeof PUBLISH_STEPS)[number];
