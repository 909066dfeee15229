/**
 * The rules of service CIDRs and of the addresses that services hold.
 * In: drafts. Out: checks, columns, fields. Never: allocates.
 * Source: ValidateServiceCIDR, ValidateIPAddress (v1.36).
 */
import { checkCanonicalBlock, parseBlock } from "../../ip.ts";
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Subdomain, checkPathSegment } from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { IPAddress, ServiceCIDR } from "../../schema/generated/networking_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { Problems } from "../problems.ts";

export type { IPAddress, ServiceCIDR } from "../../schema/generated/networking_v1.ts";

function validateServiceCidr(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec = {} } = draft as ServiceCIDR;
  const cidrs = spec.cidrs ?? [];
  const at = "spec.cidrs";
  if (cidrs.length === 0) {
    problems.required(at, "at least one CIDR required");
    return problems.errors;
  }
  if (cidrs.length > 2) {
    problems.invalid(at, spec, "may only hold up to 2 values");
    return problems.errors;
  }
  cidrs.forEach((cidr, index) => {
    problems.checkName(`${at}[${index}]`, cidr, checkCanonicalBlock);
  });
  const families = cidrs.map((cidr) => parseBlock(cidr)?.family);
  if (families.length === 2 && families[0] !== undefined && families[0] === families[1]) {
    problems.invalid(
      at,
      cidrs,
      "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64",
    );
  }
  return problems.errors;
}

/** A second family may be added to a first; nothing else changes. */
function validateServiceCidrUpdate(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const now = (draft as ServiceCIDR).spec?.cidrs ?? [];
  const before = (old as ServiceCIDR).spec?.cidrs ?? [];
  const grows = before.length === 1 && now.length === 2;
  if (now.length !== before.length && !grows) {
    problems.invalid("spec.cidrs", now, "field is immutable");
    return problems.errors;
  }
  before.forEach((cidr, index) => {
    if (now[index] === cidr) return;
    problems.invalid(`spec.cidrs[${index}]`, now[index], "field is immutable");
  });
  return problems.errors;
}

export const serviceCidrRules: Rules = {
  ...ownStatus(),
  validate: validateServiceCidr,
  validateUpdate: validateServiceCidrUpdate,
  generationFields: [],
  columns: [
    nameColumn,
    column(
      "CIDRs",
      "Blocks that addresses are taken from.",
      (item) => (item.spec?.cidrs ?? []).join(","),
    ),
    ageColumn,
  ],
};

function validateAddress(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const parent = (draft as IPAddress).spec?.parentRef;
  const at = "spec.parentRef";
  if (parent === undefined) {
    problems.required(at);
    return problems.errors;
  }
  if (parent.group) problems.checkName(`${at}.group`, parent.group, checkDns1123Subdomain);
  for (const field of ["resource", "name", "namespace"] as const) {
    const value = parent[field];
    if (value) problems.checkName(`${at}.${field}`, value, checkPathSegment);
    else if (field !== "namespace") problems.required(`${at}.${field}`);
  }
  return problems.errors;
}

function parentCell(object: KubeObject): string {
  const parent = (object as IPAddress).spec?.parentRef;
  if (parent === undefined) return "<none>";
  const resource = parent.group ? `${parent.resource}.${parent.group}` : parent.resource ?? "";
  const place = parent.namespace ? `/${parent.namespace}` : "";
  return `${resource.toLowerCase()}${place}/${parent.name ?? ""}`;
}

export const ipAddressRules: Rules = {
  validate: validateAddress,
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    problems.immutable("spec.parentRef", draft.spec?.parentRef, old.spec?.parentRef);
    return problems.errors;
  },
  validateName: "ipAddress",
  generationFields: [],
  columns: [
    nameColumn,
    column("ParentRef", "Object that holds the address.", parentCell),
  ],
};
