/**
 * The rules of endpoints, the older face of endpoint slices.
 * In: drafts. Out: defaults, checks, columns. Never: derives them from pods.
 * Source: pkg/registry/core/endpoint, ValidateEndpoints (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Label, checkPortNumber } from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { Endpoints } from "../../schema/generated/core_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { Problems } from "../problems.ts";

export type { Endpoints } from "../../schema/generated/core_v1.ts";

const SHOWN = 3;

function setDefaults(draft: KubeObject): void {
  for (const subset of (draft as Endpoints).subsets ?? []) {
    for (const port of subset.ports ?? []) port.protocol ??= "TCP";
  }
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  ((draft as Endpoints).subsets ?? []).forEach((subset, index) => {
    const path = `subsets[${index}]`;
    const addresses = [...subset.addresses ?? [], ...subset.notReadyAddresses ?? []];
    if (addresses.length === 0) {
      problems.required(path, "must specify `addresses` or `notReadyAddresses`");
    }
    const ports = subset.ports ?? [];
    ports.forEach((port, at) => {
      const portPath = `${path}.ports[${at}]`;
      if (ports.length > 1 && !port.name) problems.required(`${portPath}.name`);
      if (port.name) problems.checkName(`${portPath}.name`, port.name, checkDns1123Label);
      for (const detail of checkPortNumber(port.port)) {
        problems.invalid(`${portPath}.port`, port.port, detail);
      }
      problems.oneOf(`${portPath}.protocol`, port.protocol, ["SCTP", "TCP", "UDP"]);
    });
  });
  return problems.errors;
}

function endpointsCell(object: KubeObject): string {
  const list: string[] = [];
  for (const { addresses = [], ports = [] } of (object as Endpoints).subsets ?? []) {
    if (ports.length === 0) list.push(...addresses.map((address) => address.ip));
    for (const { port } of ports) {
      for (const { ip } of addresses) {
        list.push(ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);
      }
    }
  }
  if ((object as Endpoints).subsets === undefined) return "<none>";
  const shown = list.slice(0, SHOWN).join(",");
  return list.length > SHOWN ? `${shown} + ${list.length - SHOWN} more...` : shown;
}

export const endpointsRules: Rules = {
  setDefaults,
  validate,
  generationFields: ["subsets"],
  columns: [
    nameColumn,
    column("Endpoints", "Addresses that are ready.", endpointsCell),
    ageColumn,
  ],
};
