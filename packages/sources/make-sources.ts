import { canonicalCid } from '#content/cid/canonical-cid';
import type { FileSpec, SourceSpec } from '#core/file-spec';
import type { Layer } from '#core/layer';
import type { Logger } from '#core/logger';
import type { SourceSecrets } from '#core/settings/source-secrets';
import type { Source } from '#core/source';
import type { Http } from '#http/pool';
import { redactUserInfo } from '#http/redaction';
import type { ConfiguredBundle } from './bundle/configured-bundle.ts';
import { parseGateway, type GatewayData } from './gateway/gateways.ts';
import { hubPage } from './hub/hub-page.ts';
import { refuseUnsafe, type HubFile } from './hub/hub-url.ts';
import { huggingface } from './hub/huggingface.ts';
import { ipfsGateway } from './gateway/ipfs-gateway.ts';
import { learningLimits } from './guards/learning-limits.ts';
import { limited, type OriginGates } from './guards/limited.ts';
import { localFile } from './local-file.ts';
import { mirror, mirrorWithoutSecret } from './mirror.ts';
import type { SourceHealth } from './guards/source-health.ts';
import { withHealth, type OnFirstByte } from './guards/with-health.ts';

export interface SourcesConfig {
  /** IPFS_GATEWAYS, best first; the address policy does not apply to their own addresses. */
  readonly gateways: readonly string[];
  /** Hints of the operator on gateways, beside the built-in ones. */
  readonly gatewayData?: GatewayData | undefined;
  /** HF_ENDPOINT; the address policy does not apply to its own address. */
  readonly hfEndpoint: string;
  readonly hfToken?: string | undefined;
  /** Layers in use, in order; other layers make no sources. */
  readonly layers: readonly Layer[];
  /** URLs that the user of this machine typed: the address policy does not apply to their own addresses, and only they may name local files. */
  readonly trustedUrls?: readonly string[] | undefined;
  /** What this worker sends to origins for sources that name it. */
  readonly secrets?: SourceSecrets | undefined;
  /** Configured bundles, best first. */
  readonly bundles?: readonly ConfiguredBundle[] | undefined;
  /** Follow redirects from https to http if a digest or a CID proves the file. */
  readonly allowDowngrade?: boolean | undefined;
  readonly http: Http;
  readonly health: SourceHealth;
  /** Shared by all transfers of a process. */
  readonly gates: OriginGates;
  readonly onFirstByte?: OnFirstByte | undefined;
  readonly logger: Logger;
}

/**
 * Makes every source of a file but its peers, by layer in configured order, then in the order of gateways and of the manifest. Gateways that cannot be
 * used are skipped with a warning; no source at all is not an error here.
 */
export function makeSources(file: FileSpec, config: SourcesConfig): Source[] {
  const sources = config.layers.flatMap((layer) => {
    if (layer === 'ipfs') return gatewaySources(file, config);
    if (layer === 'bundled') return (config.bundles ?? []).map((bundle) => bundle.source(file));
    return layer === 'origin' ? file.sources.flatMap((spec) => namedSource(spec, isProvable(file), config)) : [];
  });
  return sources.map(guarded(config));
}

export type Guards = Pick<SourcesConfig, 'gates' | 'health' | 'onFirstByte'>;

/** Adds what every source of a process shares: limits, and what is learned of origins. */
export const guarded =
  ({ gates, health, onFirstByte }: Guards) =>
  (source: Source): Source =>
    limited(gates)(withHealth(health, undefined, onFirstByte)(learningLimits(gates.limits)(source)));

function gatewaySources(file: FileSpec, config: SourcesConfig): Source[] {
  if (file.cid === undefined) return [];
  // The normal form of the CID, so that caches of gateways recognise it.
  const cid = canonicalCid(file.cid);
  const fileName = file.path.split('/').at(-1)!;
  const known = new Set<string>();
  return config.gateways.flatMap((text) => {
    try {
      const source = ipfsGateway({
        http: config.http,
        gateway: parseGateway(text, config.gatewayData),
        cid,
        fileName,
        trusted: true,
        allowDowngrade: config.allowDowngrade,
      });
      if (known.has(source.name)) return [];
      known.add(source.name);
      return [source];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      config.logger.warn({ gateway: redactUserInfo(text), reason: error.message }, 'gateway skipped');
      return [];
    }
  });
}

const isProvable = ({ cid, digests }: FileSpec): boolean => cid !== undefined || Object.keys(digests).length > 0;

function namedSource(spec: SourceSpec, isProvable: boolean, config: SourcesConfig): Source[] {
  if (spec.kind === 'mirror') return mirrorSource(spec, isProvable, config);
  const { repo, repoType = 'model', revision, path } = spec;
  return hubSource({ repo, repoType, revision, path }, isProvable, config);
}

/** Requests carry the token, so a name that would lead to another path of the hub makes no source. */
function hubSource(file: Omit<HubFile, 'endpoint'>, isProvable: boolean, config: SourcesConfig): Source[] {
  const { http, logger, health, hfEndpoint: endpoint, hfToken: token, allowDowngrade } = config;
  try {
    refuseUnsafe(file);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    logger.warn({ repo: file.repo, reason: error.message }, 'hub source skipped');
    return [];
  }
  const options = { http, token, trusted: true, isProvable, allowDowngrade, logger, health };
  return [huggingface({ ...options, file: { ...file, endpoint } })];
}

/** A manifest or a job must not name files of this machine; only typed URLs may. */
function mirrorSource(
  { url, secretRef }: Extract<SourceSpec, { kind: 'mirror' }>,
  isProvable: boolean,
  config: SourcesConfig,
): Source[] {
  const { http, logger, trustedUrls, hfEndpoint, allowDowngrade } = config;
  if (secretRef !== undefined) return [mirrorWithSecret(url, secretRef, isProvable, config)];
  const trusted = trustedUrls?.includes(url) ?? false;
  // The URL may be a page of the hub rather than the file, and a gated file needs the token.
  const page = hfEndpoint === '' || !URL.canParse(url) ? undefined : hubPage(new URL(url), hfEndpoint);
  if (page !== undefined && !page.isFolder) return hubSource(page, isProvable, config);
  if (!/^file:/i.test(url)) return [mirror({ http, url, trusted, isProvable, allowDowngrade })];
  if (trusted) return [localFile(url)];
  logger.warn({ url }, 'a local file is a source only if its URL was typed on this machine; skipped');
  return [];
}

/** A secret goes to its own origin alone, so that no manifest can send it elsewhere. */
function mirrorWithSecret(url: string, name: string, isProvable: boolean, config: SourcesConfig): Source {
  const { http, secrets = {}, allowDowngrade } = config;
  const secret = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
  const { origin } = new URL(url);
  if (secret === undefined)
    return mirrorWithoutSecret(
      url,
      `this worker has no secret "${name}": add it to HAULIER_SECRETS, with the origin ${origin}`,
    );
  if (secret.origin !== origin)
    return mirrorWithoutSecret(
      url,
      `the secret "${name}" of this worker is for ${secret.origin} and is not sent to ${origin}`,
    );
  return mirror({ http, url, secret, isProvable, allowDowngrade });
}
