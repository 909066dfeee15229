/**
 * Gives services their cluster IP and node ports, and keeps two services from sharing one.
 * In: services about to be written; the services that are. Out: filled specs, or 422.
 * Never: stores an allocation apart: the services themselves are the record.
 * Source: pkg/registry/core/service/storage/alloc.go and ipallocator's offsets (v1.36).
 */
import type { KubeObject, WatchEvent } from "../../api/meta.ts";
import type { FieldError } from "../../api/resource.ts";
import { services } from "../../api/resources.ts";
import { internalError, invalid } from "../../api/status.ts";
import type { Clock, Random } from "../ports.ts";
import { cacheOf, type Core, keyOf, prefixOf } from "../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";
import { NumberPool } from "./number_pool.ts";

interface Port {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: string;
  nodePort?: number;
}

export interface ServiceAddressOptions {
  /** `10.96.0.0/16` */
  readonly cidr: string;
  readonly nodePorts: readonly [number, number];
  readonly clock: Clock;
  readonly random: Random;
}

export class ServiceAddresses implements AdmissionPlugin {
  readonly name = "ServiceAddresses";
  readonly #options: ServiceAddressOptions;
  readonly #ips: NumberPool;
  readonly #ports: NumberPool;

  constructor(options: ServiceAddressOptions) {
    this.#options = options;
    const { clock, random, nodePorts: [low, high] } = options;
    const [address, bits] = options.cidr.split("/");
    const base = parseAddress(address)!;
    const size = 2 ** (32 - Number(bits));
    // The network's own address and the broadcast address are nobody's.
    const [first, last] = [base + 1, base + size - 2];
    const dynamicFrom = Math.min(first + offsetFor(size), last);
    this.#ips = new NumberPool({ first, last, dynamicFrom, clock, random });
    const portsFrom = Math.min(low + portOffsetFor(high - low + 1), high);
    this.#ports = new NumberPool({
      first: low,
      last: high,
      dynamicFrom: portsFrom,
      clock,
      random,
    });
  }

  /** Reads what is allocated and follows the services from then on. */
  follow(core: Core): void {
    const cache = cacheOf(core, services);
    const selection = { keyPrefix: prefixOf(services) };
    for (const service of cache.readable(selection)) this.#confirm(service);
    const start = { kind: "after", revision: core.feed.revision } as const;
    const outcome = cache.watch(start, { selection, wantsBookmarks: false });
    if (outcome.kind === "started") void this.#read(outcome.watcher, core);
  }

  readonly admit = (request: AdmissionRequest): void => {
    if (request.resource !== services || request.object === null || request.subresource !== "") {
      return;
    }
    const { object, old } = request;
    const spec = (object.spec ??= {});
    if (old !== null) carry(spec, old.spec ?? {});
    const key = keyOf({ ...request, name: object.metadata.name ?? "" });
    const errors: FieldError[] = [];
    if (spec.type === "ExternalName") {
      for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) {
        delete spec[field];
      }
    } else this.#giveIp(spec, { key, isDryRun: request.dryRun, errors });
    this.#givePorts(spec, { key, isDryRun: request.dryRun, errors });
    if (errors.length > 0) throw invalid(services, object.metadata.name ?? "", errors);
  };

  #giveIp(
    spec: Record<string, unknown>,
    parts: { key: string; isDryRun: boolean; errors: FieldError[] },
  ): void {
    const { key, errors } = parts;
    const wanted = (spec.clusterIP || (spec.clusterIPs as string[])?.[0]) as string | undefined;
    spec.ipFamilies ??= ["IPv4"];
    spec.ipFamilyPolicy ??= "SingleStack";
    if (wanted === "None") {
      spec.clusterIP = "None";
      spec.clusterIPs = ["None"];
      return;
    }
    const path = "spec.clusterIPs";
    if (wanted) {
      const value = parseAddress(wanted);
      const refuse = (why: string) =>
        errors.push({
          type: "invalid",
          path,
          value: [wanted],
          detail: `failed to allocate IP ${wanted}: ${why}`,
        });
      if (value === null || !this.#ips.contains(value)) {
        refuse(
          `the provided IP (${wanted}) is not in the valid range. The range of valid IPs is ` +
            this.#options.cidr,
        );
      } else if (!this.#ips.claim(value, key)) refuse("provided IP is already allocated");
      spec.clusterIP = wanted;
      spec.clusterIPs = [wanted];
      return;
    }
    if (parts.isDryRun) return;
    const value = this.#ips.take(key);
    if (value === null) throw internalError("failed to allocate a serviceIP: range is full");
    spec.clusterIP = formatAddress(value);
    spec.clusterIPs = [spec.clusterIP];
  }

  #givePorts(
    spec: Record<string, unknown>,
    parts: { key: string; isDryRun: boolean; errors: FieldError[] },
  ): void {
    const ports = (spec.ports ?? []) as Port[];
    const isBalanced = spec.type === "LoadBalancer";
    const needs = spec.type === "NodePort" ||
      (isBalanced && spec.allocateLoadBalancerNodePorts !== false);
    if (!needs && !isBalanced) {
      for (const port of ports) delete port.nodePort;
      return;
    }
    ports.forEach((port, index) => {
      if (port.nodePort) this.#claimPort(`spec.ports[${index}].nodePort`, port.nodePort, parts);
      else if (needs && !parts.isDryRun) port.nodePort = this.#freePort(ports, port, parts.key);
    });
    const wantsCheck = isBalanced && spec.externalTrafficPolicy === "Local";
    if (!wantsCheck) delete spec.healthCheckNodePort;
    else if (spec.healthCheckNodePort) {
      this.#claimPort("spec.healthCheckNodePort", spec.healthCheckNodePort as number, parts);
    } else if (!parts.isDryRun) spec.healthCheckNodePort = this.#takePort(parts.key);
  }

  /** One number may serve TCP and UDP of the same port. */
  #freePort(ports: readonly Port[], port: Port, key: string): number {
    const twin = ports.find((other) =>
      other !== port && other.port === port.port && other.protocol !== port.protocol &&
      other.nodePort
    );
    return twin?.nodePort ?? this.#takePort(key);
  }

  #takePort(key: string): number {
    const value = this.#ports.take(key);
    if (value === null) throw internalError("failed to allocate a nodePort: range is full");
    return value;
  }

  #claimPort(path: string, value: number, parts: { key: string; errors: FieldError[] }): void {
    const [low, high] = this.#options.nodePorts;
    const refuse = (detail: string) => parts.errors.push({ type: "invalid", path, value, detail });
    if (!this.#ports.contains(value)) {
      refuse(
        `provided port is not in the valid range. The range of valid ports is ${low}-${high}`,
      );
    } else if (!this.#ports.claim(value, parts.key)) refuse("provided port is already allocated");
  }

  #confirm(service: KubeObject): void {
    const { namespace = "", name = "" } = service.metadata;
    const key = keyOf({ resource: services, namespace, name });
    const { clusterIP = "", ports = [], healthCheckNodePort } = service.spec ?? {};
    const ip = parseAddress(clusterIP);
    this.#ips.confirm(key, ip === null ? [] : [ip]);
    const numbers = (ports as Port[]).map((port) => port.nodePort ?? 0);
    this.#ports.confirm(key, [...numbers, healthCheckNodePort ?? 0].filter((port) => port > 0));
  }

  async #read(events: AsyncIterable<readonly WatchEvent[]>, core: Core): Promise<void> {
    for await (const batch of events) {
      for (const { type, object } of batch) {
        if (type === "DELETED") this.#confirm({ ...object, spec: {} });
        else this.#confirm(object);
      }
    }
    // Fell behind rather than closed: what is there now is the truth.
    if (!core.feed.isClosed) this.follow(core);
  }
}

/** An update that leaves allocated values out keeps them. */
function carry(spec: Record<string, unknown>, old: Record<string, unknown>): void {
  const isExternal = spec.type === "ExternalName" || old.type === "ExternalName";
  if (!isExternal && !spec.clusterIP && !(spec.clusterIPs as string[])?.length) {
    if (old.clusterIP) spec.clusterIP = old.clusterIP;
    if (old.clusterIPs) spec.clusterIPs = old.clusterIPs;
  }
  const before = (old.ports ?? []) as Port[];
  for (const port of (spec.ports ?? []) as Port[]) {
    if (port.nodePort || Object.isFrozen(port)) continue;
    const same = before.find((other) =>
      other.port === port.port && (other.protocol ?? "TCP") === (port.protocol ?? "TCP")
    );
    if (same?.nodePort) port.nodePort = same.nodePort;
  }
  if (!spec.healthCheckNodePort && old.healthCheckNodePort) {
    spec.healthCheckNodePort = old.healthCheckNodePort;
  }
}

/** How many low addresses are left for static choice: 1/16 of the range, from 16 to 256. */
function offsetFor(size: number): number {
  return size < 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 16)), 256);
}

/** Likewise for ports: 1/32 of the range, from 16 to 128. */
function portOffsetFor(size: number): number {
  return size < 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 32)), 128);
}

function parseAddress(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return null;
  const parts = match.slice(1).map(Number);
  if (parts.some((part) => part > 255)) return null;
  return parts.reduce((value, part) => value * 256 + part, 0);
}

function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}
