import type { SourceOrderList, SourceOrderView } from '#contracts/http/source-orders';
import type { ListedSource, SourceList, SourceTest } from '#contracts/http/sources';
import type { LayerName } from '#core/layer';
import { send, type ClientOptions } from './send.ts';

/** Where bytes come from, and whether it may be asked. Each method throws ApiError or UnreachableError. */
export interface SourceClient {
  /** By layer, and in each layer in the order in which the fleet asks them. */
  listSources(): Promise<ListedSource[]>;
  testSource(id: string): Promise<SourceTest>;
  /** Workers stop asking it. @param body why, and after how long it is used again */
  disableSource(id: string, body: { readonly note: string; readonly expiresIn?: string }): Promise<ListedSource>;
  enableSource(id: string, body?: { readonly note?: string }): Promise<ListedSource>;
  /** The order that admins set, for every layer. */
  listSourceOrders(): Promise<SourceOrderView[]>;
  /**
   * @param sources ids, first to last; none: what is measured decides
   * @param onlyIfVersion refused with 412 when the order has another version; undefined: any
   */
  setSourceOrder(layer: LayerName, sources: readonly string[], onlyIfVersion?: string): Promise<SourceOrderView>;
}

const pathOf = (id: string): string => `/api/sources/${encodeURIComponent(id)}`;

export const sourceMethods = (options: ClientOptions): SourceClient => ({
  listSources: async () => (await send<SourceList>(options, { method: 'GET', path: '/api/sources' })).sources,
  testSource: (id) => send(options, { method: 'POST', path: `${pathOf(id)}/test` }),
  disableSource: (id, body) => send(options, { method: 'POST', path: `${pathOf(id)}/disable`, body }),
  enableSource: (id, body = {}) => send(options, { method: 'POST', path: `${pathOf(id)}/enable`, body }),
  listSourceOrders: async () =>
    (await send<SourceOrderList>(options, { method: 'GET', path: '/api/source-orders' })).orders,
  setSourceOrder: (layer, sources, onlyIfVersion) => {
    const headers = onlyIfVersion === undefined ? {} : { 'if-match': `"${onlyIfVersion}"` };
    return send(options, { method: 'PUT', path: `/api/source-orders/${layer}`, headers, body: { sources } });
  },
});
