import type { Client } from '#client/client';
import type { CommandContext } from '../context.ts';
import type { Stack } from '../stack/start-stack.ts';
import type { DemoFile } from './demo-file.ts';
import type { DemoOrigin } from './origin.ts';

export const DEMO_REPO = 'haulier/demo-model';
export const DEMO_HOST = 'demo-host';
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
  /** HAULIER_HOME of the demo's host. */
  readonly hostHome: string;
  readonly context: CommandContext;
  readonly report: (step: string) => void;
}
