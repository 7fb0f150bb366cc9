// Hashes with @noble/hashes: names on the command line, bytes on stdin, one JSON object of hexadecimal digests on stdout.
import { buffer } from 'node:stream/consumers';
import { blake2b } from '@noble/hashes/blake2.js';
import { blake3 } from '@noble/hashes/blake3.js';
import { sha224, sha256, sha384, sha512, sha512_224, sha512_256 } from '@noble/hashes/sha2.js';
import { sha3_224, sha3_256, sha3_384, sha3_512 } from '@noble/hashes/sha3.js';

const HASHES = {
  'sha2-224': sha224,
  'sha2-256': sha256,
  'sha2-384': sha384,
  'sha2-512': sha512,
  'sha2-512-224': sha512_224,
  'sha2-512-256': sha512_256,
  'sha3-224': sha3_224,
  'sha3-256': sha3_256,
  'sha3-384': sha3_384,
  'sha3-512': sha3_512,
  blake3,
};

const blake = (name) => (bytes) => blake2b(bytes, { dkLen: Number(name.split('-')[1]) / 8 });
const bytes = new Uint8Array(await buffer(process.stdin));
const digests = process.argv
  .slice(2)
  .map((name) => [name, Buffer.from((HASHES[name] ?? blake(name))(bytes)).toString('hex')]);
process.stdout.write(JSON.stringify(Object.fromEntries(digests)));
