/**
 * Internet addresses and blocks of them, as text and as numbers.
 * In: text. Out: a number of 32 or 128 bits with its family, canonical text, or what is wrong.
 * Never: resolves names. Source: Go's netip, apimachinery util/validation/ip.go (v1.36).
 */

export interface Address {
  readonly family: 4 | 6;
  /** 32 bits for family 4, 128 for 6. */
  readonly bits: bigint;
}

export interface Block extends Address {
  readonly prefixLength: number;
}

const WIDTH = { 4: 32, 6: 128 } as const;
const MAPPED_PREFIX = 0xffffn;

/** @param allowZeros accept leading zeros, as older objects may have them. */
function parseFour(text: string, allowZeros: boolean): bigint | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  let bits = 0n;
  for (const part of parts) {
    const isSound = allowZeros ? /^\d{1,9}$/.test(part) : /^(0|[1-9]\d{0,2})$/.test(part);
    if (!isSound || Number(part) > 255) return null;
    bits = (bits << 8n) | BigInt(part.replace(/^0+(?=\d)/, ""));
  }
  return bits;
}

function parseSix(text: string): bigint | null {
  let rest = text;
  const lastColon = rest.lastIndexOf(":");
  if (rest.includes(".")) {
    const four = parseFour(rest.slice(lastColon + 1), false);
    if (four === null) return null;
    const high = (four >> 16n).toString(16);
    rest = `${rest.slice(0, lastColon + 1)}${high}:${(four & 0xffffn).toString(16)}`;
  }
  const halves = rest.split("::");
  if (halves.length > 2) return null;
  const groupsOf = (half: string) => half === "" ? [] : half.split(":");
  const head = groupsOf(halves[0]);
  const tail = halves.length === 2 ? groupsOf(halves[1]) : [];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  let bits = 0n;
  for (const group of [...head, ...Array(missing).fill("0"), ...tail]) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null;
    bits = (bits << 16n) | BigInt(`0x${group}`);
  }
  return bits;
}

/** @returns null for text that is no address. Leading zeros are no address. */
export function parseAddress(text: string): Address | null {
  const bits = text.includes(":") ? parseSix(text) : parseFour(text, false);
  return bits === null ? null : { family: text.includes(":") ? 6 : 4, bits };
}

/** @returns the block, its low bits as written; null for text that is none. */
export function parseBlock(text: string): Block | null {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const address = match === null ? null : parseAddress(match[1]);
  if (match === null || address === null) return null;
  const prefixLength = Number(match[2]);
  return prefixLength > WIDTH[address.family] ? null : { ...address, prefixLength };
}

/** The canonical text: no leading zeros, the longest run of zero groups as `::`. */
export function formatAddress({ family, bits }: Address): string {
  if (family === 4) {
    return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 0xffn)).join(".");
  }
  const groups = Array.from(
    { length: 8 },
    (_, index) => ((bits >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  );
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === "0") length++;
    if (length > best.length) best = { start, length };
  }
  if (best.start < 0) return groups.join(":");
  const head = groups.slice(0, best.start).join(":");
  return `${head}::${groups.slice(best.start + best.length).join(":")}`;
}

/** The address with all bits beyond the prefix cleared. */
export function firstOf(block: Block): Address {
  const free = BigInt(WIDTH[block.family] - block.prefixLength);
  return { family: block.family, bits: (block.bits >> free) << free };
}

/** Whether an address lies in a block of its family. */
export function contains(block: Block, address: Address): boolean {
  if (block.family !== address.family) return false;
  const free = BigInt(WIDTH[block.family] - block.prefixLength);
  return block.bits >> free === address.bits >> free;
}

function isMapped({ family, bits }: Address): boolean {
  return family === 6 && bits >> 32n === MAPPED_PREFIX;
}

/** Whether the text would be an address if leading zeros did not matter. */
function isZeroPadded(text: string): boolean {
  return !text.includes(":") && parseFour(text, true) !== null;
}

const NO_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const NO_BLOCK = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/** An address, without ambiguity. */
export function checkAddress(text: string): string[] {
  const address = parseAddress(text);
  if (address === null) return [isZeroPadded(text) ? "must not have leading 0s" : NO_ADDRESS];
  return isMapped(address) ? ["must not be an IPv4-mapped IPv6 address"] : [];
}

/** An address in its one canonical form. */
export function checkCanonicalAddress(text: string): string[] {
  const problems = checkAddress(text);
  const address = parseAddress(text);
  if (problems.length > 0 || address === null) return problems;
  const canonical = formatAddress(address);
  return text === canonical ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`];
}

/** A block, without ambiguity and without bits beyond its prefix. */
export function checkBlock(text: string): string[] {
  const block = parseBlock(text);
  if (block === null) {
    const [address, length = ""] = text.split("/");
    const padded = /^\d{1,9}$/.test(length) && Number(length) <= 128 &&
      (isZeroPadded(address) || parseAddress(address) !== null) &&
      text.split("/").length === 2 && (Number(length) <= 32 || address.includes(":"));
    return [padded ? "must not have leading 0s in IP or prefix length" : NO_BLOCK];
  }
  if (isMapped(block)) return ["must not have an IPv4-mapped IPv6 address"];
  return firstOf(block).bits === block.bits
    ? []
    : ["must not have bits set beyond the prefix length"];
}

/** A block in its one canonical form. */
export function checkCanonicalBlock(text: string): string[] {
  const problems = checkBlock(text);
  const block = parseBlock(text);
  if (problems.length > 0 || block === null) return problems;
  const canonical = `${formatAddress(block)}/${block.prefixLength}`;
  return text === canonical ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`];
}

/** An address and its network's prefix length, as an interface has them, in canonical form. */
export function checkInterfaceAddress(text: string): string[] {
  const block = parseBlock(text);
  if (block === null) {
    return ["must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"];
  }
  const canonical = `${formatAddress(block)}/${block.prefixLength}`;
  return text === canonical ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`];
}
