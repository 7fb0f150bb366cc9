import { z } from 'zod';
import { MINUTE_MS, parseDuration, SECOND_MS } from '#core/units';
import { parsedBy } from '../parsed-by.ts';

/** How a rollout names a command of a worker. */
export const CommandName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,59}$/, 'a command is named by 1 to 60 of a-z 0-9 . _ -, such as reload-server');

const LONGEST_MS = 60 * MINUTE_MS;

const Command = z.strictObject({
  run: z
    .tuple(
      [z.string().regex(/^(\/|[A-Za-z]:[\\/])/, 'write the absolute path of a program')],
      z.string('write each argument as a text'),
    )
    .describe('program and arguments; no shell reads them'),
  timeout: parsedBy(z.string('write a duration such as 30s'), parseDuration)
    .refine((ms) => ms >= SECOND_MS && ms <= LONGEST_MS, 'write a duration from 1s to 60m')
    .default(30 * SECOND_MS),
});

/** What rollouts may run on a host (HAULIER_COMMANDS); docs/guide/configuration.md describes it. */
export const CommandsFile = z.strictObject({
  commands: z.record(CommandName, Command, {
    error: ({ code }) => (code === 'invalid_key' ? 'a command is named by 1 to 60 of a-z 0-9 . _ -' : undefined),
  }),
});

export type CommandsFile = z.infer<typeof CommandsFile>;
