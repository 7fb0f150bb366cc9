/** What kind of client asked: of a gateway, of a hub for bytes or descriptions, of a router for providers; a host that fetches the same file. */
export type ServedKind = 'ipfs' | 'hub-file' | 'hub-api' | 'routing' | 'swarm' | 'other';

/** One answer, for metrics. */
export interface ServedRequest {
  readonly kind: ServedKind;
  readonly status: number;
  /** With headers. */
  readonly sentBytes: number;
  readonly durationMs: number;
  /** False when the client left, or the answer broke off. */
  readonly isWhole: boolean;
}
