import { createHash } from 'node:crypto';
import { toJobFile } from '#contracts/file-spec';
import { Manifest } from '#contracts/manifest';
import { DAY_MS, MIB } from '#core/units';
import { contentKeyOf } from '#database/downloads/content-key';
import { seedUuid } from './seed-ids.ts';
import { putManifest } from '#database/models/model-queries';
import type { Database } from '#database/sql/connect';

/** Models of an ordinary fleet: name, type, files with their size in MiB, repository on the hub. */
const MODELS: readonly (readonly [name: string, type: string, files: Readonly<Record<string, number>>])[] = [
  ['whisper-base', 'stt', { 'encoder.onnx': 82, 'decoder.onnx': 199, 'tokenizer.json': 2 }],
  ['whisper-small', 'stt', { 'encoder.onnx': 350, 'decoder.onnx': 612, 'tokenizer.json': 2 }],
  ['whisper-large-v3', 'stt', { 'model-1.safetensors': 2948, 'model-2.safetensors': 2796, 'tokenizer.json': 3 }],
  ['parakeet-tdt', 'stt', { 'encoder.onnx': 2480, 'decoder.onnx': 72, 'vocab.txt': 1 }],
  ['kokoro-82m', 'tts', { 'model.onnx': 310, 'voices.bin': 26 }],
  ['piper-en', 'tts', { 'voice.onnx': 63, 'voice.json': 1 }],
  ['llama-3-8b-q4', 'llm', { 'model.gguf': 4692 }],
  ['mistral-7b-q5', 'llm', { 'model.gguf': 4893 }],
  ['qwen-14b-q4', 'llm', { 'model-1.gguf': 4410, 'model-2.gguf': 4102 }],
  ['phi-4-mini', 'llm', { 'model.gguf': 2376, 'tokenizer.json': 7 }],
  ['bge-m3', 'embedding', { 'model.onnx': 2165, 'tokenizer.json': 16 }],
  ['minilm-l6', 'embedding', { 'model.onnx': 86, 'tokenizer.json': 1 }],
  ['yolo-11-s', 'vision', { 'model.onnx': 36 }],
  ['sam-2-tiny', 'vision', { 'encoder.onnx': 128, 'decoder.onnx': 16 }],
  ['silero-vad', 'vad', { 'model.onnx': 2 }],
  ['nllb-600m', 'translation', { 'encoder.onnx': 1583, 'decoder.onnx': 1782, 'sentencepiece.model': 5 }],
];

const VERSIONS = 3;

/** A file of a version, as rows of downloads name it. */
export interface SeedFile {
  readonly model: string;
  readonly type: string;
  readonly version: string;
  readonly isCurrent: boolean;
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly contentKey: string;
  readonly fileId: string;
}

/** Publishes the models, three versions each, spread over the time; versions that are there already stay. @returns their files */
export async function seedModels(
  database: Database,
  { now, days }: { readonly now: Date; readonly days: number },
): Promise<SeedFile[]> {
  const files: SeedFile[] = [];
  for (const [name, type, sizes] of MODELS) {
    for (let n = 1; n <= VERSIONS; n += 1) {
      const at = new Date(now.getTime() - ((VERSIONS - n + 0.5) / VERSIONS) * days * DAY_MS);
      const manifest = manifestOf(name, type, `1.${n}.0`, sizes);
      await putManifest(database, manifest, at);
      files.push(...(await filesOf(database, manifest, n === VERSIONS)));
    }
  }
  return files;
}

function manifestOf(name: string, type: string, version: string, sizes: Readonly<Record<string, number>>): Manifest {
  const files = Object.entries(sizes).map(([path, mib]) => {
    const sha256 = createHash('sha256').update(`${name} ${version} ${path}`).digest('hex');
    return { path, sizeBytes: mib * MIB + parseInt(sha256.slice(0, 4), 16), sha256 };
  });
  const revision = createHash('sha1').update(`${name} ${version}`).digest('hex');
  return Manifest.parse({
    ...{ name, type, version, files },
    sources: [{ kind: 'huggingface', repo: `example/${name}`, revision }],
  });
}

async function filesOf(database: Database, manifest: Manifest, isCurrent: boolean): Promise<SeedFile[]> {
  const { name: model, type, version, sources } = manifest;
  const rows = manifest.files.map((file) => {
    const job = toJobFile(file, sources);
    const fileId = seedUuid(JSON.stringify(job));
    return { file, job, fileId, contentKey: contentKeyOf(job) };
  });
  const sql = `INSERT INTO file_specs (id, file) SELECT * FROM unnest($1::uuid[], $2::jsonb[]) ON CONFLICT DO NOTHING`;
  await database.pool.query(sql, [rows.map(({ fileId }) => fileId), rows.map(({ job }) => JSON.stringify(job))]);
  return rows.map(({ file, fileId, contentKey }) => ({
    ...{ model, type, version, isCurrent, fileId, contentKey },
    path: file.path,
    sizeBytes: file.sizeBytes!,
    sha256: file.sha256!,
  }));
}
