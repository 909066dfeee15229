/**
 * The Pod Security Standards as a list of checks over a pod's spec.
 * In: metadata and spec of a pod or template. Out: what each check forbids, worded as upstream's.
 * Never: reads a cluster.
 * Source: the Pod Security Standards page and pod-security-admission's policy package (v1.36).
 */
import type { KubeObject, ObjectMeta } from "../../../api/meta.ts";

type Spec = KubeObject["spec"];
export type Level = "privileged" | "baseline" | "restricted";

/** A check that failed: a short reason and, for one object, the particulars. */
export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

/** @param minor the standard's version: 25 for v1.25, Infinity for the latest */
type Find = (metadata: ObjectMeta, spec: Spec, minor: number) => Violation | null;

export interface PodCheck {
  readonly id: string;
  readonly level: "baseline" | "restricted";
  /** First minor version of the standards that has it. Default 0. */
  readonly since?: number;
  readonly find: Find;
}

interface Visited {
  readonly container: Spec;
  readonly security: Spec;
}

/** Every container of a pod with its security context. */
function containers(spec: Spec): Visited[] {
  return [
    ...(spec.initContainers ?? []),
    ...(spec.containers ?? []),
    ...(spec.ephemeralContainers ?? []),
  ].map((container) => ({ container, security: container.securityContext ?? {} }));
}

const quoted = (items: Iterable<string>) => [...items].map((item) => `"${item}"`).join(", ");
const sorted = (items: Iterable<string>) => [...new Set(items)].sort();
const plural = (one: string, many: string, count: number) => count === 1 ? one : many;

/** `container "a"` or `containers "a", "b"`. */
function named(bad: readonly Visited[]): string {
  const names = quoted(bad.map(({ container }) => container.name));
  return `${plural("container", "containers", bad.length)} ${names}`;
}

/** `pod and containers "a"`: who set something at pod or container level. */
function setters(isPod: boolean, bad: readonly Visited[]): string {
  return [...(isPod ? ["pod"] : []), ...(bad.length > 0 ? [named(bad)] : [])].join(" and ");
}

/** A check that fails for each container that satisfies `isBad`. */
function perContainer(
  reason: string,
  isBad: (visited: Visited, spec: Spec, minor: number) => boolean,
  detail: (bad: readonly Visited[]) => string,
): Find {
  return (_, spec, minor) => {
    const bad = containers(spec).filter((visited) => isBad(visited, spec, minor));
    return bad.length === 0 ? null : { reason, detail: `${named(bad)} ${detail(bad)}` };
  };
}

const DEFAULT_CAPABILITIES = new Set([
  ..."AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE".split(" "),
  ..."SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split(" "),
]);
/** Each with the minor version that has it first. */
const SAFE_SYSCTLS: ReadonlyMap<string, number> = new Map([
  ["kernel.shm_rmid_forced", 0],
  ["net.ipv4.ip_local_port_range", 0],
  ["net.ipv4.tcp_syncookies", 0],
  ["net.ipv4.ping_group_range", 0],
  ["net.ipv4.ip_unprivileged_port_start", 0],
  ["net.ipv4.ip_local_reserved_ports", 27],
  ["net.ipv4.tcp_keepalive_time", 29],
  ["net.ipv4.tcp_fin_timeout", 29],
  ["net.ipv4.tcp_keepalive_intvl", 29],
  ["net.ipv4.tcp_keepalive_probes", 29],
  ["net.ipv4.tcp_rmem", 32],
  ["net.ipv4.tcp_wmem", 32],
]);
const SELINUX_TYPES: ReadonlyMap<string, number> = new Map([
  ["", 0],
  ["container_t", 0],
  ["container_init_t", 0],
  ["container_kvm_t", 0],
  ["container_engine_t", 31],
]);
const RESTRICTED_VOLUMES = new Set([
  ..."configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim".split(" "),
  ..."projected secret".split(" "),
]);

const added = ({ security }: Visited): string[] => security.capabilities?.add ?? [];
const ports = ({ container }: Visited): number[] =>
  (container.ports ?? []).map((port: Spec) => port.hostPort ?? 0).filter((port: number) =>
    port > 0
  );
const isWindows = (spec: Spec, minor: number) => minor >= 25 && spec.os?.name === "windows";
/** A pod in a user namespace of its own may do as it likes inside. */
const ownsUsers = (spec: Spec, minor: number) => minor >= 35 && spec.hostUsers === false;

/** The type of a profile field, where it is one of those that are forbidden. */
function badProfile(profile: Spec, isAllowed: (type: string) => boolean): string | null {
  const type = profile?.type;
  return type === undefined || isAllowed(type) ? null : type;
}

/** A profile that pod or containers set to something else than allowed. */
function profileCheck(
  field: "seccompProfile" | "appArmorProfile",
  isAllowed: (type: string) => boolean,
  word: (who: string, values: readonly string[]) => Violation,
): Find {
  return (_, spec) => {
    const ofPod = badProfile(spec.securityContext?.[field], isAllowed);
    const bad = containers(spec).filter(({ security }) =>
      badProfile(security[field], isAllowed) !== null
    );
    if (ofPod === null && bad.length === 0) return null;
    const values = sorted([
      ...(ofPod === null ? [] : [ofPod]),
      ...bad.map(({ security }) => security[field].type),
    ]);
    return word(setters(ofPod !== null, bad), values);
  };
}

function findSelinux(_: ObjectMeta, spec: Spec, minor: number): Violation | null {
  const isKnown = (type: string) => (SELINUX_TYPES.get(type) ?? NaN) <= minor;
  const isBad = (options: Spec) =>
    options !== undefined &&
    (!isKnown(options.type ?? "") || Boolean(options.user) || Boolean(options.role));
  const ofPod = spec.securityContext?.seLinuxOptions;
  const bad = containers(spec).filter(({ security }) => isBad(security.seLinuxOptions));
  if (!isBad(ofPod) && bad.length === 0) return null;
  const all = [ofPod, ...bad.map(({ security }) => security.seLinuxOptions)].filter(isBad);
  const types = sorted(all.map((one) => one.type ?? "").filter((type) => !isKnown(type)));
  const data = [
    ...(types.length === 0 ? [] : [`${plural("type", "types", types.length)} ${quoted(types)}`]),
    ...(all.some((one) => one.user) ? ["user may not be set"] : []),
    ...(all.some((one) => one.role) ? ["role may not be set"] : []),
  ];
  const who = setters(isBad(ofPod), bad);
  const detail = `${who} set forbidden securityContext.seLinuxOptions: ${data.join("; ")}`;
  return { reason: "seLinuxOptions", detail };
}

function findHostProcess(_: ObjectMeta, spec: Spec): Violation | null {
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess === true;
  const bad = containers(spec).filter(({ security }) =>
    security.windowsOptions?.hostProcess === true
  );
  if (!ofPod && bad.length === 0) return null;
  const detail = `${setters(ofPod, bad)} must not set ` +
    "securityContext.windowsOptions.hostProcess=true";
  return { reason: "hostProcess", detail };
}

function findRestrictedVolumes(_: ObjectMeta, spec: Spec): Violation | null {
  const kindOf = (volume: Spec) => Object.keys(volume).find((key) => key !== "name") ?? "unknown";
  const bad = (spec.volumes ?? []).filter((volume: Spec) =>
    !RESTRICTED_VOLUMES.has(kindOf(volume))
  );
  if (bad.length === 0) return null;
  const kinds = sorted(bad.map(kindOf));
  const words = [
    plural("volume", "volumes", bad.length),
    quoted(bad.map((volume: Spec) => volume.name)),
    plural("uses", "use", bad.length),
    plural("restricted volume type", "restricted volume types", kinds.length),
    quoted(kinds),
  ];
  return { reason: "restricted volume types", detail: words.join(" ") };
}

function findRunAsRoot(_: ObjectMeta, spec: Spec, minor: number): Violation | null {
  if (ownsUsers(spec, minor)) return null;
  const reason = "runAsNonRoot != true";
  const ofPod = spec.securityContext?.runAsNonRoot;
  const explicit = containers(spec).filter(({ security }) => security.runAsNonRoot === false);
  const implicit = containers(spec).filter(({ security }) =>
    security.runAsNonRoot === undefined && ofPod !== true
  );
  const podIsBad = ofPod === false && implicit.length > 0;
  if (podIsBad || explicit.length > 0) {
    const who = setters(podIsBad, explicit);
    return { reason, detail: `${who} must not set securityContext.runAsNonRoot=false` };
  }
  if (implicit.length === 0) return null;
  return { reason, detail: `pod or ${named(implicit)} must set securityContext.runAsNonRoot=true` };
}

function findRootUser(_: ObjectMeta, spec: Spec, minor: number): Violation | null {
  if (ownsUsers(spec, minor)) return null;
  const ofPod = spec.securityContext?.runAsUser === 0;
  const bad = containers(spec).filter(({ security }) => security.runAsUser === 0);
  if (!ofPod && bad.length === 0) return null;
  return { reason: "runAsUser=0", detail: `${setters(ofPod, bad)} must not set runAsUser=0` };
}

function findRestrictedCapabilities(_: ObjectMeta, spec: Spec, minor: number): Violation | null {
  if (isWindows(spec, minor)) return null;
  const all = containers(spec);
  const keeps = all.filter(({ security }) => !(security.capabilities?.drop ?? []).includes("ALL"));
  const adds = all.filter((one) => added(one).some((name) => name !== "NET_BIND_SERVICE"));
  const names = sorted(adds.flatMap(added).filter((name) => name !== "NET_BIND_SERVICE"));
  const details = [
    ...(keeps.length === 0
      ? []
      : [`${named(keeps)} must set securityContext.capabilities.drop=["ALL"]`]),
    ...(adds.length === 0
      ? []
      : [`${named(adds)} must not include ${quoted(names)} in securityContext.capabilities.add`]),
  ];
  return details.length === 0
    ? null
    : { reason: "unrestricted capabilities", detail: details.join("; ") };
}

function findMissingSeccomp(
  metadata: ObjectMeta,
  spec: Spec,
  minor: number,
): Violation | null {
  if (isWindows(spec, minor)) return null;
  const isAllowed = (type: string) => type === "RuntimeDefault" || type === "Localhost";
  const explicit = profileCheck("seccompProfile", isAllowed, (who, values) => ({
    reason: "seccompProfile",
    detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(values)}`,
  }))(metadata, spec, minor);
  if (explicit !== null) return explicit;
  if (spec.securityContext?.seccompProfile !== undefined) return null;
  const missing = containers(spec).filter(({ security }) => security.seccompProfile === undefined);
  if (missing.length === 0) return null;
  const detail = `pod or ${named(missing)} must set securityContext.seccompProfile.type to ` +
    '"RuntimeDefault" or "Localhost"';
  return { reason: "seccompProfile", detail };
}

function hosts({ container }: Visited): string[] {
  const probes = [container.livenessProbe, container.readinessProbe, container.startupProbe];
  const hooks = [container.lifecycle?.postStart, container.lifecycle?.preStop];
  return [...probes, ...hooks].flatMap((one: Spec) =>
    [one?.httpGet?.host, one?.tcpSocket?.host].filter(Boolean)
  );
}

function procMount(applies: (spec: Spec, minor: number) => boolean): Find {
  return perContainer(
    "procMount",
    ({ security }, spec, minor) =>
      applies(spec, minor) && (security.procMount ?? "Default") !== "Default",
    (bad) => {
      const kinds = sorted(bad.map(({ security }) => security.procMount));
      return `must not set securityContext.procMount to ${quoted(kinds)}`;
    },
  );
}

const SECCOMP_ANNOTATION = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_ANNOTATIONS = "container.seccomp.security.alpha.kubernetes.io/";

/** Before there were fields, annotations named the profiles. */
function findSeccompAnnotations({ annotations = {} }: ObjectMeta, spec: Spec): Violation | null {
  const keys = [
    SECCOMP_ANNOTATION,
    ...containers(spec).map(({ container }) => SECCOMP_ANNOTATIONS + container.name),
  ];
  const bad = sorted(
    keys.filter((key) => {
      const value = annotations[key] ?? "runtime/default";
      return value !== "runtime/default" && value !== "docker/default" &&
        !value.startsWith("localhost/");
    }).map((key) => `${key}=${JSON.stringify(annotations[key])}`),
  );
  if (bad.length === 0) return null;
  const word = plural("annotation", "annotations", bad.length);
  return { reason: "seccompProfile", detail: `forbidden ${word} ${bad.join(", ")}` };
}

const findSeccomp = profileCheck(
  "seccompProfile",
  (type) => type !== "Unconfined",
  (who, values) => ({
    reason: "seccompProfile",
    detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(values)}`,
  }),
);

/** In the order in which upstream reports them: by id. */
export const POD_CHECKS: readonly PodCheck[] = [
  {
    id: "allowPrivilegeEscalation",
    level: "restricted",
    since: 8,
    find: perContainer(
      "allowPrivilegeEscalation != false",
      ({ security }, spec, minor) =>
        !isWindows(spec, minor) && security.allowPrivilegeEscalation !== false,
      () => "must set securityContext.allowPrivilegeEscalation=false",
    ),
  },
  {
    id: "appArmorProfile",
    level: "baseline",
    find: profileCheck("appArmorProfile", (type) => type !== "Unconfined", (who, values) => ({
      reason: plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values.length),
      detail: `${who} must not set AppArmor profile type to ${quoted(values)}`,
    })),
  },
  {
    id: "capabilities_baseline",
    level: "baseline",
    find: perContainer(
      "non-default capabilities",
      (one) => added(one).some((name) => !DEFAULT_CAPABILITIES.has(name)),
      (bad) => {
        const names = sorted(bad.flatMap(added).filter((name) => !DEFAULT_CAPABILITIES.has(name)));
        return `must not include ${quoted(names)} in securityContext.capabilities.add`;
      },
    ),
  },
  {
    id: "capabilities_restricted",
    level: "restricted",
    since: 22,
    find: findRestrictedCapabilities,
  },
  {
    id: "hostNamespaces",
    level: "baseline",
    find: (_, spec) => {
      const used = ["hostNetwork", "hostPID", "hostIPC"].filter((field) => spec[field] === true);
      if (used.length === 0) return null;
      return {
        reason: "host namespaces",
        detail: used.map((field) => `${field}=true`).join(", "),
      };
    },
  },
  {
    id: "hostPathVolumes",
    level: "baseline",
    find: (_, spec) => {
      const bad = (spec.volumes ?? []).filter((volume: Spec) => volume.hostPath !== undefined);
      if (bad.length === 0) return null;
      const names = quoted(bad.map((volume: Spec) => volume.name));
      const detail = `${plural("volume", "volumes", bad.length)} ${names}`;
      return { reason: "hostPath volumes", detail };
    },
  },
  {
    id: "hostPorts",
    level: "baseline",
    find: perContainer("hostPort", (one) => ports(one).length > 0, (bad) => {
      const numbers = sorted(bad.flatMap(ports).map(String));
      const word = plural("hostPort", "hostPorts", numbers.length);
      return `${plural("uses", "use", bad.length)} ${word} ${numbers.join(", ")}`;
    }),
  },
  {
    id: "hostProbesAndHostLifecycle",
    level: "baseline",
    since: 34,
    find: perContainer("probe or lifecycle host", (one) => hosts(one).length > 0, (bad) => {
      const names = sorted(bad.flatMap(hosts));
      const word = plural("probe or lifecycle host", "probe or lifecycle hosts", names.length);
      return `${plural("uses", "use", bad.length)} ${word} ${quoted(names)}`;
    }),
  },
  {
    id: "privileged",
    level: "baseline",
    find: perContainer(
      "privileged",
      ({ security }) => security.privileged === true,
      () => "must not set securityContext.privileged=true",
    ),
  },
  { id: "procMount", level: "baseline", find: procMount((spec, minor) => !ownsUsers(spec, minor)) },
  { id: "procMount_restricted", level: "restricted", since: 35, find: procMount(() => true) },
  { id: "restrictedVolumes", level: "restricted", find: findRestrictedVolumes },
  { id: "runAsNonRoot", level: "restricted", find: findRunAsRoot },
  { id: "runAsUser", level: "restricted", since: 23, find: findRootUser },
  { id: "seLinuxOptions", level: "baseline", find: findSelinux },
  {
    id: "seccompProfile_baseline",
    level: "baseline",
    find: (metadata, spec, minor) =>
      (minor < 19 ? findSeccompAnnotations : findSeccomp)(metadata, spec, minor),
  },
  { id: "seccompProfile_restricted", level: "restricted", since: 19, find: findMissingSeccomp },
  {
    id: "sysctls",
    level: "baseline",
    find: (_, spec, minor) => {
      const names: string[] = (spec.securityContext?.sysctls ?? [])
        .map((one: Spec) => one.name).filter((name: string) =>
          !((SAFE_SYSCTLS.get(name) ?? NaN) <= minor)
        );
      if (names.length === 0) return null;
      return { reason: "forbidden sysctls", detail: names.join(", ") };
    },
  },
  { id: "windowsHostProcess", level: "baseline", find: findHostProcess },
];

/** Checks of the restricted level that say more than one of the baseline. */
const OVERRIDDEN: Readonly<Record<string, string>> = {
  capabilities_restricted: "capabilities_baseline",
  procMount_restricted: "procMount",
  restrictedVolumes: "hostPathVolumes",
  seccompProfile_restricted: "seccompProfile_baseline",
};

/** A level of the standards as one minor version has it. */
export interface Standard {
  readonly level: Level;
  /** 25 for v1.25; Infinity for the latest. */
  readonly minor: number;
}

/** @returns everything that a standard forbids about a pod, in order */
export function violations(
  { level, minor }: Standard,
  metadata: ObjectMeta,
  spec: Spec,
): Violation[] {
  if (level === "privileged") return [];
  const checks = POD_CHECKS.filter((check) =>
    (check.since ?? 0) <= minor && (check.level === "baseline" || level === "restricted")
  );
  const hidden = new Set(checks.map(({ id }) => OVERRIDDEN[id]));
  const found: Violation[] = [];
  for (const check of checks) {
    if (hidden.has(check.id)) continue;
    const violation = check.find(metadata, spec, minor);
    if (violation !== null) found.push(violation);
  }
  return found;
}

/** `host namespaces (hostNetwork=true), privileged (…)`. */
export function describeViolations(found: readonly Violation[]): string {
  return found.map(({ reason, detail }) => detail === "" ? reason : `${reason} (${detail})`)
    .join(", ");
}
