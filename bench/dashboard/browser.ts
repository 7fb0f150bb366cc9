import { createWriteStream } from 'node:fs';
import { access, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { chromium, type Browser } from 'playwright-core';
import { extract } from 'tar-stream';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** Chromium refuses its sandbox to root, and containers refuse it to everyone; pages of a test come from this machine alone. */
const ARGS = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];

export interface TestBrowser {
  readonly browser: Browser;
  close(): Promise<void>;
}

/** Starts the Chromium of the machine, else the one that npm brought, with its libraries where the machine lacks them. */
export async function openBrowser(): Promise<TestBrowser> {
  const installed = await onPath();
  if (installed !== undefined) {
    const browser = await chromium.launch({ executablePath: installed, args: ARGS });
    return { browser, close: () => browser.close() };
  }
  const executablePath = await (await import('@sparticuz/chromium')).default.executablePath();
  const folder = await mkdtemp(join(tmpdir(), 'haulier-chromium-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await unpackLibraries(folder);
    const env = { ...definedEnv(), LD_LIBRARY_PATH: join(folder, 'lib') };
    const launch = (more: object) => chromium.launch({ executablePath, args: ARGS, ...more });
    // Its own libraries first: those that npm brought may be older than what the machine's other libraries need.
    const browser = await launch({}).catch(() => launch({ env }));
    return { browser, close: async () => void (await browser.close(), await remove()) };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function onPath(): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    for (const name of NAMES) {
      const path = join(folder, name);
      if (
        await access(path).then(
          () => true,
          () => false,
        )
      )
        return path;
    }
  return undefined;
}

const definedEnv = (): Record<string, string> =>
  Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));

/** NSS and its kin, which a small machine has not. */
async function unpackLibraries(folder: string): Promise<void> {
  const packed = new URL(import.meta.resolve('@sparticuz/chromium'));
  const archive = join(dirname(packed.pathname), '../../bin/al2023.tar.br');
  const files = extract();
  files.on('entry', (header, stream, next) => {
    const path = join(folder, header.name);
    if (header.type !== 'file') return void (stream.resume(), next());
    mkdir(dirname(path), { recursive: true })
      .then(() => pipeline(stream, createWriteStream(path, { mode: 0o755 })))
      .then(() => next(), next);
  });
  await pipeline(Readable.from([await promisify(brotliDecompress)(await readFile(archive))]), files);
}
