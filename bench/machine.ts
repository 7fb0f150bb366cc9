import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { statfs } from 'node:fs/promises';
import { GIB } from '#core/units';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  readonly fileSystem: string;
  readonly date: string;
}

const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0xef53: 'ext4',
  0x01021994: 'tmpfs',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x794c7630: 'overlayfs',
};

/** Names the machine the figures belong to. */
export async function describeMachine(folder: string): Promise<Machine> {
  const { type } = await statfs(folder);
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / GIB),
    kernel: release(),
    node: process.versions.node,
    fileSystem: FILE_SYSTEMS[type] ?? `type 0x${type.toString(16)}`,
    date: new Date().toISOString().slice(0, 10),
  };
}
