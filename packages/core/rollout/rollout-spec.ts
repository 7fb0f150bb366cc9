/** A share in hundredths of a percent: 9_800 is 98 %. Whole numbers, so that a threshold has an exact boundary. */
export type BasisPoints = number;

export const WHOLE: BasisPoints = 10_000;

/** One wave: how many hosts it adds, and what must be true before the next one opens. */
export interface WaveSpec {
  readonly name: string;
  /** So many more hosts, or as many as bring all opened hosts to this share of the targeted ones. */
  readonly size: { readonly hosts: number } | { readonly share: BasisPoints };
  /** `manual`: a person opens the next wave. */
  readonly gate: 'auto' | 'manual';
  /** Milliseconds between the end of the wave and the opening of the next one. */
  readonly soakMs: number;
  /** Selector of the hosts that this wave takes first. */
  readonly prefer?: string | undefined;
  /** The wave starts with `base` hosts at once; the limit is multiplied by `factor` after each `everySuccesses`. */
  readonly ramp?: { readonly base: number; readonly factor: number; readonly everySuccesses: number } | undefined;
}

/** Stops new dispatches when too many hosts fail early. Each limit counts finished hosts of the open wave. */
export interface AbortSpec {
  readonly failedShare?: BasisPoints | undefined;
  readonly failedHosts?: number | undefined;
  /** Finished hosts below which no limit applies, so that one failure of one does not end a rollout. */
  readonly minSample: number;
  /** `pause` keeps running hosts going; `stop` fails the rollout. */
  readonly action: 'pause' | 'stop';
}

/** What the verdict and the pace of a rollout depend on. */
export interface RolloutPolicy {
  readonly waves: readonly WaveSpec[];
  /** Share of the targeted hosts that must succeed. */
  readonly successShare: BasisPoints;
  readonly abort?: AbortSpec | undefined;
  /** What happens to hosts that are not final when success is out of reach. */
  readonly onFailure: 'stop' | 'continue';
  /** Most active hosts at once, in all and per site; undefined is without limit. */
  readonly concurrency: { readonly global?: number | undefined; readonly perSite?: number | undefined };
}

/** A model version that a rollout brings to its hosts. */
export interface RolloutModel {
  readonly name: string;
  readonly version: string;
  readonly files: number;
  /** Sum of the files whose size is known. */
  readonly sizeBytes: number;
}

/** As the time zone of a window: that of each host. */
export const HOST_ZONE = 'host';
/** The zone of a host whose worker names none. */
export const UNKNOWN_ZONE = 'UTC';

/** When waves may run: from each moment that the cron expression names, for so long. */
export interface RolloutWindow {
  /** Five fields: minute, hour, day of the month, month, day of the week. */
  readonly cron: string;
  readonly forMs: number;
  /** IANA name of the time zone that the expression is read in; `host`: that of each host. */
  readonly tz: string;
}

/**
 * When a host shows a version. `download`: the rollout only stores it. `activate`: the rollout tells each host that has every file.
 * Left out: as soon as the last file is there.
 */
export type RolloutMode = 'download' | 'activate';

/** Commands around the activation of a host, by their names in the configuration of its worker. */
export interface ActivationCommands {
  /** Before the version is shown; a failure keeps the version that is shown now. */
  readonly before?: string | undefined;
  /** Once the version is shown; a failure fails the host, which goes on showing the version. */
  readonly after?: string | undefined;
}

/** What an offline host means: it is waited for until the deadline, it leaves the denominator, or it failed. */
export type OfflinePolicy = 'wait' | 'skip' | 'fail';

/** Everything a rollout was asked to do, with defaults filled in. */
export interface RolloutSpec {
  readonly selector: string;
  readonly exclude: readonly string[];
  readonly policy: RolloutPolicy;
  readonly offline: OfflinePolicy;
  /** Limits of one host, from its dispatch: the longest time without a new byte, and in all. Milliseconds. */
  readonly host: { readonly stallMs: number; readonly deadlineMs?: number | undefined };
  /** From the creation, or the last retry, to the end of the rollout; milliseconds. */
  readonly deadlineMs: number;
  /** Hosts that match later get the models too; they are not in the verdict. */
  readonly isDynamic: boolean;
  /** Once it succeeded, hosts that match later or return without the models get them too, until it is released. */
  readonly hold?: boolean | undefined;
  readonly supersede: 'same-model' | 'none';
  readonly windows: readonly RolloutWindow[];
  readonly needsApproval: boolean;
  readonly mode?: RolloutMode | undefined;
  readonly commands?: ActivationCommands | undefined;
  /** Of its jobs on each host, and among rollouts that begin at the same time: 1 is first. Left out: before all numbers. */
  readonly priority?: number | undefined;
  /** How many copies of each file may leave the origin while other hosts can give it. Left out: 1. */
  readonly originCopies?: number | undefined;
}
