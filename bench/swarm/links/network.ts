/** One host of a network, and its link in each direction. */
export interface LinkedHost {
  readonly name: string;
  /** Hosts of one site are at one switch; undefined: they are where the API is. */
  readonly site?: string | undefined;
  readonly bytesPerSecond: number;
}

/** A site whose hosts reach all others over one link, of this rate in each direction. */
export interface LinkedSite {
  readonly name: string;
  readonly bytesPerSecond: number;
}

export interface NetworkPlan {
  readonly hosts: readonly LinkedHost[];
  readonly sites?: readonly LinkedSite[] | undefined;
  /** The gateway is in a namespace of its own, so that no address of this machine changes. Default: in that of this process. */
  readonly isApart?: boolean;
}

/** Hosts with links of limited rates on this machine. */
export interface Network {
  /** `buckets`: the programs keep the rates themselves. */
  readonly kind: 'namespaces' | 'buckets';
  /** Where programs that are not on a host listen, so that hosts reach them. */
  readonly gateway: string;
  /** Words in front of a command that runs where the gateway is. */
  readonly gatewayLauncher: readonly string[];
  /** Addresses of all hosts, as a block. */
  readonly block: string;
  addressOf(host: string): string;
  /** Words in front of a command that runs on the host. */
  launcherOf(host: string): readonly string[];
  close(): Promise<void>;
}

/** Links of which each program keeps its own rate: no network is made. */
export const bucketNetwork = (): Network => ({
  kind: 'buckets',
  gateway: '127.0.0.1',
  gatewayLauncher: [],
  block: '127.0.0.0/8',
  addressOf: () => '127.0.0.1',
  launcherOf: () => [],
  close: async () => undefined,
});
