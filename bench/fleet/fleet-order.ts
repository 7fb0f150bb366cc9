/** What a process of idle workers is told. */
export interface FleetOrder {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly hosts: readonly string[];
  /** Each host reports once in this time; milliseconds. */
  readonly reportEveryMs: number;
}

/** A process of idle workers is told what to do next by these words. */
export type FleetCommand = 'report' | 'rest';
