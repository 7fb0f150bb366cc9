import { createHash } from 'node:crypto';

/** A UUID that is the same each time: of version 4 in its form, as readers of the API expect. */
export const seedUuid = (text: string): string => {
  const hex = createHash('md5').update(text).digest('hex');
  return `${hex.slice(0, 12)}4${hex.slice(13, 16)}8${hex.slice(17)}`;
};

/** The same in SQL, for an expression that is a text. */
export const seedUuidSql = (text: string): string =>
  `overlay(overlay(md5(${text}) placing '4' from 13) placing '8' from 17)::uuid`;
