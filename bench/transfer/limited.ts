import { fact } from '../goals.ts';
import type { Measured } from '../measured.ts';
import type { Variant } from '../rounds.ts';
import type { BenchCase } from './bench-case.ts';
import { LIMITED_BYTES_PER_SECOND } from './origin.ts';
import { engineVariant, programVariant } from './variants.ts';

const CONNECTIONS = 4;

/** Three sources that limit each connection: several connections are faster. */
export const limitedCase: BenchCase = {
  name: 'limited',
  title: (quick) => `${quick ? 1 : 2} GiB from three sources of 20 MiB/s per connection, four connections each`,
  goals: [
    {
      ...{ id: 'T8', of: 'engine, 3 sources', what: 'share of the sum of limits', look: fact('share') },
      ...{ direction: 'at least', hold: 0.95, stretch: 0.98 },
    },
  ],
  async prepare(lab) {
    const file = await lab.file(lab.options.quick ? 1024 : 2048);
    const { aria2c, curl } = lab.programs;
    const urls = lab.origin.limitedUrls.map((base) => `${base}/${file.name}`);
    const sum = urls.length * CONNECTIONS * LIMITED_BYTES_PER_SECOND;
    const { sizeBytes, sha256 } = file;
    const engine = await lab.engine();
    const shared = withShare(sizeBytes, sum);
    const variants: Variant[] = [];
    if (aria2c !== undefined) {
      // All three have the same host, and -x counts by host.
      const all = CONNECTIONS * urls.length;
      const args = ['-q', `-x${all}`, `-s${all}`, '--file-allocation=none'];
      variants.push(
        programVariant(lab, 'aria2c, 12 connections, not verified', (folder) => [
          { program: aria2c, args: [...args, '-d', folder, '-o', 'file', ...urls] },
        ]),
      );
    } else
      variants.push(
        programVariant(lab, 'curl -o, one connection', (folder) => [
          { program: curl, args: ['-sS', '-o', `${folder}/file`, urls[0]!] },
        ]),
      );
    variants.push(
      engineVariant(lab, 'engine, 3 sources', engine, (folder) => ({
        files: [{ target: `${folder}/file`, sizeBytes, sha256, urls }],
        connections: CONNECTIONS,
      })),
    );
    return { variants: variants.map(shared), writtenBytes: sizeBytes, notes: lab.programs.missing };
  },
};

const withShare =
  (sizeBytes: number, limit: number) =>
  (variant: Variant): Variant => ({
    ...variant,
    run: async (): Promise<Measured> => {
      const measured = await variant.run();
      const share = sizeBytes / (measured.wallMs / 1000) / limit;
      return { ...measured, facts: { ...measured.facts, share } };
    },
  });
