/** @returns the host of a column in the case that its worker has; the column itself for a host that never reported */
export const shownHostSql = (column: string): string =>
  `coalesce((SELECT s.shown_name FROM hosts s WHERE s.name = ${column}), ${column})`;
