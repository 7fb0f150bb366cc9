import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { HUB_REPO_TYPES } from '#core/text/hub-name';
import { Repo, Revision } from '#contracts/file-spec';
import { ModelName } from '#contracts/manifest';
import { messageOf } from '#core/error-facts';

const Glob = z.string().min(1).max(300);

/** A model without sizes and digests, which `haulier model add --from` adds (docs/guide/cli.md). */
const Recipe = z.strictObject({
  schema: z.literal('haulier.recipe/v1', 'write "haulier.recipe/v1"'),
  name: ModelName,
  type: z.string().min(1).max(60).optional(),
  hf: z.strictObject({
    repo: Repo.refine((repo) => repo.includes('/'), 'a repository is "owner/name"'),
    repoType: z.enum(HUB_REPO_TYPES).optional(),
    revision: Revision.default('main'),
  }),
  include: z.array(Glob).max(200).default([]),
  exclude: z.array(Glob).max(200).default([]),
  /** Least length in bytes by glob; each glob must match a file. */
  minBytes: z.record(Glob, z.number().int().min(0)).default({}),
});

export type Recipe = z.infer<typeof Recipe>;

/** @throws RangeError that names the file and every field that is wrong */
export function readRecipe(path: string): Recipe {
  const parsed = Recipe.safeParse(jsonOf(path));
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(({ path: at, message }) => `\n  ${at.join('.') || 'recipe'}: ${message}`);
  throw new RangeError(`${path} is not a recipe:${lines.join('')}`);
}

function jsonOf(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const reason = messageOf(cause);
    throw new RangeError(`${path} cannot be read as JSON: ${reason}`, { cause });
  }
}
