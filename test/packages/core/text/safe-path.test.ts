import { describe, expect, it } from '@jest/globals';
import { foldedPath, unsafePathReason } from '#core/text/safe-path';

describe('a path of a manifest', () => {
  it.each(['a', 'onnx/encoder.onnx', 'ü/モデル.bin', '.hidden', 'a..b', 'console', `${'a'.repeat(255)}`])(
    'K01 takes %s',
    (path) => expect(unsafePathReason(path)).toBeUndefined(),
  );

  it.each<[string, string, RegExp]>([
    ['K01 climbing', '../../etc/passwd', /"\.\."/],
    ['K02 backslashes', '..\\..\\x', /backslash/],
    ['K03 absolute', '/abs', /absolute/],
    ['K04 a drive', 'C:/x', /Windows refuses/],
    ['K04 a drive without slash', 'D:x', /Windows refuses/],
    ['K05 a share', '\\\\host\\share', /backslash/],
    ['K06 NUL', 'a\0b', /control/],
    ['K06 right to left', 'a\u202eb', /direction/],
    ['K07 empty segment', 'a//b', /empty segment/],
    ['K07 trailing slash', 'a/', /empty segment/],
    ['K07 a dot', './a', /"\."/],
    ['K08 a device', 'CON', /reserved/],
    ['K08 a device with a suffix', 'models/aux.onnx', /reserved/],
    ['G23 a long segment', 'a'.repeat(256), /over 255 bytes/],
    ['G23 a long segment of wide characters', 'ü'.repeat(128), /over 255 bytes/],
    ['G23 a long path', 'aaaaaaaa/'.repeat(128), /longer than 1024 bytes/],
  ])('%s is refused and the reason said', (_, path, reason) => expect(unsafePathReason(path)).toMatch(reason));

  it('G22 HN3 is the same as another that differs only in case or in Unicode form', () => {
    expect(foldedPath('Modèle.ONNX')).toBe(foldedPath('mode\u0300le.onnx'));
  });
});
