import { base58btc } from 'multiformats/bases/base58';
import { concat } from './byte-reader.ts';

/** An Ed25519 public key as libp2p writes it, in an identity multihash. @see libp2p peer-ids specification */
const ED25519_HEAD = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);

/**
 * The text of a peer id, `12D3Koo…`. HTTP gateways have no libp2p key; routing records want an id all the same.
 *
 * @param key 32 bytes
 */
export const peerIdText = (key: Uint8Array): string => base58btc.baseEncode(concat([ED25519_HEAD, key]));
