import { Option } from 'commander';
import { PROGRESS_MODES } from './terminal/progress.ts';

export const PROGRESS = new Option('--progress <mode>', 'how progress is shown on stderr')
  .choices(PROGRESS_MODES)
  .default('auto');

/** Of an option that may be given several times. */
export const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value];
