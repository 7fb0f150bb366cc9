import { ApiError } from '#client/api-error';
import { api } from './api.ts';

export interface Found {
  readonly kind: 'host' | 'model' | 'rollout' | 'download';
  readonly label: string;
  /** Address of its page. */
  readonly to: string;
}

const MAX_OF_A_KIND = 6;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Names contain the text; ids are whole. */
export async function findThings(text: string): Promise<Found[]> {
  const found = await Promise.all([
    hostsLike(text),
    modelsLike(text),
    ...(UUID.test(text) ? [rolloutOf(text), downloadOf(text)] : []),
  ]);
  return found.flat();
}

async function hostsLike(text: string): Promise<Found[]> {
  const { hosts } = await api.listHostPage({ q: text, limit: MAX_OF_A_KIND });
  return hosts.map(({ name }) => ({ kind: 'host', label: name, to: `/hosts/${encodeURIComponent(name)}` }));
}

async function modelsLike(text: string): Promise<Found[]> {
  const wanted = text.toLowerCase();
  const models = (await api.listModels()).filter(({ name }) => name.includes(wanted));
  return models
    .slice(0, MAX_OF_A_KIND)
    .map(({ name }) => ({ kind: 'model', label: name, to: `/models/${encodeURIComponent(name)}` }));
}

const rolloutOf = (id: string): Promise<Found[]> =>
  orNothing(async () => {
    const { models } = await api.getRollout(id);
    return [
      {
        kind: 'rollout',
        label: models.map(({ name, version }) => `${name}@${version}`).join(', '),
        to: `/rollouts/${id}`,
      },
    ];
  });

const downloadOf = (id: string): Promise<Found[]> =>
  orNothing(async () => {
    const { file, host } = await api.getDownload(id);
    return [{ kind: 'download', label: `${file} on ${host ?? 'the pool'}`, to: `/downloads/${id}` }];
  });

async function orNothing(ask: () => Promise<Found[]>): Promise<Found[]> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
}
