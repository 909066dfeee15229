/**
 * What a kubelet may do: its own node, its own pods, and what those pods name.
 * In: a user of a node and what it asks. Out: a decision; "no" leaves the answer to others.
 * Never: lets a node list what it can't name.
 * Source: plugin/pkg/auth/authorizer/node (v1.36).
 */
import type { UserInfo } from "../../api/meta.ts";
import type { PolicyRule } from "../../api/schema/generated/rbac_v1.ts";
import type { AccessAttributes, Decision } from "./authorize.ts";
import { isRelated, type NodeSource } from "./node_relations.ts";
import { ruleAllows } from "./rbac/rules.ts";

const NODE_GROUP = "system:nodes";
const NODE_PREFIX = "system:node:";
const LEASE_NAMESPACE = "kube-node-lease";

const YES: Decision = { allowed: true };
const no = (reason: string): Decision => ({ allowed: false, reason });

type Asked = Extract<AccessAttributes, { readonly resource: string }>;

/** @returns the name of the node that a user is; null for anybody else */
export function nodeOf(user: UserInfo): string | null {
  if (!user.name.startsWith(NODE_PREFIX) || !user.groups.includes(NODE_GROUP)) return null;
  return user.name.slice(NODE_PREFIX.length);
}

/** @param nodeRules the rules of the role system:node */
export function authorizeNode(
  asked: AccessAttributes,
  parts: { readonly source: NodeSource; readonly nodeRules: readonly PolicyRule[] },
): Decision {
  const node = nodeOf(asked.user);
  if (node === null || node === "") return { allowed: false };
  if (asked.path === undefined) {
    const decision = decideResource(node, asked, parts.source);
    if (decision !== null) return decision;
  }
  return { allowed: parts.nodeRules.some((rule) => ruleAllows(rule, asked)) };
}

/** @returns null where the node's rules decide */
function decideResource(node: string, asked: Asked, source: NodeSource): Decision | null {
  switch (`${asked.group}/${asked.resource}`) {
    case "/secrets":
    case "/configmaps":
      return readNamed(node, asked, source);
    case "/persistentvolumeclaims":
      return useClaim(node, asked, source);
    case "/persistentvolumes":
    case "resource.k8s.io/resourceclaims":
    case "storage.k8s.io/volumeattachments":
      return getRelated(node, asked, source);
    case "resource.k8s.io/resourceslices":
      return useSlice(node, asked, source);
    case "certificates.k8s.io/podcertificaterequests":
      return useCertificateRequest(node, asked);
    case "/serviceaccounts":
      return useAccount(node, asked, source);
    case "/nodes":
      return useNode(node, asked);
    case "/pods":
      return usePod(node, asked, source);
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

function related(node: string, asked: Asked, source: NodeSource): Decision {
  if (asked.name === "") return no("No Object name found");
  return isRelated(source, node, asked) ? YES : unrelated(node);
}

function readNamed(node: string, asked: Asked, source: NodeSource): Decision {
  if (!["get", "list", "watch"].includes(asked.verb)) {
    return no("can only read resources of this type");
  }
  if (asked.subresource !== "") return no("cannot read subresource");
  if (asked.namespace === "") return no("can only read namespaced object of this type");
  return related(node, asked, source);
}

function getRelated(node: string, asked: Asked, source: NodeSource): Decision {
  if (asked.verb !== "get") return no("can only get individual resources of this type");
  if (asked.subresource !== "") return no("cannot get subresource");
  return related(node, asked, source);
}

function useSlice(node: string, asked: Asked, source: NodeSource): Decision {
  if (asked.subresource !== "") return no("cannot authorize ResourceSlice subresources");
  switch (asked.verb) {
    case "create":
      // Admission looks at whose node the slice names.
      return YES;
    case "get":
    case "update":
    case "patch":
    case "delete":
      return related(node, asked, source);
    case "list":
    case "watch":
    case "deletecollection":
      return selects(asked, "spec.nodeName", node) ? YES : no(
        "can only list/watch/deletecollection resourceslices with nodeName field selector",
      );
    default:
      return no(
        "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, " +
          "update, patch, delete, deletecollection",
      );
  }
}

function useCertificateRequest(node: string, asked: Asked): Decision {
  const { verb, subresource } = asked;
  if (subresource !== "") {
    return no("nodes may not access the status subresource of PodCertificateRequests");
  }
  if (verb !== "list" && verb !== "watch") {
    return no(`nodes may not ${verb} podcertificaterequests`);
  }
  return selects(asked, "spec.nodeName", node)
    ? YES
    : no("can only list/watch podcertificaterequests with nodeName field selector");
}

/** Whether a list asks for one value of a field, and thereby for no other. */
function selects({ fieldSelector }: Asked, field: string, value: string): boolean {
  return fieldSelector?.split(",").some((term) =>
    term === `${field}=${value}` || term === `${field}==${value}`
  ) ?? false;
}

function useClaim(node: string, asked: Asked, source: NodeSource): Decision {
  const isStatus = asked.subresource === "status";
  if (isStatus && !["update", "patch"].includes(asked.verb)) {
    return no("can only get/update/patch this type");
  }
  if (!isStatus && (asked.verb !== "get" || asked.subresource !== "")) {
    return no("can only get individual resources of this type");
  }
  return related(node, asked, source);
}

function useAccount(node: string, asked: Asked, source: NodeSource): Decision {
  const isRead = asked.verb === "get" && asked.subresource === "";
  const isToken = asked.verb === "create" && asked.subresource === "token";
  if (!isRead && !isToken) {
    return no("can only create tokens for individual service accounts");
  }
  return related(node, asked, source);
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

function usePod(node: string, asked: Asked, source: NodeSource): Decision {
  const { verb, subresource } = asked;
  if (subresource === "status") return { allowed: verb === "update" || verb === "patch" };
  if (subresource === "eviction") return { allowed: verb === "create" };
  if (subresource !== "") return { allowed: false };
  if (verb === "create" || verb === "delete") return YES;
  if (verb === "list" || verb === "watch") {
    if (selects(asked, "spec.nodeName", node)) return YES;
    if (asked.name === "") return no("can only list/watch pods with spec.nodeName field selector");
  } else if (verb !== "get") return { allowed: false };
  for (const pod of source.podsOf(node)) {
    const { namespace, name } = pod.metadata;
    if (namespace === asked.namespace && name === asked.name) return YES;
  }
  return unrelated(node);
}
