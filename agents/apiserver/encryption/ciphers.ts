/**
 * The ciphers of values at rest, in the bytes that upstream stores.
 * In: a key of 16 or 32 bytes, a value, where it is stored. Out: sealed bytes, or the value.
 * Never: uses a nonce twice knowingly, or tells why sealed bytes don't open.
 * Source: apiserver's storage/value/encrypt/aes (v1.36).
 */
import { createCipheriv, createDecipheriv, randomFillSync } from "node:crypto";
import { joinBytes } from "../../api/text/join_bytes.ts";

export interface Cipher {
  /** @param place the key path in the store, which sealed bytes are bound to where that can be */
  seal(value: Uint8Array, place: Uint8Array): Uint8Array;
  /** @returns null for bytes that this key did not make for this place */
  open(sealed: Uint8Array, place: Uint8Array): Uint8Array | null;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BLOCK_BYTES = 16;

/** AES-GCM: nonce, ciphertext, tag. Bound to its place. */
export function aesGcm(key: Uint8Array): Cipher {
  const name = `aes-${key.length * 8}-gcm` as "aes-256-gcm";
  return {
    seal(value, place) {
      const out = new Uint8Array(NONCE_BYTES + value.length + TAG_BYTES);
      const nonce = randomFillSync(out.subarray(0, NONCE_BYTES));
      const cipher = createCipheriv(name, key, nonce);
      cipher.setAAD(place);
      out.set(cipher.update(value), NONCE_BYTES);
      cipher.final();
      out.set(cipher.getAuthTag(), NONCE_BYTES + value.length);
      return out;
    },
    open(sealed, place) {
      if (sealed.length < NONCE_BYTES + TAG_BYTES) return null;
      const tagAt = sealed.length - TAG_BYTES;
      try {
        const decipher = createDecipheriv(name, key, sealed.subarray(0, NONCE_BYTES), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAAD(place);
        decipher.setAuthTag(sealed.subarray(tagAt));
        const value = decipher.update(sealed.subarray(NONCE_BYTES, tagAt));
        decipher.final();
        return new Uint8Array(value);
      } catch {
        return null;
      }
    },
  };
}

/** AES-CBC: initialization vector, padded ciphertext. Bound to no place, and not authenticated. */
export function aesCbc(key: Uint8Array): Cipher {
  const name = `aes-${key.length * 8}-cbc`;
  return {
    seal(value) {
      const vector = randomFillSync(new Uint8Array(BLOCK_BYTES));
      const cipher = createCipheriv(name, key, vector);
      return joinBytes([vector, cipher.update(value), cipher.final()]);
    },
    open(sealed) {
      const length = sealed.length - BLOCK_BYTES;
      if (length < BLOCK_BYTES || length % BLOCK_BYTES !== 0) return null;
      try {
        const decipher = createDecipheriv(name, key, sealed.subarray(0, BLOCK_BYTES));
        return joinBytes([decipher.update(sealed.subarray(BLOCK_BYTES)), decipher.final()]);
      } catch {
        return null;
      }
    },
  };
}
