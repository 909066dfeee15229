/**
 * The default roles and bindings as objects.
 * In: the tables under `policy/`. Out: what a new cluster stores.
 * Never: validates; the tables are ours. A role's line has its name, `to=x` where it is part of
 * role x, `from=x` where it gathers the parts of x; its rules follow, one blank in:
 * `verbs groups resources [names]` or `verbs url paths`; two blanks continue a line. A binding's
 * line has its name and the role's kind; its role, where named differently, and subjects follow.
 */
import type { KubeObject } from "../../../api/meta.ts";
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Subject,
} from "../../../api/schema/generated/rbac_v1.ts";

const GROUP = "rbac.authorization.k8s.io";
const AGGREGATE = `${GROUP}/aggregate-to-`;
const META = {
  annotations: { "rbac.authorization.kubernetes.io/autoupdate": "true" },
  labels: { "kubernetes.io/bootstrapping": "rbac-defaults" },
};

interface Entry {
  readonly head: readonly string[];
  readonly lines: readonly string[];
}

function entriesOf(table: string): Entry[] {
  const entries: { head: string[]; lines: string[] }[] = [];
  for (const line of table.split("\n")) {
    if (line === "") continue;
    const last = entries.at(-1);
    if (line.startsWith("  ")) last!.lines.push(last!.lines.pop()! + line.slice(2));
    else if (line.startsWith(" ")) last!.lines.push(line.slice(1));
    else entries.push({ head: line.split(" "), lines: [] });
  }
  return entries;
}

/** Roles with a namespace before a slash, cluster roles without. */
export function parseRoles(table: string): ClusterRole[] {
  return entriesOf(table).map(({ head, lines }) => {
    const [path, ...flags] = head;
    const labels: Record<string, string> = { ...META.labels };
    const sources: string[] = [];
    for (const flag of flags) {
      const [kind, name] = flag.split("=");
      if (kind === "to") labels[AGGREGATE + name] = "true";
      else sources.push(name);
    }
    const { metadata, isNamespaced } = placeOf(path);
    return {
      apiVersion: `${GROUP}/v1`,
      kind: isNamespaced ? "Role" : "ClusterRole",
      metadata: { ...metadata, annotations: { ...META.annotations }, labels },
      ...(sources.length === 0
        ? {}
        : { aggregationRule: { clusterRoleSelectors: sources.map(selectorOf) } }),
      rules: lines.map(parseRule),
    };
  });
}

const selectorOf = (name: string) => ({ matchLabels: { [AGGREGATE + name]: "true" } });

function placeOf(path: string): { metadata: KubeObject["metadata"]; isNamespaced: boolean } {
  const slash = path.indexOf("/");
  if (slash < 0) return { metadata: { name: path }, isNamespaced: false };
  const metadata = { name: path.slice(slash + 1), namespace: path.slice(0, slash) };
  return { metadata, isNamespaced: true };
}

function parseRule(line: string): PolicyRule {
  const [verbs, groups, targets, names] = line.split(" ").map((word) => word.split(","));
  if (groups[0] === "url") return { verbs, nonResourceURLs: targets };
  return {
    verbs,
    apiGroups: groups.map((group) => group === "core" ? "" : group),
    resources: targets,
    ...(names === undefined ? {} : { resourceNames: names }),
  };
}

export function parseBindings(table: string): ClusterRoleBinding[] {
  return entriesOf(table).map(({ head: [path, kind], lines }) => {
    const { metadata, isNamespaced } = placeOf(path);
    let role = metadata.name!;
    const subjects: Subject[] = [];
    for (const line of lines) {
      const [what, name] = line.split(" ");
      if (what === "role") role = name;
      else subjects.push(parseSubject(what, name));
    }
    return {
      apiVersion: `${GROUP}/v1`,
      kind: isNamespaced ? "RoleBinding" : "ClusterRoleBinding",
      metadata: { ...metadata, annotations: { ...META.annotations }, labels: { ...META.labels } },
      roleRef: { apiGroup: GROUP, kind, name: role },
      ...(subjects.length === 0 ? {} : { subjects }),
    };
  });
}

function parseSubject(kind: string, name: string): Subject {
  if (kind !== "ServiceAccount") return { kind, apiGroup: GROUP, name };
  const [namespace, account] = name.split("/");
  return { kind, name: account, namespace };
}
