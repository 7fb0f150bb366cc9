import { describe, expect, it } from '@jest/globals';
import { SourcePlaces } from '../../../../apps/worker/downloads/source-places.ts';

describe('the places that an admin gave sources', () => {
  const [first, second] = ['https://a.example', 'https://b.example'];

  it('ME5 hold in their layer, until another order replaces them', () => {
    const places = new SourcePlaces();
    expect(places.of({ layer: 'ipfs', origin: first })).toBeUndefined();
    places.set([
      { layer: 'ipfs', origins: [second, first] },
      { layer: 'huggingface', origins: [first] },
    ]);
    expect(places.of({ layer: 'ipfs', origin: first })).toBe(2);
    expect(places.of({ layer: 'origin', origin: first })).toBe(1);
    expect(places.of({ layer: 'origin', origin: second })).toBeUndefined();
    places.set([{ layer: 'ipfs', origins: [] }]);
    expect(places.of({ layer: 'ipfs', origin: first })).toBeUndefined();
    expect(places.of({ layer: 'origin', origin: first })).toBeUndefined();
  });
});
