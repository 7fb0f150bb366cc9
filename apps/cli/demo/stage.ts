import type { ApiClient } from '#client/client';
import type { CommandContext } from '../context.ts';
import type { Stack } from '../stack/start-stack.ts';
import type { DemoFile } from './demo-file.ts';
import type { DemoOrigin } from './origin.ts';

export const DEMO_REPO = 'haulier/demo-model';
/** The first commit of the demo's repository. */
export const DEMO_COMMIT = 'a'.repeat(40);

/** The parts of the demo that its scenes use. */
export interface DemoStage {
  readonly client: ApiClient;
  readonly stack: Stack;
  readonly origin: DemoOrigin;
  /** The model's files, the largest first. */
  readonly files: readonly DemoFile[];
  readonly model: string;
  /** Name of the demo's host, new for each run; names of further hosts start with it. */
  readonly host: string;
  /** HAULIER_HOME of the demo's host. */
  readonly hostHome: string;
  /** Admin token of the demo's API. */
  readonly token: string;
  /** With an environment without the caller's settings. */
  readonly context: CommandContext;
  readonly report: (step: string) => void;
}
