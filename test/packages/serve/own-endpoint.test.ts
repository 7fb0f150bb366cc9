import { networkInterfaces } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { isOwnEndpoint } from '#serve/pull/own-endpoint';

describe('an endpoint of a hub', () => {
  const [address] = Object.values(networkInterfaces()).flatMap((all = []) => all.map((one) => one.address));

  it.each([
    ['http://127.0.0.1:7430', '127.0.0.1', 7430],
    ['http://localhost:7430/', '127.0.0.1', 7430],
    ['http://[::1]:7430', '::1', 7430],
    ['http://localhost', '0.0.0.0', 80],
    [`http://${address}:7430`, '0.0.0.0', 7430],
  ])('EX5 %s is the server itself at %s, port %d', (endpoint, host, port) => {
    expect(isOwnEndpoint(endpoint, { host, port })).toBe(true);
  });

  it.each([
    ['https://huggingface.co', '0.0.0.0', 443],
    ['http://127.0.0.1:7431', '127.0.0.1', 7430],
    ['http://127.0.0.2:7430', '127.0.0.1', 7430],
    ['http://192.0.2.1:7430', '0.0.0.0', 7430],
  ])('EX5 %s is another one than that at %s, port %d', (endpoint, host, port) => {
    expect(isOwnEndpoint(endpoint, { host, port })).toBe(false);
  });
});
