/**
 * What a kubelet may do: its own node, its own pods, and what those pods name.
 * In: a user of a node and what it asks. Out: a decision; "no" leaves the answer to others.
 * Never: lets a node list what it can't name.
 * Source: plugin/pkg/auth/authorizer/node (v1.36).
 */
import type { KubeObject, UserInfo } from "../../api/meta.ts";
import type { PolicyRule } from "../../api/schema/generated/rbac_v1.ts";
import type { AccessAttributes, Decision } from "./authorize.ts";
import { ruleAllows } from "./rbac/rules.ts";

const NODE_GROUP = "system:nodes";
const NODE_PREFIX = "system:node:";
const LEASE_NAMESPACE = "kube-node-lease";

const YES: Decision = { allowed: true };
const no = (reason: string): Decision => ({ allowed: false, reason });

type Asked = Extract<AccessAttributes, { readonly resource: string }>;

/** The pods that are bound to a node. */
export type PodsOfNode = (nodeName: string) => Iterable<KubeObject>;

/** @returns the name of the node that a user is; null for anybody else */
export function nodeOf(user: UserInfo): string | null {
  if (!user.name.startsWith(NODE_PREFIX) || !user.groups.includes(NODE_GROUP)) return null;
  return user.name.slice(NODE_PREFIX.length);
}

/** @param nodeRules the rules of the role system:node */
export function authorizeNode(
  asked: AccessAttributes,
  parts: { readonly podsOf: PodsOfNode; readonly nodeRules: readonly PolicyRule[] },
): Decision {
  const node = nodeOf(asked.user);
  if (node === null || node === "") return { allowed: false };
  if (asked.path === undefined) {
    const decision = decideResource(node, asked, parts.podsOf);
    if (decision !== null) return decision;
  }
  return { allowed: parts.nodeRules.some((rule) => ruleAllows(rule, asked)) };
}

/** @returns null where the node's rules decide */
function decideResource(node: string, asked: Asked, podsOf: PodsOfNode): Decision | null {
  switch (`${asked.group}/${asked.resource}`) {
    case "/secrets":
    case "/configmaps":
      return readNamed(node, asked, podsOf);
    case "/persistentvolumeclaims":
      return useClaim(node, asked, podsOf);
    case "/serviceaccounts":
      return useAccount(node, asked, podsOf);
    case "/nodes":
      return useNode(node, asked);
    case "/pods":
      return usePod(node, asked, podsOf);
    case "coordination.k8s.io/leases":
      if (asked.namespace !== LEASE_NAMESPACE) {
        return no(`can only access leases in the "${LEASE_NAMESPACE}" system namespace`);
      }
      return useOwn(node, asked, "node lease");
    case "storage.k8s.io/csinodes":
      return useOwn(node, asked, "CSINode");
    default:
      return null;
  }
}

const unrelated = (node: string) =>
  no(`no relationship found between node '${node}' and this object`);

function related(node: string, asked: Asked, podsOf: PodsOfNode): Decision {
  if (asked.name === "") return no("No Object name found");
  for (const pod of podsOf(node)) {
    if (pod.metadata.namespace !== asked.namespace) continue;
    if (namesOf(pod, asked.resource).has(asked.name)) return YES;
  }
  return unrelated(node);
}

function readNamed(node: string, asked: Asked, podsOf: PodsOfNode): Decision {
  if (!["get", "list", "watch"].includes(asked.verb)) {
    return no("can only read resources of this type");
  }
  if (asked.subresource !== "") return no("cannot read subresource");
  if (asked.namespace === "") return no("can only read namespaced object of this type");
  return related(node, asked, podsOf);
}

function useClaim(node: string, asked: Asked, podsOf: PodsOfNode): Decision {
  const isStatus = asked.subresource === "status";
  if (isStatus && !["update", "patch"].includes(asked.verb)) {
    return no("can only get/update/patch this type");
  }
  if (!isStatus && (asked.verb !== "get" || asked.subresource !== "")) {
    return no("can only get individual resources of this type");
  }
  return related(node, asked, podsOf);
}

function useAccount(node: string, asked: Asked, podsOf: PodsOfNode): Decision {
  const isRead = asked.verb === "get" && asked.subresource === "";
  const isToken = asked.verb === "create" && asked.subresource === "token";
  if (!isRead && !isToken) {
    return no("can only create tokens for individual service accounts");
  }
  return related(node, asked, podsOf);
}

function useOwn(node: string, asked: Asked, what: string): Decision {
  if (!["get", "create", "update", "patch", "delete"].includes(asked.verb)) {
    return no(`can only get, create, update, patch, or delete a ${what}`);
  }
  if (asked.verb === "create" || asked.name === node) return YES;
  return no(`can only access ${what} with the same name as the requesting node`);
}

function useNode(node: string, asked: Asked): Decision {
  const { verb, subresource, name } = asked;
  if (subresource === "status") return { allowed: verb === "update" || verb === "patch" };
  if (subresource !== "") return { allowed: false };
  if (["create", "update", "patch"].includes(verb)) return YES;
  if (!["get", "list", "watch"].includes(verb)) return { allowed: false };
  if (name === node) return YES;
  return name === ""
    ? no(`node '${node}' cannot read all nodes, only its own Node object`)
    : no(`node '${node}' cannot read '${name}', only its own Node object`);
}

function usePod(node: string, asked: Asked, podsOf: PodsOfNode): Decision {
  const { verb, subresource } = asked;
  if (subresource === "status") return { allowed: verb === "update" || verb === "patch" };
  if (subresource === "eviction") return { allowed: verb === "create" };
  if (subresource !== "") return { allowed: false };
  if (verb === "create" || verb === "delete") return YES;
  if (verb === "list" || verb === "watch") {
    const isOwn = asked.fieldSelector?.split(",").some((term) =>
      /^spec\.nodeName==?/.test(term) && term.replace(/^spec\.nodeName==?/, "") === node
    );
    if (isOwn) return YES;
    if (asked.name === "") return no("can only list/watch pods with spec.nodeName field selector");
  } else if (verb !== "get") return { allowed: false };
  for (const pod of podsOf(node)) {
    const { namespace, name } = pod.metadata;
    if (namespace === asked.namespace && name === asked.name) return YES;
  }
  return unrelated(node);
}

/** Names of the objects of one resource that a pod uses. */
function namesOf(pod: KubeObject, resource: string): ReadonlySet<string> {
  const names = new Set<string>();
  if (resource === "serviceaccounts") names.add(pod.spec.serviceAccountName ?? "default");
  else visitNames(pod.spec, FIELDS[resource] ?? {}, names);
  return names;
}

/** Members of a pod's spec that name an object, and how the name stands in them. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  secrets: {
    secretRef: "name",
    secretKeyRef: "name",
    imagePullSecrets: "name",
    secret: "secretName name",
    azureFile: "secretName",
    nodePublishSecretRef: "name",
    controllerPublishSecretRef: "name",
  },
  configmaps: { configMapRef: "name", configMapKeyRef: "name", configMap: "name" },
  persistentvolumeclaims: { persistentVolumeClaim: "claimName" },
};

function visitNames(
  value: unknown,
  fields: Readonly<Record<string, string>>,
  names: Set<string>,
): void {
  if (Array.isArray(value)) {
    for (const item of value) visitNames(item, fields, names);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [member, inner] of Object.entries(value)) {
    const at = fields[member];
    if (at !== undefined) {
      for (const one of Array.isArray(inner) ? inner : [inner]) {
        for (const word of at.split(" ")) if (one?.[word]) names.add(one[word]);
      }
    }
    visitNames(inner, fields, names);
  }
}
