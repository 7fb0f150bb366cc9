import { z } from 'zod';

const requests = z
  .number('write a whole number of requests')
  .int('write a whole number of requests')
  .min(1, 'write at least 1, or leave it out for no limit');

/** Host name of a gateway, such as `gateway.example`; without scheme and port. */
const Host = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/);
const NOT_A_HOST = 'write a host name such as gateway.example';

const Entry = z.strictObject({
  requestsPerMinute: requests.optional(),
  requestsPerMinutePerCid: requests.optional(),
  maxRangeFileBytes: z
    .number('write a whole number of bytes')
    .int('write a whole number of bytes')
    .min(0, 'write 0 bytes or more')
    .optional(),
  blocksOnly: z.boolean('write true or false').optional(),
});

/** The gateway data file of an operator (HAULIER_GATEWAY_DATA); docs/guide/configuration.md describes it. */
export const GatewayDataFile = z.strictObject({
  gateways: z.record(Host, Entry, { error: ({ code }) => (code === 'invalid_key' ? NOT_A_HOST : undefined) }),
});

export type GatewayDataFile = z.infer<typeof GatewayDataFile>;
