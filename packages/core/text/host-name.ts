/** Name of a host of the fleet, also part of the name of its queue. */
export const HOST_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export const HOST_NAME_RULE = 'a host name is 1 to 100 of A-Z a-z 0-9 . _ -, such as "gpu-017"';

/**
 * The form of a host's name that names are compared in, and that stands in queues, keys and rows. People see the name in
 * the case that its worker has.
 */
export const hostKey = (name: string): string => name.toLowerCase();
