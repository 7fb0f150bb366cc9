import type { SweepLimits } from './sweep-plan.ts';

/** The settings HAULIER_STORE_* that say what may be deleted, as they were read. */
export interface SweepValues {
  readonly HAULIER_STORE_KEEP_QUARANTINE: number;
  readonly HAULIER_STORE_KEEP_PARTIALS: number;
  readonly HAULIER_STORE_KEEP_VERSIONS: number;
  readonly HAULIER_STORE_WARN_BYTES: number;
  readonly HAULIER_STORE_MAX_BYTES: number | undefined;
}

/** The names of the settings that `sweepLimits` needs. */
export const SWEEP_SETTING_NAMES = [
  'HAULIER_STORE_KEEP_QUARANTINE',
  'HAULIER_STORE_KEEP_PARTIALS',
  'HAULIER_STORE_KEEP_VERSIONS',
  'HAULIER_STORE_WARN_BYTES',
  'HAULIER_STORE_MAX_BYTES',
] as const;

export const sweepLimits = (values: SweepValues): Omit<SweepLimits, 'graceMs'> => ({
  quarantineMs: values.HAULIER_STORE_KEEP_QUARANTINE,
  temporaryMs: values.HAULIER_STORE_KEEP_PARTIALS,
  versionMs: values.HAULIER_STORE_KEEP_VERSIONS,
  warnBytes: values.HAULIER_STORE_WARN_BYTES,
  hardLimitBytes: values.HAULIER_STORE_MAX_BYTES,
});
