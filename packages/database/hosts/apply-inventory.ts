import type pg from 'pg';
import { MINUTE_MS } from '#core/units';
import type { InventoryEvent } from '../history/event-waves.ts';
import * as sql from './inventory-sql.ts';

/** A running download sends an event every second. */
const SILENT_MS = MINUTE_MS;

/**
 * Stores the pages of an inventory and, once a set is complete, compares it with the rows of the host: a missing file is queued
 * again, a present file ends its download. Repeated and older sets change nothing.
 *
 * @param now our clock
 * @returns ids of the downloads that moved
 */
export async function applyInventories(
  client: pg.PoolClient,
  inventories: readonly InventoryEvent[],
  now: Date,
): Promise<string[]> {
  const hosts = [...new Set(inventories.map(({ host }) => host))].sort();
  for (const host of hosts) await client.query(sql.LOCK_HOST_SQL, [host]);
  for (const { host, bootId, at, page, pages, modelsFolder, entries } of inventories)
    await client.query(sql.STORE_PAGE_SQL, [host, bootId, at, page, pages, modelsFolder, JSON.stringify(entries)]);
  const moved: string[] = [];
  for (const host of hosts) moved.push(...(await compareNewest(client, host, now)));
  return moved;
}

async function compareNewest(client: pg.PoolClient, host: string, now: Date): Promise<string[]> {
  const { rows } = await client.query<{ bootId: string; at: number }>(sql.COMPLETE_SQL, [host, now]);
  const [newest] = rows;
  if (newest === undefined) return [];
  const set = [host, newest.bootId, newest.at];
  const ids = async (statement: string, more: readonly unknown[]): Promise<string[]> =>
    (await client.query<{ id: string }>(statement, [...set, ...more])).rows.map(({ id }) => id);
  const granted = await ids(sql.VERIFY_SQL, [now, SILENT_MS]);
  const lost = await ids(sql.LOSE_SQL, [now]);
  await client.query(sql.SURPLUS_SQL, set);
  await client.query(sql.COMPARED_SQL, set);
  await client.query(sql.FORGET_PAGES_SQL, set);
  return [...granted, ...lost];
}
