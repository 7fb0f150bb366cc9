/** What the WebAssembly build of zstd in `zstddec` exports. Pointers and sizes are unsigned 32-bit numbers. */
interface ZstdExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  malloc(bytes: number): number;
  ZSTD_createDCtx(): number;
  /** @returns 0 at the end of a frame, a hint above it, or an error: the negative of its code */
  ZSTD_decompressStream(context: number, output: number, input: number): number;
}

/** Node's types of version 20 leave this out. */
declare const WebAssembly: {
  instantiate(module: CompiledModule, imports: object): Promise<{ readonly exports: unknown }>;
};
type CompiledModule = object;

const INPUT_BYTES = 128 * 1024;
/** Pointer, size, position: `ZSTD_inBuffer` and `ZSTD_outBuffer` of zstd.h. */
const BUFFER_STRUCT_BYTES = 12;

/** From zstd_errors.h; these numbers are stable. */
const ERRORS: Readonly<Record<number, string>> = {
  16: 'the window is too large',
  20: 'data corruption detected',
  22: "restored data doesn't match its checksum",
  32: 'the dictionary is another one',
  64: 'not enough memory',
};

/**
 * Decodes frames by the reference implementation, compiled to WebAssembly: for Node before 22.15. Memory is the window and 16 MiB,
 * and is given back with the generator.
 *
 * @throws Error with zstd's reason
 */
export async function* decodeInWasm(
  pieces: AsyncIterable<Uint8Array>,
  outputBytes: number,
): AsyncGenerator<Uint8Array> {
  const decoder = await createDecoder(outputBytes);
  for await (const bytes of pieces)
    for (let at = 0; at < bytes.length; at += INPUT_BYTES) yield* decoder.decode(bytes.subarray(at, at + INPUT_BYTES));
}

let module: Promise<CompiledModule> | undefined;

/**
 * `decodeStreaming` of `zstddec` takes input that is all there, and never ends when the data is damaged; so only its compiled
 * module is used, and each decoder is an instance with a memory of its own.
 */
async function compiledModule(): Promise<CompiledModule> {
  const { ZSTDDecoder } = await import('zstddec/stream');
  return new Promise((resolve, reject) => {
    class Compiled extends ZSTDDecoder {
      override _init(result: { readonly module: CompiledModule }): void {
        resolve(result.module);
      }
    }
    new Compiled().init().catch(reject);
  });
}

async function createDecoder(outputBytes: number): Promise<{ decode(bytes: Uint8Array): Generator<Uint8Array> }> {
  module ??= compiledModule();
  // Memory is looked up after each call, so its growth needs no notice.
  const imports = { env: { emscripten_notify_memory_growth: () => undefined } };
  const zstd = (await WebAssembly.instantiate(await module, imports)).exports as ZstdExports;
  const context = zstd.ZSTD_createDCtx();
  const [inputAt, outputAt] = [zstd.malloc(INPUT_BYTES), zstd.malloc(outputBytes)];
  const [input, output] = [zstd.malloc(BUFFER_STRUCT_BYTES), zstd.malloc(BUFFER_STRUCT_BYTES)];

  return {
    *decode(bytes) {
      new Uint8Array(zstd.memory.buffer, inputAt, bytes.length).set(bytes);
      writeStruct(zstd, input, inputAt, bytes.length);
      for (let isFull = true; isFull || positionOf(zstd, input) < bytes.length;) {
        writeStruct(zstd, output, outputAt, outputBytes);
        throwIfError(zstd.ZSTD_decompressStream(context, output, input));
        const length = positionOf(zstd, output);
        isFull = length === outputBytes;
        if (length > 0) yield new Uint8Array(zstd.memory.buffer, outputAt, length).slice();
      }
    },
  };
}

function writeStruct(zstd: ZstdExports, at: number, pointer: number, bytes: number): void {
  new Uint32Array(zstd.memory.buffer, at, 3).set([pointer, bytes, 0]);
}

const positionOf = (zstd: ZstdExports, at: number): number => new Uint32Array(zstd.memory.buffer, at, 3)[2]!;

function throwIfError(result: number): void {
  const code = -(result | 0);
  if (code > 0 && code < 120) throw new Error(ERRORS[code] ?? `zstd error ${code}`);
}
