/** A moment as the API writes it: ISO 8601 in UTC. */
export const momentOf = (date: Date): string => date.toISOString();

export const momentOrNull = (date: Date | null | undefined): string | null => (date ? momentOf(date) : null);
