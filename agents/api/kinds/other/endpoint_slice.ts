/**
 * The rules of endpoint slices.
 * In: drafts. Out: defaults, checks, columns. Never: derives them from pods.
 * Source: pkg/apis/discovery/validation, pkg/apis/discovery/v1/defaults.go (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Label } from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { EndpointSlice } from "../../schema/generated/discovery_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { Problems } from "../problems.ts";

export type { Endpoint, EndpointPort, EndpointSlice } from "../../schema/generated/discovery_v1.ts";

const TYPES = ["FQDN", "IPv4", "IPv6"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const MAX_ENDPOINTS = 1000;
const MAX_ADDRESSES = 100;
const MAX_PORTS = 20_000;
const SHOWN = 3;

function setDefaults(draft: KubeObject): void {
  for (const port of (draft as EndpointSlice).ports ?? []) {
    port.name ??= "";
    port.protocol ??= "TCP";
  }
}

function tooMany(problems: Problems, path: string, count: number, limit: number): void {
  if (count <= limit) return;
  const detail = `must have at most ${limit} items`;
  problems.errors.push({ type: "tooMany", path, value: count, detail });
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const slice = draft as EndpointSlice;
  problems.oneOf("addressType", slice.addressType, TYPES);
  const endpoints = slice.endpoints ?? [];
  tooMany(problems, "endpoints", endpoints.length, MAX_ENDPOINTS);
  endpoints.forEach((endpoint, index) => {
    const addresses = endpoint.addresses ?? [];
    const path = `endpoints[${index}].addresses`;
    if (addresses.length === 0) problems.required(path, "must contain at least 1 address");
    tooMany(problems, path, addresses.length, MAX_ADDRESSES);
  });
  const ports = slice.ports ?? [];
  tooMany(problems, "ports", ports.length, MAX_PORTS);
  const names = new Set<string>();
  ports.forEach((port, index) => {
    const name = port.name ?? "";
    if (names.has(name)) problems.duplicate(`ports[${index}].name`, name);
    names.add(name);
    if (name !== "") problems.checkName(`ports[${index}].name`, name, checkDns1123Label);
    problems.oneOf(`ports[${index}].protocol`, port.protocol, PROTOCOLS);
  });
  return problems.errors;
}

function firstFew(list: readonly string[]): string {
  if (list.length === 0) return "<unset>";
  const shown = list.slice(0, SHOWN).join(",");
  return list.length > SHOWN ? `${shown} + ${list.length - SHOWN} more...` : shown;
}

export const endpointSliceRules: Rules = {
  setDefaults,
  validate,
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    problems.immutable("addressType", draft.addressType, old.addressType);
    return problems.errors;
  },
  generationFields: ["endpoints", "ports", "addressType"],
  columns: [
    nameColumn,
    column("AddressType", "Kind of the addresses.", (slice) => slice.addressType ?? ""),
    column("Ports", "Ports that the endpoints serve.", (slice) =>
      firstFew(
        ((slice as EndpointSlice).ports ?? []).map(({ port, name }) =>
          port === undefined ? name ?? "*" : String(port)
        ),
      )),
    column(
      "Endpoints",
      "Addresses of the endpoints.",
      (slice) =>
        firstFew(((slice as EndpointSlice).endpoints ?? []).flatMap((item) => item.addresses)),
    ),
    ageColumn,
  ],
};
