/**
 * What a cluster holds from its first moment: namespaces, priority classes, the API's own service.
 * In: a Core whose caches are loaded. Out: those objects, created where they are missing.
 * Never: changes an object that is there, except the service's endpoints when the address moved.
 * Source: pkg/controlplane (system namespaces, kubernetes service), pkg/apis/scheduling.
 */
import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import {
  configMaps,
  endpoints,
  endpointSlices,
  namespaces,
  priorityClasses,
  services,
} from "../api/resources.ts";
import { ApiError } from "../api/status.ts";
import { equalJson } from "../api/patch/json_patch.ts";
import { APISERVER } from "./auth/authorize.ts";
import { FRONT_PROXY_CLIENT } from "./auth/ca.ts";
import { bootstrapRoles } from "./auth/rbac/bootstrap_roles.ts";
import { copyJson } from "./registry.ts";
import { apiVersionOf, cacheOf, type Core, keyOf } from "./verbs/core.ts";
import { createObject } from "./verbs/create.ts";
import { updateObject } from "./verbs/update.ts";

const SYSTEM_NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"] as const;
const SYSTEM_CRITICAL = 2_000_000_000;

const SYSTEM_CLASSES = [
  {
    name: "system-node-critical",
    value: SYSTEM_CRITICAL + 1000,
    description: "Used for system critical pods that must not be moved from their current node.",
  },
  {
    name: "system-cluster-critical",
    value: SYSTEM_CRITICAL,
    description: "Used for system critical pods that must run in the cluster, but can be moved " +
      "to another node if necessary.",
  },
] as const;

export async function bootstrap(core: Core): Promise<void> {
  for (const name of SYSTEM_NAMESPACES) await ensure(core, namespaces, { metadata: { name } });
  for (const { name, ...parts } of SYSTEM_CLASSES) {
    await ensure(core, priorityClasses, { metadata: { name }, ...parts });
  }
  await bootstrapRoles(core);
}

/**
 * Tells servers of other groups whose word to take for who asks.
 * @param pki PEM of the authority of clients, and of the one behind this server's own certificate.
 */
export async function publishAuthentication(
  core: Core,
  pki: { readonly clientCa: string; readonly frontProxyCa: string },
): Promise<void> {
  await keep(core, configMaps, {
    metadata: { name: "extension-apiserver-authentication", namespace: "kube-system" },
    data: {
      "client-ca-file": pki.clientCa,
      "requestheader-allowed-names": JSON.stringify([FRONT_PROXY_CLIENT]),
      "requestheader-client-ca-file": pki.frontProxyCa,
      "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
      "requestheader-group-headers": '["X-Remote-Group"]',
      "requestheader-uid-headers": '["X-Remote-Uid"]',
      "requestheader-username-headers": '["X-Remote-User"]',
    },
  }, ["data"]);
}

/** Whether an address can stand in endpoints: it leads to the same server from everywhere. */
export function isPublishable(address: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(address) && !address.startsWith("127.") &&
    address !== "0.0.0.0";
}

/** Where the API is reached from inside of the cluster. */
export interface ApiAddress {
  /** First address of the service range. */
  readonly clusterIp: string;
  /** Where servers are reached; empty = nowhere that other machines could be told. */
  readonly addresses: readonly string[];
  /** Of each of them. */
  readonly port: number;
}

/** Keeps the `kubernetes` service and what stands behind it. */
export async function publishApiService(core: Core, where: ApiAddress): Promise<void> {
  const labels = { component: "apiserver", provider: "kubernetes" };
  await ensure(core, services, {
    metadata: { name: "kubernetes", namespace: "default", labels },
    spec: {
      type: "ClusterIP",
      clusterIP: where.clusterIp,
      clusterIPs: [where.clusterIp],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      sessionAffinity: "None",
      ports: [{ name: "https", protocol: "TCP", port: 443, targetPort: where.port }],
    },
  });
  if (where.addresses.length === 0) return;
  const port = { name: "https", port: where.port, protocol: "TCP" };
  await keep(core, endpoints, {
    metadata: {
      name: "kubernetes",
      namespace: "default",
      labels: { "endpointslice.kubernetes.io/skip-mirror": "true" },
    },
    subsets: [{ addresses: where.addresses.map((ip) => ({ ip })), ports: [port] }],
  }, ["subsets"]);
  await keep(core, endpointSlices, {
    metadata: {
      name: "kubernetes",
      namespace: "default",
      labels: { "kubernetes.io/service-name": "kubernetes" },
    },
    addressType: "IPv4",
    endpoints: where.addresses.map((one) => ({ addresses: [one], conditions: { ready: true } })),
    ports: [port],
  }, ["endpoints", "ports"]);
}

function find(core: Core, resource: Resource, object: KubeObject): KubeObject | undefined {
  const { namespace = "", name = "" } = object.metadata;
  return cacheOf(core, resource).get(keyOf({ resource, namespace, name }))?.object;
}

async function ensure(core: Core, resource: Resource, object: KubeObject): Promise<void> {
  if (find(core, resource, object) !== undefined) return;
  const { namespace = "" } = object.metadata;
  const draft = { kind: resource.kind, apiVersion: apiVersionOf(resource), ...copyJson(object) };
  const target = { resource, subresource: "", namespace, name: "", user: APISERVER };
  try {
    await createObject(core, target, draft, {});
  } catch (error) {
    // Another server of the same store was faster.
    if (!(error instanceof ApiError) || error.reason !== "AlreadyExists") throw error;
  }
}

async function keep(
  core: Core,
  resource: Resource,
  object: KubeObject,
  fields: readonly string[],
): Promise<void> {
  const found = find(core, resource, object);
  if (found === undefined) return ensure(core, resource, object);
  if (fields.every((field) => equalJson(found[field], object[field]))) return;
  const draft = { ...copyJson(found), ...copyJson(object), metadata: copyJson(found.metadata) };
  const { namespace = "", name = "" } = object.metadata;
  await updateObject(
    core,
    { resource, subresource: "", namespace, name, user: APISERVER },
    draft,
    {},
  );
}
