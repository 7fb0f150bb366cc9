#!/bin/sh
# What: pages with `cursor` and `skip: 1`, as the documentation of Prisma shows them, lose rows without an error when the last row of a page has changed by the
#       time the next one is asked for. Where it left the filter (a worker that goes through the waiting rows and sets each to done), `skip: 1` skips
#       the first row that is still wanted: one is lost at each page. Where it was deleted, the next page is empty, which looks like the
#       end. The statement is `id >= (SELECT id … WHERE id = cursor) … OFFSET 1`. `where: { id: { gt: last } }` gives all rows each time.
# Versions: prisma, @prisma/client and @prisma/adapter-libsql 7.10.0 of npm; Node of the machine (20.19 or later); Linux. Apart from this script seen with
#       the same counts with @prisma/adapter-pg 7.10.0 and PostgreSQL 18.6.
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts prisma@7.10.0 @prisma/client@7.10.0 @prisma/adapter-libsql@7.10.0
cat >schema.prisma <<'PRISMA'
generator client {
  provider = "prisma-client-js"
}

datasource db {
  provider = "sqlite"
}

model Job {
  id    Int    @id
  state String
}
PRISMA
# `generate` needs no engine, but would fetch one.
PRISMA_SCHEMA_ENGINE_BINARY=/bin/true ./node_modules/.bin/prisma generate --schema schema.prisma >generate.log 2>&1 || { cat generate.log; exit 1; }
cat >run.mjs <<'JS'
import { PrismaLibSql } from '@prisma/adapter-libsql';
import { Prisma, PrismaClient } from '@prisma/client';

const ROWS = 100;
const PAGE = 10;
const prisma = new PrismaClient({ adapter: new PrismaLibSql({ url: 'file:jobs.db' }) });
const table = prisma.job;
await prisma.$executeRawUnsafe('CREATE TABLE Job (id INTEGER PRIMARY KEY, state TEXT NOT NULL)');

const byCursor = (last) => table.findMany({
  where: { state: 'waiting' },
  orderBy: { id: 'asc' },
  take: PAGE,
  ...(last === 0 ? {} : { cursor: { id: last }, skip: 1 }),
});
const byFilter = (last) => table.findMany({ where: { state: 'waiting', id: { gt: last } }, orderBy: { id: 'asc' }, take: PAGE });

/** How many rows come in pages of which each is worked on before the next one is asked for. */
async function seen(page, work) {
  await table.deleteMany();
  await table.createMany({ data: Array.from({ length: ROWS }, (_, index) => ({ id: index + 1, state: 'waiting' })) });
  let count = 0;
  let last = 0;
  for (let rows = await page(last); rows.length > 0; rows = await page(last)) {
    count += rows.length;
    last = rows.at(-1).id;
    await work({ id: { in: rows.map(({ id }) => id) } });
  }
  return count;
}

const works = {
  'left as they are': async () => undefined,
  'set to done': (where) => table.updateMany({ where, data: { state: 'done' } }),
  deleted: (where) => table.deleteMany({ where }),
};
const counts = {};
for (const [name, work] of Object.entries(works)) counts[name] = [await seen(byCursor, work), await seen(byFilter, work)];
await prisma.$disconnect();
console.log(`Node ${process.version}, Prisma ${Prisma.prismaVersion.client}, ${ROWS} rows in pages of ${PAGE}; rows [by cursor, by filter]:`, counts);
process.exit(JSON.stringify(Object.values(counts)) === '[[100,100],[91,100],[10,100]]' ? 0 : 1);
JS
node run.mjs
