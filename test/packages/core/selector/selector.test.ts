import { describe, expect, it } from '@jest/globals';
import { isSelected, parseSelector, SelectorError } from '#core/selector/selector';

const host = { name: 'gpu-07', labels: { gpu: 'true', env: 'prod', 'example.com/zone': 'eu-1', empty: '' } };
const matches = (text: string): boolean => isSelected(parseSelector(text), host);

describe('a selector of hosts', () => {
  it.each([
    ['', true],
    ['gpu=true', true],
    ['gpu==true', true],
    ['gpu = true , env in (prod)', true],
    ['gpu!=true', false],
    ['env in (dev, prod)', true],
    ['env notin (dev,test)', true],
    ['env notin (prod)', false],
    ['gpu', true],
    ['!gpu', false],
    ['!drain', true],
    ['drain!=true', true],
    ['drain notin (true)', true],
    ['drain=true', false],
    ['example.com/zone=eu-1', true],
    ['empty=', true],
    ['toString', false],
    ['name~gpu-*', true],
    ['name~GPU-07', true],
    ['name~*07', true],
    ['name~g*0*7', true],
    ['name~gpu-0', false],
    ['name~*8*', false],
  ])('%s is %s', (text, expected) => {
    expect(matches(text)).toBe(expected);
  });

  it.each([
    ['gpu=true,', 'extra comma'],
    ['gpu in true', 'is no condition'],
    ['gpu in (a', 'is no condition'],
    ['-gpu=true', 'the key "-gpu"'],
    ['gpu=tr ue', 'is no condition'],
    ['gpu=-x', 'the value "-x"'],
    ['Example.com/zone=a', 'the prefix "Example.com"'],
    [`${'k'.repeat(64)}=a`, '1 to 63'],
    ['a=b=c', 'is no condition'],
    ['=b', 'is no condition'],
  ])('refuses %s and says why', (text, why) => {
    expect(() => parseSelector(text)).toThrow(SelectorError);
    expect(() => parseSelector(text)).toThrow(why);
  });
});
