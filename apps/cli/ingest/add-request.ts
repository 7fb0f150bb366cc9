import { statSync } from 'node:fs';
import { isManifestCid } from '#ingest/draft-from-ipfs';
import { selection } from '#ingest/path-filter';
import { parseCid } from '#content/cid/cid';
import { parseHubRepo, type HubRepoType } from '#core/text/hub-name';
import { ModelName, ModelVersion } from '#contracts/manifest';
import { readAllowedAddresses, authoritiesOf, gatewaysOf, hubEndpoint, hubToken } from '../network.ts';
import type { ProgressMode } from '../terminal/progress.ts';
import { readRecipe, type Recipe } from './recipe.ts';

export interface ModelAddOptions {
  readonly hf?: string;
  readonly repoType?: HubRepoType;
  readonly ipfs?: string;
  readonly dir?: string;
  readonly from?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly store?: boolean;
  readonly version?: string;
  readonly type?: string;
  readonly gateway?: readonly string[];
  readonly hfEndpoint?: string;
  readonly allowPrivate?: boolean;
  readonly useSystemCa?: boolean;
  readonly print?: boolean;
  readonly output?: string;
  readonly json?: boolean;
  readonly progress: ProgressMode;
}

export interface HubOrigin {
  readonly kind: 'hub';
  readonly repo: string;
  readonly repoType: HubRepoType;
  readonly revision: string;
  readonly endpoint: string;
  readonly token: string | undefined;
  /** An IPFS folder of the same files. */
  readonly ipfs: string | undefined;
}

/** The place that a model is read from. */
export type ModelOrigin =
  | HubOrigin
  | { readonly kind: 'ipfs'; readonly cid: string }
  | { readonly kind: 'manifest'; readonly cid: string }
  | { readonly kind: 'folder'; readonly folder: string };

/** The checked request of `haulier model add`; checked without any network request. */
export interface AddRequest {
  readonly name: string;
  readonly type: string;
  readonly version: string | undefined;
  readonly origin: ModelOrigin;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly minBytes: Readonly<Record<string, number>>;
  readonly gateways: readonly string[];
  readonly allowPrivate: boolean;
  /** As HAULIER_ALLOW_ADDRESSES has them. */
  readonly allowAddresses: readonly string[];
  /** Certificate authorities in PEM; undefined for Node's own. */
  readonly ca: readonly string[] | undefined;
}

/** @throws RangeError with one sentence that says what would be right */
export function addRequest(name: string | undefined, options: ModelAddOptions, env: NodeJS.ProcessEnv): AddRequest {
  const recipe = options.from === undefined ? undefined : readRecipe(options.from);
  const origin = originOf(options, recipe, env);
  const wanted = selectionOf(options, recipe);
  return {
    name: modelName(name ?? recipe?.name),
    type: modelType(options.type ?? recipe?.type),
    version: modelVersion(options.version),
    origin,
    ...wanted,
    minBytes: recipe?.minBytes ?? {},
    gateways: neededGateways(options, env),
    allowPrivate: options.allowPrivate ?? false,
    allowAddresses: readAllowedAddresses(env),
    ca: authoritiesOf(options.useSystemCa, env),
  };
}

function selectionOf(options: ModelAddOptions, recipe: Recipe | undefined): Pick<AddRequest, 'include' | 'exclude'> {
  const { include = recipe?.include ?? [], exclude = recipe?.exclude ?? [] } = options;
  selection({ include, exclude });
  return { include, exclude };
}

function neededGateways(options: ModelAddOptions, env: NodeJS.ProcessEnv): readonly string[] {
  const gateways = gatewaysOf(options.gateway ?? [], env);
  if (options.ipfs === undefined || gateways.length > 0) return gateways;
  throw new RangeError('no IPFS gateway to ask: give --gateway BASE or set IPFS_GATEWAYS');
}

function originOf(options: ModelAddOptions, recipe: Recipe | undefined, env: NodeJS.ProcessEnv): ModelOrigin {
  const { hf, ipfs, dir, from } = options;
  const given = [hf, dir, from].filter((value) => value !== undefined);
  if (given.length > 1 || (dir !== undefined && ipfs !== undefined))
    throw new RangeError(
      'give one origin: --hf, --ipfs, --dir or --from; only --ipfs can be combined, with --hf or --from',
    );
  if (ipfs !== undefined) parseCid(ipfs);
  if (dir !== undefined) return { kind: 'folder', folder: existingFolder(dir) };
  if (hf !== undefined || recipe !== undefined) return hubOf(options, recipe?.hf, env);
  if (ipfs === undefined)
    throw new RangeError(
      'the origin of the model is missing: give --hf owner/repo@revision, --ipfs CID, --dir FOLDER or --from RECIPE',
    );
  if (!isManifestCid(ipfs)) return { kind: 'ipfs', cid: ipfs };
  refuseChanges(options);
  return { kind: 'manifest', cid: ipfs };
}

function hubOf(options: ModelAddOptions, recipe: Recipe['hf'] | undefined, env: NodeJS.ProcessEnv): HubOrigin {
  const named = recipe ?? parseHubRepo('--hf', options.hf!);
  if (options.ipfs !== undefined && isManifestCid(options.ipfs))
    throw new RangeError('--ipfs names a manifest: it is complete, so give it alone');
  return {
    kind: 'hub',
    repo: named.repo,
    repoType: options.repoType ?? recipe?.repoType ?? 'model',
    revision: named.revision,
    endpoint: hubEndpoint(options.hfEndpoint, env),
    token: hubToken(env),
    ipfs: options.ipfs,
  };
}

function existingFolder(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  throw new RangeError(`--dir is "${path}", which is no folder`);
}

/** A published manifest cannot be changed, because its CID names all of its content. */
function refuseChanges(options: ModelAddOptions): void {
  const changes = {
    version: options.version,
    type: options.type,
    include: options.include?.[0],
    exclude: options.exclude?.[0],
  };
  for (const [name, value] of Object.entries(changes))
    if (value !== undefined)
      throw new RangeError(`--${name} cannot change a manifest that is named by its CID: leave it out`);
}

function modelName(name: string | undefined): string {
  if (name === undefined) throw new RangeError('the name of the model is missing: haulier model add NAME …');
  return checked('the name', name, ModelName.safeParse(name));
}

const modelVersion = (version: string | undefined): string | undefined =>
  version === undefined ? undefined : checked('--version', version, ModelVersion.safeParse(version));

function modelType(type = 'model'): string {
  if (type.length >= 1 && type.length <= 60) return type;
  throw new RangeError(`--type is "${type}": write 1 to 60 characters, such as stt or llm`);
}

function checked(
  what: string,
  value: string,
  parsed: { error?: { issues: { message: string }[] } | undefined },
): string {
  if (parsed.error === undefined) return value;
  throw new RangeError(`${what} is "${value}": ${parsed.error.issues[0]?.message}`);
}
