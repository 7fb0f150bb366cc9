import { expect } from '@jest/globals';
import { sampleManifest, sha256OfFile, type SampleFile } from '../helpers/sample-file.ts';
import type { System } from '../helpers/system.ts';

/** Orders files of a system, each as a model of its own. */
export interface Ordering {
  /** @returns the id of the download */
  order(name: string, host: string): Promise<string>;
  /** Waits for the end of the download, and compares what its host has. */
  expectWhole(id: string, name: string): Promise<void>;
}

/** @param files named `<name>.bin` */
export function orderingOf(system: System, files: readonly SampleFile[]): Ordering {
  const named = (name: string): SampleFile => files.find(({ path }) => path === `${name}.bin`)!;
  return {
    async order(name, host) {
      await system.client.publishVersion(sampleManifest(name, [named(name)]));
      return (await system.client.createDownloads({ model: name, host })).downloads[0]!.id;
    },
    async expectWhole(id, name) {
      const done = await system.awaitDownload(id, ({ status }) => status === 'success');
      expect(await sha256OfFile(done.path!)).toBe(named(name).sha256);
    },
  };
}
