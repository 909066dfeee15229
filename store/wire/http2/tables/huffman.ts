/**
 * The Huffman code of HPACK: strings to bytes and back.
 * In: text of one byte a character, or an encoded slice. Out: bytes, or text.
 * The code is canonical, so the lengths below define it; decoding walks a table by half bytes.
 * Never: accepts an end-of-string symbol or a padding that is not a short run of ones.
 * Source: RFC 7541 section 5.2 and appendix B.
 */
import type { OutputBuffer } from "../frames.ts";

/** Code length in bits of symbols 0..256, one base-36 digit each; 256 is the end of string. */
const CODE_LENGTHS = "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca" +
  "d67777777777777777777777878djde6f56565666577666567655677777fbeds" +
  "kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn" +
  "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq" +
  "u";

const END_OF_STRING = 256;
const REFUSED = -1;

interface Code {
  /** Right-aligned code of each symbol. */
  readonly codes: Uint32Array;
  readonly lengths: Uint8Array;
}

function canonicalCode(): Code {
  const lengths = Uint8Array.from(CODE_LENGTHS, (digit) => parseInt(digit, 36));
  const order = Array.from(lengths, (_, symbol) => symbol);
  order.sort((a, b) => lengths[a] - lengths[b] || a - b);
  const codes = new Uint32Array(lengths.length);
  let code = 0;
  let length = 0;
  for (const symbol of order) {
    code <<= lengths[symbol] - length;
    length = lengths[symbol];
    codes[symbol] = code++;
  }
  return { codes, lengths };
}

interface DecodeTable {
  /** Next state by state × 16 + half byte, or `REFUSED`. */
  readonly next: Int16Array;
  /** Symbol completed by that step plus one, 0 when none. */
  readonly emit: Uint16Array;
  /** Whether input may end in a state: at most seven ones since the last symbol. */
  readonly accept: Uint8Array;
}

/** Children of each inner node by bit: an inner node, or ~symbol for a leaf. */
function buildTree(code: Code): { zero: number[]; one: number[]; depthOfOnes: number[] } {
  const zero = [0];
  const one = [0];
  const depthOfOnes = [0];
  for (let symbol = 0; symbol < code.codes.length; symbol++) {
    let node = 0;
    for (let bit = code.lengths[symbol] - 1; bit >= 0; bit--) {
      const isOne = ((code.codes[symbol] >>> bit) & 1) === 1;
      const side = isOne ? one : zero;
      if (bit === 0) {
        side[node] = ~symbol;
        break;
      }
      if (side[node] === 0) {
        side[node] = zero.length;
        zero.push(0);
        one.push(0);
        depthOfOnes.push(isOne && depthOfOnes[node] >= 0 ? depthOfOnes[node] + 1 : -1);
      }
      node = side[node];
    }
  }
  return { zero, one, depthOfOnes };
}

function buildDecodeTable(code: Code): DecodeTable {
  const { zero, one, depthOfOnes } = buildTree(code);
  const states = zero.length;
  const next = new Int16Array(states * 16);
  const emit = new Uint16Array(states * 16);
  for (let state = 0; state < states; state++) {
    for (let half = 0; half < 16; half++) {
      let node = state;
      for (let bit = 3; bit >= 0; bit--) {
        const child = ((half >>> bit) & 1) === 1 ? one[node] : zero[node];
        if (child >= 0) {
          node = child;
        } else if (~child === END_OF_STRING) {
          node = REFUSED;
          break;
        } else {
          emit[state * 16 + half] = ~child + 1;
          node = 0;
        }
      }
      next[state * 16 + half] = node;
    }
  }
  const accept = Uint8Array.from(depthOfOnes, (depth) => depth >= 0 && depth <= 7 ? 1 : 0);
  return { next, emit, accept };
}

const CODE = canonicalCode();
const TABLE = buildDecodeTable(CODE);

/**
 * Decodes one Huffman-coded string.
 *
 * @param bytes input; `start` inclusive, `end` exclusive
 * @returns the text, one character a byte, or `null` for a refused encoding
 */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number): string | null {
  const { next, emit } = TABLE;
  let state = 0;
  let text = "";
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    let step = state * 16 + (byte >>> 4);
    if (emit[step] !== 0) text += String.fromCharCode(emit[step] - 1);
    state = next[step];
    if (state === REFUSED) return null;
    step = state * 16 + (byte & 15);
    if (emit[step] !== 0) text += String.fromCharCode(emit[step] - 1);
    state = next[step];
    if (state === REFUSED) return null;
  }
  return TABLE.accept[state] === 1 ? text : null;
}

/** @returns how many bytes `huffmanEncode` appends for `text` */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += CODE.lengths[text.charCodeAt(i) & 0xff];
  return (bits + 7) >>> 3;
}

/** Appends `text` (one byte a character) in Huffman code, padded with ones. */
export function huffmanEncode(text: string, out: OutputBuffer): void {
  out.reserve(huffmanLength(text));
  let pending = 0;
  let held = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    let left: number = CODE.lengths[symbol];
    while (left > 0) {
      const take = Math.min(left, 8 - held);
      left -= take;
      pending = (pending << take) | ((CODE.codes[symbol] >>> left) & ((1 << take) - 1));
      held += take;
      if (held === 8) {
        out.bytes[out.length++] = pending;
        pending = 0;
        held = 0;
      }
    }
  }
  if (held > 0) out.bytes[out.length++] = (pending << (8 - held)) | (0xff >>> held);
}
