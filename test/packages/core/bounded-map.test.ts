import { describe, expect, it } from '@jest/globals';
import { BoundedMap } from '#core/bounded-map';

describe('BoundedMap', () => {
  it('drops the least recently used value for a further one', () => {
    const dropped: number[] = [];
    const map = new BoundedMap<number>({ capacity: 2, onDropped: (value) => dropped.push(value) });
    map.set('a', 1);
    map.set('b', 2);
    map.get('a');
    map.peek('b');
    map.set('c', 3);
    expect([...map.keys()]).toEqual(['a', 'c']);
    expect(dropped).toEqual([2]);
  });

  it('drops nothing when a known key gets another value', () => {
    const map = new BoundedMap<number>({ capacity: 1 });
    map.set('a', 1);
    map.set('a', 2);
    expect([...map.values()]).toEqual([2]);
  });

  it('drops a value that may go first before an older one', () => {
    const map = new BoundedMap<number>({ capacity: 3, dropsFirst: (value) => value > 1 });
    for (const [index, key] of ['a', 'b', 'c', 'd'].entries()) map.set(key, index);
    expect([...map.keys()]).toEqual(['a', 'b', 'd']);
  });
});
