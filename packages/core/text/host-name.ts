/** Name of a host of the fleet, also part of the name of its queue. */
export const HOST_NAME = /^[a-z0-9][a-z0-9.-]{0,99}$/;

export const HOST_NAME_RULE = 'a host name is 1 to 100 of a-z 0-9 . -, such as "gpu-017"';
