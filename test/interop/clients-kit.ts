import { MIB } from '#core/units';
import type { HubRepoType } from '#core/text/hub-name';
import type { Store } from '#store/open-store';
import { u32, u64 } from '../helpers/little-endian.ts';
import { hubView, HUB_COMMIT, numbered, publishBytes, type Published } from '../packages/serve/serve-kit.ts';

const TOKENIZER = {
  ...{ version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null },
  ...{ pre_tokenizer: { type: 'Whitespace' }, post_processor: null, decoder: null },
  model: { type: 'WordLevel', vocab: { '[UNK]': 0, hello: 1, world: 2 }, unk_token: '[UNK]' },
};

/** An ONNX model that gives its `input_ids` back, as floats named `last_hidden_state`. */
const ECHO = Buffer.from(
  'CAg6fQovCglpbnB1dF9pZHMSEWxhc3RfaGlkZGVuX3N0YXRlIgRDYXN0KgkKAnRvGAGgAQISBHRpbnlaHQoJaW5wdXRfaWRzEhAKDggHEgoKAxIB' +
    'YgoDEgFuYiUKEWxhc3RfaGlkZGVuX3N0YXRlEhAKDggBEgoKAxIBYgoDEgFuQgQKABAR',
  'base64',
);

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

/** Length of the only tensor of the GGUF file: with four bytes each, the file is longer than clients ask for at once. */
export const GGUF_FLOATS = 3 * MIB;

/** A GGUF file, version 3: its architecture, and one tensor. */
function gguf(): Buffer {
  const [isText, isFloat] = [8, 0];
  const head = Buffer.concat([
    ...[Buffer.from('GGUF'), u32(3), u64(1), u64(1)],
    ...[text('general.architecture'), u32(isText), text('llama')],
    ...[text('output.weight'), u32(1), u64(GGUF_FLOATS), u32(isFloat), u64(0)],
  ]);
  return Buffer.concat([head, Buffer.alloc(-head.length & 31), numbered(4 * GGUF_FLOATS)]);
}

/** A small model that the clients of hubs can load: a configuration, a tokenizer, and weights in two formats. */
export const TINY_FILES: Readonly<Record<string, Buffer>> = {
  'config.json': json({ model_type: 'bert', hidden_size: 8, num_attention_heads: 2, num_hidden_layers: 1 }),
  'tokenizer.json': json(TOKENIZER),
  'tokenizer_config.json': json({ tokenizer_class: 'PreTrainedTokenizerFast', unk_token: '[UNK]' }),
  'onnx/model.onnx': ECHO,
  'tiny.Q4_K_M.gguf': gguf(),
};

/** Endpoint of a hub that is away. */
export const NO_HUB = 'http://127.0.0.1:9';

/** Publishes files as the model `name` that came from `acme/name` of a hub. @returns each by its path */
export async function publishModel(
  store: Store,
  name: string,
  files: Readonly<Record<string, Uint8Array>>,
  repoType: HubRepoType = 'model',
): Promise<Readonly<Record<string, Published>>> {
  const published: Record<string, Published> = {};
  const versionFileCount = Object.keys(files).length;
  for (const [path, bytes] of Object.entries(files)) {
    const source = { kind: 'huggingface', repo: `acme/${name}`, repoType, revision: HUB_COMMIT, path } as const;
    const view = hubView(path, { model: name, versionFileCount, sources: [source] });
    published[path] = await publishBytes(store, bytes, { view });
  }
  return published;
}
