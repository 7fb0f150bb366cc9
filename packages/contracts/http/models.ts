import { z } from 'zod';
import { Manifest, ModelName, ModelVersion } from '../manifest.ts';
import { Count, Moment } from './parameters.ts';

export const ModelParams = z.strictObject({ name: ModelName });
export const VersionParams = z.strictObject({ name: ModelName, version: ModelVersion });

/** A version without its files: what lists show. */
export const VersionSummary = z
  .strictObject({
    version: z.string(),
    digest: z.string().describe('SHA-256 of the manifest in canonical JSON'),
    cid: z.string().nullable(),
    fileCount: Count,
    sizeBytes: Count.describe('sum of the files whose size is known'),
    createdAt: Moment,
    links: z.strictObject({ self: z.string() }),
  })
  .meta({ id: 'VersionSummary' });

export type VersionSummary = z.infer<typeof VersionSummary>;

export const Model = z
  .strictObject({
    name: z.string(),
    type: z.string(),
    currentVersion: z.string().nullable().describe('what a request without a version gets'),
    pinnedVersion: z.string().nullable().describe('stays current and is never cleaned up, whatever is published later'),
    newerVersion: z.string().nullable().describe('a newer version a check has seen; nothing is downloaded by itself'),
    createdAt: Moment,
    links: z.strictObject({ self: z.string(), versions: z.string() }),
  })
  .meta({ id: 'Model' });

export type Model = z.infer<typeof Model>;

export const ModelDetail = Model.extend({ versions: z.array(VersionSummary) }).meta({ id: 'ModelDetail' });

export type ModelDetail = z.infer<typeof ModelDetail>;

export const ModelList = z.strictObject({ models: z.array(Model) });
export const VersionList = z.strictObject({ versions: z.array(VersionSummary) });

export const VersionDetail = VersionSummary.extend({ manifest: Manifest }).meta({ id: 'VersionDetail' });

export type VersionDetail = z.infer<typeof VersionDetail>;

/** Where a model is. */
export const ModelCoverage = z
  .strictObject({
    versions: z
      .array(
        z.strictObject({
          version: z.string(),
          wanted: Count.describe('hosts that were asked to have it'),
          ready: Count.describe('hosts that have every file of it, verified'),
          failed: Count.describe('hosts with a file whose last download failed'),
        }),
      )
      .describe('versions that were asked for on a host'),
    labels: z
      .array(
        z.strictObject({
          label: z.string().describe('`key=value`'),
          hosts: Count.describe('hosts with the label'),
          ready: Count.describe('of them, those that have the current version'),
        }),
      )
      .describe('labels that were set or configured; a label with more than 20 values is left out'),
  })
  .meta({ id: 'ModelCoverage' });

export type ModelCoverage = z.infer<typeof ModelCoverage>;

export const PinBody = z.strictObject({ version: ModelVersion });
