import { expect, it } from '@jest/globals';
import { nearestOf } from '#core/text/nearest';

const WORDS = ['HAULIER_PORT', 'HAULIER_HOST', 'REDIS_URL'];

it.each([
  ['two letters in the wrong order', 'HAULIER_PROT', 'HAULIER_PORT'],
  ['a letter too few', 'HAULIER_HOT', 'HAULIER_HOST'],
  ['a letter too many', 'REDIS_URLS', 'REDIS_URL'],
  ['small letters', 'redis_url', 'REDIS_URL'],
])('finds the known word behind %s', (_what, typed, word) => {
  expect(nearestOf(typed, WORDS)).toBe(word);
});

it.each(['PATH', '', 'TELEMETRY_ENDPOINT'])('finds none for "%s"', (typed) => {
  expect(nearestOf(typed, WORDS)).toBeUndefined();
});
