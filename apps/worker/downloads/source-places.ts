import type { SourceOrder } from '#contracts/worker/source-order';
import { nameOfLayer } from '#core/layer';
import type { Source } from '#core/source';

/** Where an admin placed sources. A transfer reads it when it begins. */
export class SourcePlaces {
  /** By layer, the place of each origin from 1. */
  #places: ReadonlyMap<string, ReadonlyMap<string, number>> = new Map();

  /** Replaces all orders. */
  set(orders: readonly SourceOrder[]): void {
    this.#places = new Map(
      orders.map(({ layer, origins }) => [layer, new Map(origins.map((origin, index) => [origin, index + 1]))]),
    );
  }

  /** @returns from 1; undefined for a source that no order names */
  of({ layer, origin }: Pick<Source, 'layer' | 'origin'>): number | undefined {
    return this.#places.get(nameOfLayer(layer))?.get(origin);
  }
}
