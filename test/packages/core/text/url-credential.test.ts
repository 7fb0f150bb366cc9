import { describe, expect, it } from '@jest/globals';
import { credentialIn } from '#core/text/url-credential';

const SIGNED =
  'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261129&X-Amz-Date=20261129T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=abc';

describe('a credential in a URL', () => {
  it.each([
    ['a login', 'https://me:pw@h.example/a', 'a user name or password'],
    ['a user name alone', 'https://token@h.example/a', 'a user name or password'],
    ['S3, presigned', `https://h.example/a?${SIGNED}`, 'the query parameter "X-Amz-Credential"'],
    [
      'S3, version 2',
      'https://h.example/a?AWSAccessKeyId=x&Expires=1&Signature=y',
      'the query parameter "AWSAccessKeyId"',
    ],
    ['Google', 'https://h.example/a?GoogleAccessId=x&Signature=y', 'the query parameter "GoogleAccessId"'],
    ['Google, version 4', 'https://h.example/a?X-Goog-Signature=y', 'the query parameter "X-Goog-Signature"'],
    ['Azure SAS', 'https://h.example/a?sv=2022&se=2026&sr=b&sp=r&sig=y', 'the query parameter "sig"'],
    ['Alibaba', 'https://h.example/a?OSSAccessKeyId=x&Signature=y', 'the query parameter "OSSAccessKeyId"'],
    ['Alibaba, temporary', 'https://h.example/a?security-token=x', 'the query parameter "security-token"'],
    ['Tencent', 'https://h.example/a?q-ak=x&q-signature=y', 'the query parameter "q-ak"'],
    ['CloudFront', 'https://h.example/a?Policy=x&Key-Pair-Id=y', 'the query parameter "Policy"'],
    ['Akamai', 'https://h.example/a?hdnea=exp=1~hmac=2', 'the query parameter "hdnea"'],
    ['Civitai', 'https://h.example/a?token=x', 'the query parameter "token"'],
    ['GitLab', 'https://h.example/a?private_token=x', 'the query parameter "private_token"'],
    ['a job of GitLab', 'https://h.example/a?job_token=x', 'the query parameter "job_token"'],
    ['OAuth', 'https://h.example/a?access_token=x', 'the query parameter "access_token"'],
    ['OAuth in the fragment', 'https://h.example/a#access_token=x', 'the query parameter "access_token"'],
    ['an API key', 'https://h.example/a?api_key=x', 'the query parameter "api_key"'],
    ['an API key, written together', 'https://h.example/a?apiKey=x', 'the query parameter "apiKey"'],
    ['an API key of Google', `https://h.example/a?key=AIza${'x'.repeat(35)}`, 'the query parameter "key"'],
    ['a name that is encoded', 'https://h.example/a?%74oken=x', 'the query parameter "token"'],
    ['a token of a hub under any name', 'https://h.example/a?x=hf_abcdefghijklmnop', 'the query parameter "x"'],
    ['a JSON Web Token', 'https://h.example/a?v=eyJhbGciOiJub25lIn0.eyJhIjoxfQ.', 'the query parameter "v"'],
    [
      'a presigned URL inside of another',
      `https://proxy.example/?url=${encodeURIComponent('https://h.example/a?sig=1')}`,
      'the query parameter "sig" of the URL in "url"',
    ],
  ])('T09 is found: %s', (_what, url, found) => {
    expect(credentialIn(new URL(url))).toBe(found);
  });

  it.each([
    ['no query', 'https://h.example/a.bin'],
    ['a file that is named by its key', 'https://h.example/get?key=models/whisper.onnx'],
    ['a download switch', 'https://h.example/a?download=true&filename=a.bin'],
    ['a revision', 'https://h.example/a?ref=main&path=onnx/a.bin'],
    ['an empty parameter', 'https://h.example/a?token='],
    ['words that end alike', 'https://h.example/a?tokenizer=bpe&design=x&monkey=1&authors=me'],
    ['a plain URL inside of another', 'https://proxy.example/?url=https%3A%2F%2Fh.example%2Fa%3Fdownload%3D1'],
    ['a digest', 'https://h.example/a?sha256=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'],
  ])('is not seen in %s', (_what, url) => {
    expect(credentialIn(new URL(url))).toBeUndefined();
  });
});
