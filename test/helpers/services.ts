/** Where the real services are that scripts/test.mjs started. */
export function testPostgresUrl(): string {
  return required('HAULIER_TEST_POSTGRES_URL');
}

export function testRedisUrl(): string {
  return required('HAULIER_TEST_REDIS_URL');
}

/** Where programs that the machine lacks are unpacked; shared by all runs. */
export function testCacheDir(): string {
  return required('HAULIER_TEST_CACHE_DIR');
}

function required(name: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new Error(`${name} is not set: run this test with \`npm test -- <path>\`, which starts the services it needs`);
}
