import { isAbsolute } from 'node:path';
import { expect, it } from '@jest/globals';
import { homeFolder } from '#os/home-folder';

it('is the one that is named, as an absolute path', () => {
  expect(homeFolder('/data')).toBe('/data');
  expect(isAbsolute(homeFolder('data'))).toBe(true);
});
