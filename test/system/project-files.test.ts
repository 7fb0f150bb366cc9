import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');

/** The keys directly below `services:`, with the lines of each. Enough YAML for a file that prettier keeps in shape. */
function servicesOf(compose: string): Map<string, string[]> {
  const services = new Map<string, string[]>();
  let section = '';
  let service: string[] | undefined;
  for (const line of compose.split('\n')) {
    if (/^\S/.test(line) && !line.startsWith('#')) section = line.split(':')[0]!;
    const name = section === 'services' ? /^ {2}([a-z]+):$/.exec(line)?.[1] : undefined;
    if (name !== undefined) services.set(name, (service = []));
    else if (section === 'services') service?.push(line.trim());
  }
  return services;
}

describe('the top of the project', () => {
  it.each([
    ...['docker-compose.yml', 'Dockerfile', 'package.json', 'tsconfig.json', 'jest.config.ts'],
    ...['prisma/schema.prisma', 'prisma/migrations', 'README.md', 'LICENSE'],
  ])('SY5 has %s', (name) => {
    expect(existsSync(join(ROOT, name))).toBe(true);
  });

  it('SY5 is one package whose tests run in Jest', () => {
    const { scripts, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
    expect(scripts).toMatchObject({ start: expect.any(String), test: expect.any(String), demo: expect.any(String) });
    expect(devDependencies).toHaveProperty('jest');
    expect(JSON.parse(read('tsconfig.json'))).toMatchObject({ compilerOptions: { strict: true } });
  });

  it('SY5 brings up Postgres, Redis, the migration, the API and any number of workers', () => {
    const compose = read('docker-compose.yml');
    expect(compose).not.toContain('\t');
    const services = servicesOf(compose);
    expect([...services.keys()]).toEqual(['postgres', 'redis', 'migrate', 'api', 'worker']);
    for (const name of ['postgres', 'redis', 'api', 'worker']) expect(services.get(name)).toContain('healthcheck:');
    expect(services.get('redis')!.join(' ')).toMatch(/--appendonly - 'yes'.*--maxmemory-policy - noeviction/);
    const worker = services.get('worker')!.join('\n');
    expect(worker).not.toMatch(/container_name|DATABASE_URL|HAULIER_ADMIN_TOKEN|ports:/);
    expect(services.get('migrate')!.join('\n')).toMatch(/--migrate-only[\s\S]*restart: 'no'/);
  });

  it('SY5 starts commands in the container that the build makes', () => {
    const commands = [...`${read('docker-compose.yml')}${read('Dockerfile')}`.matchAll(/dist\/(apps\/\w+\/main)\.js/g)];
    for (const [, path] of commands) expect([path, existsSync(join(ROOT, `${path}.ts`))]).toEqual([path, true]);
    expect(commands.length).toBeGreaterThan(3);
    expect(read('Dockerfile')).toMatch(/^USER (?!root|0)/m);
  });
});
