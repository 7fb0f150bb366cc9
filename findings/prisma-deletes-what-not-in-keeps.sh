#!/bin/sh
# What: `deleteMany({ where: { NOT: { id: { in: keep } } } })` of Prisma deletes all rows, those to keep too, once the list is longer than one statement
#       takes (here 1,500 values with SQLite; apart from this script seen with 40,000 in PostgreSQL). Prisma cuts the list of `in` into several statements,
#       also below a `NOT`, and each of them spares its own part only. `findMany` with the same filter gives rows that the filter leaves out, and
#       gives rows twice; an `OR` beside a long `in` gives a row once for each part. `notIn`, which means the same, is refused instead (P2029,
#       "query parameter limit"). With a shorter list all are right.
# Versions: prisma, @prisma/client and @prisma/adapter-libsql 7.10.0 of npm; Node of the machine (20.19 or later); Linux.
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

model File {
  id Int @id
}
PRISMA
# `generate` needs no engine, but would fetch one.
PRISMA_SCHEMA_ENGINE_BINARY=/bin/true ./node_modules/.bin/prisma generate --schema schema.prisma >generate.log 2>&1 || { cat generate.log; exit 1; }
cat >run.mjs <<'JS'
import { PrismaLibSql } from '@prisma/adapter-libsql';
import { Prisma, PrismaClient } from '@prisma/client';

const ROWS = 3000;
const prisma = new PrismaClient({ adapter: new PrismaLibSql({ url: 'file:files.db' }), errorFormat: 'minimal' });
const table = prisma.file;
await prisma.$executeRawUnsafe('CREATE TABLE File (id INTEGER PRIMARY KEY)');
const told = (promise) => promise.then((value) => value.count ?? value.length ?? value, ({ code }) => code);

/** What is found and left where the first `kept` of all rows are in the list. */
async function seen(kept) {
  await table.deleteMany();
  await table.createMany({ data: Array.from({ length: ROWS }, (_, index) => ({ id: index + 1 })) });
  const keep = Array.from({ length: kept }, (_, index) => index + 1);
  const rest = { NOT: { id: { in: keep } } };
  return {
    'findMany notIn': await told(table.findMany({ where: { id: { notIn: keep } } })),
    'findMany NOT in': await told(table.findMany({ where: rest })),
    'findMany in, or one more': await told(table.findMany({ where: { OR: [{ id: { in: keep } }, { id: ROWS }] } })),
    'deleteMany NOT in': await told(table.deleteMany({ where: rest })),
    left: await table.count(),
  };
}

const [short, long] = [await seen(900), await seen(1500)];
await prisma.$disconnect();
console.log(`Node ${process.version}, Prisma ${Prisma.prismaVersion.client}, ${ROWS} rows`);
console.log('a list of 900 ids:', short);
console.log('a list of 1500 ids:', long);
const wanted = [
  [2100, 2100, 901, 2100, 900],
  ['P2029', 4500, 1502, 3000, 0],
];
process.exit(JSON.stringify([short, long].map((one) => Object.values(one))) === JSON.stringify(wanted) ? 0 : 1);
JS
node run.mjs
