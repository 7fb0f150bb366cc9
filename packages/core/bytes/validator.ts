/**
 * Which version of a file an answer shows, by a validator that is strong enough to join bytes that nothing else proves. The digest of a
 * file needs none.
 */
export interface Validator {
  /** Names the resource that showed it: the same tag of another one says nothing. */
  readonly place: string;
  /** The entity tag as it was sent, weak or strong. */
  readonly etag: string | undefined;
  /** `Last-Modified` as it was sent. */
  readonly lastModified: string | undefined;
}

/**
 * Whether two answers showed the same version. Tag and date must both be the same: there are servers that keep the tag of the first
 * bytes they ever served.
 *
 * @see RFC 9110 section 15.3.7.3
 */
export const isSameVersion = (one: Validator | undefined, other: Validator | undefined): boolean =>
  one !== undefined &&
  other !== undefined &&
  one.place === other.place &&
  one.etag === other.etag &&
  one.lastModified === other.lastModified;
