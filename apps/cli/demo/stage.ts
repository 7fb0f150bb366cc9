import type { Client } from '#client/client';
import type { CommandContext } from '../context.ts';
import type { Stack } from '../stack/start-stack.ts';
import type { DemoFile } from './demo-file.ts';
import type { DemoOrigin } from './origin.ts';

export const DEMO_REPO = 'haulier/demo-model';
/** The first commit of the demo's repository. */
export const DEMO_COMMIT = 'a'.repeat(40);

/** Everything a scene of the demo needs. */
export interface DemoStage {
  readonly client: Client;
  readonly stack: Stack;
  readonly origin: DemoOrigin;
  /** The model's files, the largest first. */
  readonly files: readonly DemoFile[];
  readonly model: string;
  /** Name of the demo's host, new for each run, and the start of further ones. */
  readonly host: string;
  /** HAULIER_HOME of the demo's host. */
  readonly hostHome: string;
  /** Admin token of the demo's API. */
  readonly token: string;
  /** Its environment is free of the caller's own settings. */
  readonly context: CommandContext;
  readonly report: (step: string) => void;
}
