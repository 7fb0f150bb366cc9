import { describe, expect, it } from '@jest/globals';
import { pathFilter } from '#ingest/path-filter';

describe('pathFilter', () => {
  it.each([
    ['*.json', ['config.json', 'onnx/config.json'], ['config.json5', 'json']],
    ['/*.json', ['config.json'], ['onnx/config.json']],
    ['onnx/*', ['onnx/model.onnx'], ['onnx/fp16/model.onnx', 'x/onnx/model.onnx', 'onnx']],
    ['onnx/**', ['onnx/model.onnx', 'onnx/fp16/model.onnx'], ['model.onnx']],
    ['onnx/', ['onnx/model.onnx', 'onnx/fp16/model.onnx'], ['onnx']],
    ['**/fp16/*', ['fp16/a', 'onnx/fp16/a', 'a/b/fp16/c'], ['fp16', 'fp16/a/b']],
    ['./onnx/model?.onnx', ['onnx/model1.onnx'], ['onnx/model.onnx', 'onnx/model/.onnx']],
    ['{encoder,decoder}*.onnx', ['encoder.onnx', 'onnx/decoder_q8.onnx'], ['vocoder.onnx']],
    ['a+b(1).bin', ['a+b(1).bin'], ['aab1.bin', 'a+b(1)xbin', 'a+b1.bin']],
    ['[ab].bin', ['[ab].bin'], ['a.bin']],
    ['!a.bin', ['!a.bin'], ['b.bin']],
    ['$a^\\.bin', ['$a^\\.bin'], ['$a^.bin']],
    ['a,b.bin', ['a,b.bin'], ['a', 'b.bin']],
    ['{a,{b,c}}.bin', ['a.bin', 'x/c.bin'], ['{a.bin']],
    ['a/**/b', ['a/b', 'a/x/y/b'], ['ab']],
    ['*', ['.gitattributes', '.cache/.hidden'], []],
  ])('%s', (glob, matching, others) => {
    const isWanted = pathFilter([glob]);
    expect([...matching, ...others].filter(isWanted)).toEqual(matching);
  });

  it('takes everything without a glob, and every file that one of several globs matches', () => {
    expect(pathFilter([])('any/thing')).toBe(true);
    expect(['a.json', 'b.txt', 'c.bin'].filter(pathFilter(['*.json', '*.txt']))).toEqual(['a.json', 'b.txt']);
  });

  it('refuses what cannot be meant', () => {
    expect(() => pathFilter([''])).toThrow('"" is no glob: write for example "onnx/*"');
    expect(() => pathFilter(['{a,b'])).toThrow('braces that do not match');
    expect(() => pathFilter(['a}b{'])).toThrow(RangeError);
  });
});
