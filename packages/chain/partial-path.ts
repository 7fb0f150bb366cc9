import { basename, dirname, join } from 'node:path';

/** Where the bytes of a target grow: beside it, so that the last step is a rename on one filesystem. */
export const partialPathOf = (target: string): string => join(dirname(target), `.${basename(target)}.haulier-part`);
