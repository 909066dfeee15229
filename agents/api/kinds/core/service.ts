/**
 * The rules of services.
 * In: drafts. Out: defaults, checks, columns, fields. Never: allocates addresses or node ports.
 * Source: pkg/registry/core/service/strategy.go, ValidateService (v1.36).
 */
import { checkAddress, checkBlock } from "../../ip.ts";
import type { KubeObject } from "../../meta.ts";
import { validateLabels } from "../../object_meta.ts";
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkPortName,
  checkPortNumber,
} from "../../names.ts";
import type { FieldError, Rules, TableColumn } from "../../resource.ts";
import type { Service, ServicePort, ServiceSpec } from "../../schema/generated/core_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { Problems } from "../problems.ts";
import {
  followFirstAddress,
  validateAddressChange,
  validateAddresses,
  validateClassChange,
} from "./service_addresses.ts";

export type { Service, ServicePort, ServiceSpec } from "../../schema/generated/core_v1.ts";

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const AFFINITY_SECONDS = 10_800;
const MAX_AFFINITY_SECONDS = 86_400;
/** Wider lists of load balancer addresses are cut. */
const ADDRESS_WIDTH = 16;

/** Whether traffic may come from outside, so that a traffic policy makes sense. */
function isReachableFromOutside(spec: ServiceSpec): boolean {
  return spec.type === "LoadBalancer" || spec.type === "NodePort" ||
    (spec.type === "ClusterIP" && (spec.externalIPs ?? []).length > 0);
}

function setDefaults(draft: KubeObject): void {
  const service = draft as Service;
  const spec: ServiceSpec = service.spec ??= {};
  spec.sessionAffinity ??= "None";
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === "ClientIP") {
    const timeoutSeconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
    spec.sessionAffinityConfig = {
      clientIP: { timeoutSeconds: timeoutSeconds ?? AFFINITY_SECONDS },
    };
  }
  spec.type ??= "ClusterIP";
  for (const port of spec.ports ?? []) {
    port.protocol ??= "TCP";
    if (!port.targetPort) port.targetPort = port.port;
  }
  if (isReachableFromOutside(spec)) spec.externalTrafficPolicy ??= "Cluster";
  if (spec.type !== "ExternalName") spec.internalTrafficPolicy ??= "Cluster";
  if (spec.type === "LoadBalancer") spec.allocateLoadBalancerNodePorts ??= true;
  // The first of clusterIPs and clusterIP are one field.
  if (spec.clusterIP !== undefined) spec.clusterIPs ??= [spec.clusterIP];
}

function prepareForUpdate(draft: KubeObject, old: KubeObject): void {
  const now = (draft as Service).spec;
  const before = (old as Service).spec;
  draft.status = old.status;
  followFirstAddress(now, before);
  // Clients that know nothing of allocated values leave them out; they are kept.
  const keepsAddress = now.type !== "ExternalName" && before.type !== "ExternalName";
  if (keepsAddress && !now.clusterIP && !(now.clusterIPs ?? []).length && before.clusterIP) {
    now.clusterIP = before.clusterIP;
    if (before.clusterIPs !== undefined) now.clusterIPs = before.clusterIPs;
  }
  if (keepsAddress) {
    if (before.ipFamilies !== undefined) now.ipFamilies ??= before.ipFamilies;
    if (before.ipFamilyPolicy !== undefined) now.ipFamilyPolicy ??= before.ipFamilyPolicy;
  }
  if (now.type === "ClusterIP") return;
  const nodePorts = new Map(
    (before.ports ?? []).map((port) => [`${port.port}/${port.protocol}`, port.nodePort]),
  );
  for (const port of now.ports ?? []) {
    const kept = nodePorts.get(`${port.port}/${port.protocol}`);
    if (kept !== undefined) port.nodePort ??= kept;
  }
}

function validatePort(
  problems: Problems,
  path: string,
  port: ServicePort,
  needsName: boolean,
): void {
  if (needsName && !port.name) problems.required(`${path}.name`);
  else if (port.name) problems.checkName(`${path}.name`, port.name, checkDns1123Label);
  for (const detail of checkPortNumber(port.port)) {
    problems.invalid(`${path}.port`, port.port, detail);
  }
  problems.oneOf(`${path}.protocol`, port.protocol, PROTOCOLS);
  const target = port.targetPort;
  if (typeof target === "number") {
    for (const detail of checkPortNumber(target)) {
      problems.invalid(`${path}.targetPort`, target, detail);
    }
  } else if (target !== undefined) {
    problems.checkName(`${path}.targetPort`, target, checkPortName);
  }
}

function validatePorts(problems: Problems, spec: ServiceSpec): void {
  const ports = spec.ports ?? [];
  const isHeadless = spec.clusterIP === "None";
  if (ports.length === 0 && !isHeadless && spec.type !== "ExternalName") {
    problems.required("spec.ports");
  }
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  ports.forEach((port, index) => {
    const path = `spec.ports[${index}]`;
    validatePort(problems, path, port, ports.length > 1);
    if (port.name) {
      if (names.has(port.name)) problems.duplicate(`${path}.name`, port.name);
      names.add(port.name);
    }
    const identity = `${port.port}/${port.protocol}`;
    if (numbers.has(identity)) {
      problems.duplicate(path, { protocol: port.protocol, port: port.port });
    }
    numbers.add(identity);
    if (!port.nodePort) return;
    if (spec.type === "ClusterIP") {
      problems.forbidden(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'");
    }
    const nodeIdentity = `${port.nodePort}/${port.protocol}`;
    if (nodePorts.has(nodeIdentity)) problems.duplicate(`${path}.nodePort`, port.nodePort);
    nodePorts.add(nodeIdentity);
  });
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec } = draft as Service;
  validatePorts(problems, spec);
  validateLabels(problems, "spec.selector", spec.selector);
  problems.oneOf("spec.sessionAffinity", spec.sessionAffinity, ["ClientIP", "None"]);
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (seconds !== undefined && (seconds <= 0 || seconds > MAX_AFFINITY_SECONDS)) {
    problems.invalid(
      "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
      seconds,
      `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`,
    );
  }
  problems.oneOf("spec.type", spec.type, TYPES);
  if (spec.type === "ExternalName") {
    if (!spec.externalName) problems.required("spec.externalName");
    else {
      const host = spec.externalName.replace(/\.$/, "");
      problems.checkName("spec.externalName", host, checkDns1123Subdomain);
    }
    if (spec.clusterIP) {
      problems.forbidden("spec.clusterIPs", "may not be set for ExternalName services");
    }
  }
  if (spec.type === "LoadBalancer" && spec.clusterIP === "None") {
    problems.invalid(
      "spec.clusterIPs[0]",
      "None",
      "may not be set to 'None' for LoadBalancer services",
    );
  }
  if (spec.type === "NodePort" && spec.clusterIP === "None") {
    problems.invalid(
      "spec.clusterIPs[0]",
      "None",
      "may not be set to 'None' for NodePort services",
    );
  }
  validateAddresses(problems, spec);
  validateTraffic(problems, spec);
  if (spec.externalTrafficPolicy !== undefined && spec.externalTrafficPolicy !== "") {
    if (isReachableFromOutside(spec)) {
      problems.oneOf("spec.externalTrafficPolicy", spec.externalTrafficPolicy, [
        "Cluster",
        "Local",
      ]);
    } else {
      problems.invalid(
        "spec.externalTrafficPolicy",
        spec.externalTrafficPolicy,
        "may only be set for externally-accessible services",
      );
    }
  }
  return problems.errors;
}

const TRAFFIC_POLICIES = ["Cluster", "Local"];
const DISTRIBUTIONS = ["PreferClose", "PreferSameNode", "PreferSameZone"];

/** Where traffic may come from and go to, besides the policy for traffic from outside. */
function validateTraffic(problems: Problems, spec: ServiceSpec): void {
  const { internalTrafficPolicy, healthCheckNodePort, trafficDistribution } = spec;
  if (internalTrafficPolicy !== undefined) {
    problems.oneOf("spec.internalTrafficPolicy", internalTrafficPolicy, TRAFFIC_POLICIES);
  } else if (spec.type !== "ExternalName") problems.required("spec.internalTrafficPolicy");
  if (trafficDistribution !== undefined) {
    problems.oneOf("spec.trafficDistribution", trafficDistribution, DISTRIBUTIONS);
  }
  const isLocal = spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
  if (healthCheckNodePort && !isLocal) {
    problems.invalid(
      "spec.healthCheckNodePort",
      healthCheckNodePort,
      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    );
  }
  (spec.externalIPs ?? []).forEach((address, index) => {
    problems.checkName(`spec.externalIPs[${index}]`, address, checkAddress);
  });
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const path = "spec.loadBalancerSourceRanges";
  if (ranges.length > 0 && spec.type !== "LoadBalancer") {
    problems.forbidden(path, "may only be used when `type` is 'LoadBalancer'");
  }
  ranges.forEach((range, index) => problems.checkName(`${path}[${index}]`, range, checkBlock));
  if (spec.allocateLoadBalancerNodePorts !== undefined && spec.type !== "LoadBalancer") {
    problems.forbidden(
      "spec.allocateLoadBalancerNodePorts",
      "may only be used when `type` is 'LoadBalancer'",
    );
  }
}

function validateUpdate(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const now = (draft as Service).spec;
  const before = (old as Service).spec;
  validateAddressChange(problems, now, before);
  validateClassChange(problems, now, before);
  return problems.errors;
}

function externalAddress(object: KubeObject): string {
  const { spec, status } = object as Service;
  const fixed = spec.externalIPs ?? [];
  switch (spec.type) {
    case "ClusterIP":
    case "NodePort":
      return fixed.join(",") || "<none>";
    case "ExternalName":
      return spec.externalName ?? "";
    case "LoadBalancer": {
      const ingress = (status?.loadBalancer?.ingress ?? []).map((item) => item.ip || item.hostname);
      const all = [...new Set(ingress.filter(Boolean))].sort().join(",");
      const shown = all.length > ADDRESS_WIDTH ? `${all.slice(0, ADDRESS_WIDTH - 3)}...` : all;
      return [...(shown === "" ? [] : [shown]), ...fixed].join(",") || "<pending>";
    }
    default:
      return "<unknown>";
  }
}

function portsCell(object: KubeObject): string {
  const ports = (object as Service).spec.ports ?? [];
  const texts = ports.map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`
  );
  return texts.join(",") || "<none>";
}

function selectorCell(object: KubeObject): string {
  const selector = (object as Service).spec.selector ?? {};
  const texts = Object.keys(selector).sort().map((key) => `${key}=${selector[key]}`);
  return texts.join(",") || "<none>";
}

const columns: readonly TableColumn[] = [
  nameColumn,
  column("Type", "How the service is reached.", (service) => service.spec?.type ?? ""),
  column(
    "Cluster-IP",
    "Address within the cluster.",
    (service) => service.spec?.clusterIPs?.[0] ?? service.spec?.clusterIP ?? "<none>",
  ),
  column("External-IP", "Address from outside.", externalAddress),
  column("Port(s)", "Ports, and node ports after the colon.", portsCell),
  ageColumn,
  column("Selector", "Labels of the pods behind the service.", selectorCell, { wide: true }),
];

export const serviceRules: Rules = {
  setDefaults,
  prepareForCreate: (draft) => {
    draft.status = { loadBalancer: {} };
  },
  prepareForUpdate,
  validate,
  validateUpdate,
  validateName: "dns1123Label",
  generationFields: [],
  selectableFields: {
    "spec.clusterIP": (service) => service.spec?.clusterIP ?? "",
    "spec.type": (service) => service.spec?.type ?? "",
  },
  columns,
};
