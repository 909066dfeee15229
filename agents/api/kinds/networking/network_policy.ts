/**
 * The rules of network policies.
 * In: drafts. Out: defaults, checks, columns. Never: filters a packet.
 * Source: ValidateNetworkPolicySpec, SetDefaults_NetworkPolicy (v1.36).
 */
import { checkBlock, contains, parseBlock } from "../../ip.ts";
import type { KubeObject } from "../../meta.ts";
import { checkPortName, checkPortNumber } from "../../names.ts";
import { validateLabelSelector } from "../../object_meta.ts";
import type { FieldError, Rules } from "../../resource.ts";
import { formatLabelSelector, fromLabelSelector } from "../../selector.ts";
import type {
  IPBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from "../../schema/generated/networking_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { Problems } from "../problems.ts";

export type { NetworkPolicy, NetworkPolicySpec } from "../../schema/generated/networking_v1.ts";

const PROTOCOLS = ["TCP", "UDP", "SCTP"];
const TYPES = ["Ingress", "Egress"];

function setDefaults(draft: KubeObject): void {
  const policy = draft as NetworkPolicy;
  const spec = policy.spec ??= {};
  spec.podSelector ??= {};
  if ((spec.policyTypes ?? []).length === 0) {
    spec.policyTypes = (spec.egress ?? []).length > 0 ? [...TYPES] : ["Ingress"];
  }
  for (const rule of [...spec.ingress ?? [], ...spec.egress ?? []]) {
    for (const port of rule.ports ?? []) port.protocol ??= "TCP";
  }
}

function validatePort(problems: Problems, at: string, item: NetworkPolicyPort): void {
  const { protocol, port, endPort } = item;
  if (protocol !== undefined && !PROTOCOLS.includes(protocol)) {
    problems.notSupported(`${at}.protocol`, protocol, PROTOCOLS);
  }
  const endPath = `${at}.endPort`;
  if (port === undefined) {
    if (endPort !== undefined) {
      problems.invalid(endPath, endPort, "may not be specified when `port` is not specified");
    }
    return;
  }
  if (typeof port === "string") {
    if (endPort !== undefined) {
      problems.invalid(endPath, endPort, "may not be specified when `port` is non-numeric");
    }
    return problems.checkName(`${at}.port`, port, checkPortName);
  }
  for (const detail of checkPortNumber(port)) problems.invalid(`${at}.port`, port, detail);
  if (endPort === undefined) return;
  if (endPort < port) problems.invalid(endPath, port, "must be greater than or equal to `port`");
  for (const detail of checkPortNumber(endPort)) problems.invalid(endPath, endPort, detail);
}

function validateIpBlock(problems: Problems, at: string, item: IPBlock): void {
  if (!item.cidr) return problems.required(`${at}.cidr`);
  problems.checkName(`${at}.cidr`, item.cidr, checkBlock);
  const block = parseBlock(item.cidr);
  if (block === null) return;
  (item.except ?? []).forEach((text, index) => {
    const path = `${at}.except[${index}]`;
    problems.checkName(path, text, checkBlock);
    const hole = parseBlock(text);
    if (hole === null) return;
    if (!contains(block, hole) || block.prefixLength >= hole.prefixLength) {
      problems.invalid(path, text, "must be a strict subset of `cidr`");
    }
  });
}

function validatePeer(problems: Problems, at: string, peer: NetworkPolicyPeer): void {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  validateLabelSelector(problems, `${at}.podSelector`, podSelector);
  validateLabelSelector(problems, `${at}.namespaceSelector`, namespaceSelector);
  if (ipBlock !== undefined) validateIpBlock(problems, `${at}.ipBlock`, ipBlock);
  const count = [podSelector, namespaceSelector, ipBlock].filter((part) => part !== undefined);
  if (count.length === 0) problems.required(at, "must specify a peer");
  else if (count.length > 1 && ipBlock !== undefined) {
    problems.forbidden(at, "may not specify both ipBlock and another peer");
  }
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { podSelector, ingress = [], egress = [], policyTypes = [] } =
    (draft as NetworkPolicy).spec ?? {};
  validateLabelSelector(problems, "spec.podSelector", podSelector);
  ingress.forEach(({ ports = [], from = [] }, index) => {
    const at = `spec.ingress[${index}]`;
    ports.forEach((port, item) => validatePort(problems, `${at}.ports[${item}]`, port));
    from.forEach((peer, item) => validatePeer(problems, `${at}.from[${item}]`, peer));
  });
  egress.forEach(({ ports = [], to = [] }, index) => {
    const at = `spec.egress[${index}]`;
    ports.forEach((port, item) => validatePort(problems, `${at}.ports[${item}]`, port));
    to.forEach((peer, item) => validatePeer(problems, `${at}.to[${item}]`, peer));
  });
  if (policyTypes.length > TYPES.length) {
    const detail = "may not specify more than two policyTypes";
    problems.invalid("spec.policyTypes", policyTypes, detail);
    return problems.errors;
  }
  policyTypes.forEach((type, index) => {
    if (!TYPES.includes(type)) problems.notSupported(`spec.policyTypes[${index}]`, type, TYPES);
  });
  return problems.errors;
}

function selectorCell(object: KubeObject): string {
  const parsed = fromLabelSelector(object.spec?.podSelector) ?? [];
  const equalities = parsed.map((requirement) =>
    requirement.operator === "in" && requirement.values.length === 1
      ? { ...requirement, operator: "=" as const }
      : requirement
  );
  return formatLabelSelector(equalities) || "<none>";
}

export const networkPolicyRules: Rules = {
  setDefaults,
  validate,
  columns: [
    nameColumn,
    column("Pod-Selector", "Pods that it is about.", selectorCell),
    ageColumn,
  ],
};
