/**
 * Addresses, blocks of addresses, and URLs.
 * In: text. Out: values that their own functions look into.
 * Never: resolves a name. Source: upstream's library/{ip,cidr,urls}.go (v1.36).
 */
import { parseRequestUri, type UrlParts } from "../../api/schema/formats.ts";
import {
  type Address,
  type Block,
  contains,
  firstOf,
  formatAddress,
  parseAddress,
  parseBlock,
} from "../../api/ip.ts";
import {
  type Cost,
  type Declaration,
  global,
  mapFrom,
  member,
  traverse,
  traverses,
} from "../functions.ts";
import { BOOL, INT, listOf, mapOf, opaque, STRING } from "../types.ts";
import { CelError, Opaque, textList, type Value } from "../values.ts";

export const IP = opaque("net.IP");
export const CIDR = opaque("net.CIDR");
export const URL = opaque("kubernetes.URL");

class IpValue extends Opaque {
  readonly typeName = IP.name;
  constructor(readonly address: Address) {
    super();
  }
  override equals(other: Opaque): boolean {
    return other instanceof IpValue && other.text() === this.text();
  }
  override text(): string {
    return formatAddress(this.address);
  }
}

class CidrValue extends Opaque {
  readonly typeName = CIDR.name;
  constructor(readonly block: Block) {
    super();
  }
  override equals(other: Opaque): boolean {
    return other instanceof CidrValue && other.text() === this.text();
  }
  override text(): string {
    return `${formatAddress(this.block)}/${this.block.prefixLength}`;
  }
}

const MAPPED_PREFIX = 0xffffn;

function isMapped({ family, bits }: Address): boolean {
  return family === 6 && bits >> 32n === MAPPED_PREFIX;
}

function addressOf(text: string): Address {
  const zone = text.indexOf("%");
  const address = parseAddress(zone < 0 ? text : text.slice(0, zone));
  const quoted = JSON.stringify(text);
  if (address === null) {
    throw new CelError(
      `IP Address ${quoted} parse error during conversion from string: ParseAddr(${quoted}): ` +
        "unable to parse IP",
    );
  }
  if (zone >= 0) throw new CelError(`IP address ${quoted} with zone value is not allowed`);
  if (isMapped(address)) {
    throw new CelError(`IPv4-mapped IPv6 address ${quoted} is not allowed`);
  }
  return address;
}

function blockOf(text: string): Block {
  const block = parseBlock(text);
  const quoted = JSON.stringify(text);
  if (block === null) {
    throw new CelError(
      "network address parse error during conversion from string: network address parse error " +
        `during conversion from string: netip.ParsePrefix(${quoted}): no '/'`,
    );
  }
  if (isMapped(block)) {
    throw new CelError(
      "network address parse error during conversion from string: IPv4-mapped IPv6 address " +
        `${quoted} is not allowed`,
    );
  }
  return block;
}

/** Whether reading the text raises no error. */
function reads(read: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      read(text);
      return true;
    } catch (error) {
      if (error instanceof CelError) return false;
      throw error;
    }
  };
}

/** The block's first bits, of as many as the other's prefix says. */
function containsBlock({ block }: CidrValue, other: Block): boolean {
  return block.prefixLength <= other.prefixLength && contains(block, other);
}

function within(prefix: bigint, length: number, { family, bits }: Address): boolean {
  return bits >> BigInt((family === 4 ? 32 : 128) - length) === prefix;
}

function isLoopback(address: Address): boolean {
  return address.family === 4 ? within(127n, 8, address) : address.bits === 1n;
}

function isLinkLocalMulticast(address: Address): boolean {
  if (address.family === 4) return within(0xe00000n, 24, address);
  return within(0xffn, 8, address) && ((address.bits >> 112n) & 0xfn) === 2n;
}

function isLinkLocalUnicast(address: Address): boolean {
  return address.family === 4 ? within(0xa9fen, 16, address) : within(0x3fan, 10, address);
}

function isGlobalUnicast(address: Address): boolean {
  const isMulticast = address.family === 4 ? within(0xen, 4, address) : within(0xffn, 8, address);
  const isBroadcast = address.family === 4 && address.bits === 0xffffffffn;
  return address.bits !== 0n && !isBroadcast && !isMulticast && !isLoopback(address) &&
    !isLinkLocalUnicast(address);
}

function ask(name: string, holds: (address: Address) => boolean): Declaration {
  return member(name, [IP], BOOL, ({ address }: IpValue) => holds(address));
}

/** Comparing at most sixteen bytes twice, and reading the text where there is one. */
function comparing(base: number, parses: boolean): Cost {
  return (extents) => base + (parses ? Math.ceil(extents[1].size * 0.1) : 0);
}

export const addresses: readonly Declaration[] = [
  global("ip", [STRING], IP, (text: string) => new IpValue(addressOf(text)), { cost: traverse }),
  global("isIP", [STRING], BOOL, reads(addressOf), { cost: traverse }),
  global(
    "ip.isCanonical",
    [STRING],
    BOOL,
    (text: string) => formatAddress(addressOf(text)) === text,
    { cost: traverses(0, 2) },
  ),
  global("string", [IP], STRING, (ip: IpValue) => ip.text()),
  member("family", [IP], INT, ({ address }: IpValue) => BigInt(address.family)),
  ask("isUnspecified", ({ bits }) => bits === 0n),
  ask("isLoopback", isLoopback),
  ask("isLinkLocalMulticast", isLinkLocalMulticast),
  ask("isLinkLocalUnicast", isLinkLocalUnicast),
  ask("isGlobalUnicast", isGlobalUnicast),
  global("cidr", [STRING], CIDR, (text: string) => new CidrValue(blockOf(text)), {
    cost: traverse,
  }),
  global("isCIDR", [STRING], BOOL, reads(blockOf), { cost: traverse }),
  global("string", [CIDR], STRING, (cidr: CidrValue) => cidr.text()),
  member(
    "containsIP",
    [CIDR, STRING],
    BOOL,
    ({ block }: CidrValue, text: string) => contains(block, addressOf(text)),
    { cost: comparing(4, true) },
  ),
  member(
    "containsIP",
    [CIDR, IP],
    BOOL,
    ({ block }: CidrValue, { address }: IpValue) => contains(block, address),
    { cost: comparing(4, false) },
  ),
  member(
    "containsCIDR",
    [CIDR, STRING],
    BOOL,
    (cidr: CidrValue, text: string) => containsBlock(cidr, blockOf(text)),
    { cost: comparing(7, true) },
  ),
  member(
    "containsCIDR",
    [CIDR, CIDR],
    BOOL,
    (cidr: CidrValue, other: CidrValue) => containsBlock(cidr, other.block),
    { cost: comparing(7, false) },
  ),
  member("ip", [CIDR], IP, ({ block }: CidrValue) => new IpValue(block)),
  member("prefixLength", [CIDR], INT, ({ block }: CidrValue) => BigInt(block.prefixLength)),
  member(
    "masked",
    [CIDR],
    CIDR,
    ({ block }: CidrValue) =>
      new CidrValue({ ...firstOf(block), prefixLength: block.prefixLength }),
  ),
];

class UrlValue extends Opaque {
  readonly typeName = URL.name;
  constructor(readonly source: string, readonly parts: UrlParts) {
    super();
  }
  override equals(other: Opaque): boolean {
    return other instanceof UrlValue && other.source === this.source;
  }
  override text(): string {
    return this.source;
  }
}

function urlOf(text: string): UrlValue {
  const parts = parseRequestUri(text);
  if (parts === null) {
    throw new CelError(
      `URL parse error during conversion from string: parse ${JSON.stringify(text)}: ` +
        "invalid URI for request",
    );
  }
  return new UrlValue(text, parts);
}

function hostname({ parts: { host } }: UrlValue): string {
  if (host.startsWith("[")) return host.slice(1, host.indexOf("]"));
  return host.replace(/:\d*$/, "");
}

function port({ parts: { host } }: UrlValue): string {
  return /:(\d*)$/.exec(host.replace(/^\[.*\]/, ""))?.[1] ?? "";
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

function query({ parts }: UrlValue): Value {
  const found = new Map<string, string[]>();
  for (const pair of parts.query.split("&")) {
    if (pair === "" || pair.includes(";")) continue;
    const [key, ...rest] = pair.split("=");
    const values = found.get(unescaped(key)) ?? [];
    values.push(unescaped(rest.join("=")));
    found.set(unescaped(key), values);
  }
  return mapFrom([...found].map(([key, values]) => [key, textList(values)] as const));
}

export const urls: readonly Declaration[] = [
  global("url", [STRING], URL, urlOf, { cost: traverse }),
  global("isURL", [STRING], BOOL, (text: string) => parseRequestUri(text) !== null, {
    cost: traverse,
  }),
  member("getScheme", [URL], STRING, ({ parts }: UrlValue) => parts.scheme),
  member("getHost", [URL], STRING, ({ parts }: UrlValue) => parts.host),
  member("getHostname", [URL], STRING, hostname),
  member("getPort", [URL], STRING, port),
  member("getEscapedPath", [URL], STRING, ({ parts }: UrlValue) => parts.escapedPath),
  member("getQuery", [URL], mapOf(STRING, listOf(STRING)), query),
];
