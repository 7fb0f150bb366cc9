import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { parseJson } from '#core/text/parse-json';
import { nodeFiles } from '#os/file-calls';
import { writeAtomically } from '#os/write-file';

const Answers = z.record(z.string(), z.number().int());

/** When the origins of this host's models last answered; kept on disk for hosts that are offline for weeks. */
export class VersionAnswers {
  readonly #path: string;
  #answers: Map<string, number> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** @returns milliseconds since 1970; undefined for a model of which nothing is known */
  async of(model: string): Promise<number | undefined> {
    return (await this.#load()).get(model);
  }

  /** Keeps the latest of each model. Resolves when it is on disk. */
  async learn(found: Iterable<readonly [model: string, at: number]>): Promise<void> {
    const answers = await this.#load();
    let changed = false;
    for (const [model, at] of found) {
      if (!Number.isFinite(at) || at <= (answers.get(model) ?? 0)) continue;
      answers.set(model, at);
      changed = true;
    }
    if (!changed) return;
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write(answers));
    await this.#writing;
  }

  /** What cannot be read counts as unknown: the next check fills it again. */
  async #load(): Promise<Map<string, number>> {
    const text = this.#answers === undefined ? await readFile(this.#path, 'utf8').catch(() => '{}') : '';
    return (this.#answers ??= new Map(Object.entries(parse(text))));
  }

  async #write(answers: ReadonlyMap<string, number>): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true });
    await writeAtomically(nodeFiles, this.#path, JSON.stringify(Object.fromEntries(answers)));
  }
}

const parse = (text: string): Record<string, number> => Answers.safeParse(parseJson(text)).data ?? {};
