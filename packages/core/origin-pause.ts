/** A pause that an origin asked for: by `Retry-After`, or because one of its rate limits is used up. */
export interface OriginPause {
  /** Scheme, host and port. */
  readonly origin: string;
  /** The rate limit of the origin that is used up; undefined: the pause holds for every request. */
  readonly bucket?: string | undefined;
  /** Milliseconds that are left of it. */
  readonly ms: number;
}
