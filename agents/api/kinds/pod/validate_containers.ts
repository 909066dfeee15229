/**
 * Checks the containers of a pod: names, images, ports, environment, mounts, resources, probes.
 * In: a spec with defaults. Out: field errors. Never: changes the spec.
 * Source: validateContainers, validateInitContainers, validateContainerCommon (v1.36).
 */
import {
  checkConfigKey,
  checkDns1123Label,
  checkEnvName,
  checkHttpHeaderName,
  checkPortName,
  checkPortNumber,
} from "../../names.ts";
import type {
  Container,
  ContainerPort,
  EnvVar,
  HTTPGetAction,
  PodSpec,
  Probe,
  VolumeMount,
} from "../../schema/generated/core_v1.ts";
import type { Problems } from "../problems.ts";
import { validateClaimUses, validateResizePolicy } from "./validate_devices.ts";
import { validateFieldRef, validateResourceFieldRef } from "./validate_references.ts";
import { validateContainerResources } from "./validate_resources.ts";
import { validateContainerSecurity } from "./validate_security.ts";
import { validateLocalPath } from "./validate_volumes.ts";

const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const PULL_POLICIES = ["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES = ["FallbackToLogsOnError", "File"];
const HANDLERS = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] as const;
const NOT_FOR_INIT = ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const;

interface Context {
  readonly volumes: ReadonlySet<string>;
  readonly names: Set<string>;
  /** Names of the pod's resource claims. */
  readonly claims: ReadonlySet<string>;
  readonly restartPolicy: string;
}

/** Regular, init and ephemeral containers of one spec. */
export function validateContainers(
  problems: Problems,
  path: string,
  spec: PodSpec,
  volumes: ReadonlySet<string>,
): void {
  const context: Context = {
    volumes,
    names: new Set(),
    claims: new Set((spec.resourceClaims ?? []).map((claim) => claim.name)),
    restartPolicy: spec.restartPolicy ?? "Always",
  };
  const regular = spec.containers ?? [];
  if (regular.length === 0) problems.required(`${path}.containers`);
  regular.forEach((container, index) => {
    const at = `${path}.containers[${index}]`;
    validateContainer(problems, at, container, context);
    validateProbes(problems, at, container);
  });
  validateHostPorts(problems, `${path}.containers`, regular);
  (spec.initContainers ?? []).forEach((container, index) => {
    const at = `${path}.initContainers[${index}]`;
    validateContainer(problems, at, container, context);
    if (container.restartPolicy === "Always") return validateProbes(problems, at, container);
    for (const field of NOT_FOR_INIT) {
      if (container[field] !== undefined) {
        problems.forbidden(
          `${at}.${field}`,
          "may not be set for init containers without restartPolicy=Always",
        );
      }
    }
  });
  const known = new Set(context.names);
  (spec.ephemeralContainers ?? []).forEach((container, index) => {
    const at = `${path}.ephemeralContainers[${index}]`;
    validateContainer(problems, at, container, context);
    const target = container.targetContainerName;
    if (target && !known.has(target)) problems.notFound(`${at}.targetContainerName`, target);
    for (const field of ["ports", ...NOT_FOR_INIT, "resources"] as const) {
      const value = container[field];
      const isSet = value !== undefined && Object.keys(value).length > 0;
      if (isSet) problems.forbidden(`${at}.${field}`, "cannot be set for an Ephemeral Container");
    }
  });
}

function validateContainer(
  problems: Problems,
  at: string,
  container: Container,
  context: Context,
): void {
  const { name, image } = container;
  if (!name) problems.required(`${at}.name`);
  else {
    problems.checkName(`${at}.name`, name, checkDns1123Label);
    if (context.names.has(name)) problems.duplicate(`${at}.name`, name);
    context.names.add(name);
  }
  if (!image) problems.required(`${at}.image`);
  else if (image.trim() !== image) {
    problems.invalid(`${at}.image`, image, "must not have leading or trailing whitespace");
  }
  const messagePath = `${at}.terminationMessagePolicy`;
  problems.oneOf(messagePath, container.terminationMessagePolicy, MESSAGE_POLICIES);
  validatePorts(problems, `${at}.ports`, container.ports ?? []);
  validateEnv(problems, `${at}.env`, container.env ?? []);
  (container.envFrom ?? []).forEach((source, index) => {
    const path = `${at}.envFrom[${index}]`;
    if (source.prefix) problems.checkName(`${path}.prefix`, source.prefix, checkEnvName);
    const { configMapRef, secretRef } = source;
    if (configMapRef === undefined && secretRef === undefined) {
      problems.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`");
    } else if (configMapRef !== undefined && secretRef !== undefined) {
      problems.invalid(path, "", "may not have more than one field specified at a time");
    } else if (!(configMapRef ?? secretRef)?.name) {
      problems.required(`${path}.${configMapRef ? "configMapRef" : "secretRef"}.name`);
    }
  });
  validateMounts(problems, `${at}.volumeMounts`, container.volumeMounts ?? [], context.volumes);
  problems.oneOf(`${at}.imagePullPolicy`, container.imagePullPolicy, PULL_POLICIES);
  validateContainerResources(problems, `${at}.resources`, container.resources);
  validateResizePolicy(problems, `${at}.resizePolicy`, container.resizePolicy ?? [], context);
  validateClaimUses(problems, `${at}.resources.claims`, container.resources, context.claims);
  const security = container.securityContext;
  validateContainerSecurity(problems, `${at}.securityContext`, security);
  if (security?.privileged && security.allowPrivilegeEscalation === false) {
    problems.invalid(
      `${at}.securityContext`,
      security,
      "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
    );
  }
}

function validatePorts(problems: Problems, path: string, ports: readonly ContainerPort[]): void {
  const names = new Set<string>();
  ports.forEach((port, index) => {
    const at = `${path}[${index}]`;
    if (port.name) {
      const details = checkPortName(port.name);
      for (const detail of details) problems.invalid(`${at}.name`, port.name, detail);
      if (details.length === 0 && names.has(port.name)) {
        problems.duplicate(`${at}.name`, port.name);
      }
      names.add(port.name);
    }
    if (!port.containerPort) problems.required(`${at}.containerPort`);
    else {
      for (const detail of checkPortNumber(port.containerPort)) {
        problems.invalid(`${at}.containerPort`, port.containerPort, detail);
      }
    }
    if (port.hostPort) {
      for (const detail of checkPortNumber(port.hostPort)) {
        problems.invalid(`${at}.hostPort`, port.hostPort, detail);
      }
    }
    problems.oneOf(`${at}.protocol`, port.protocol, PROTOCOLS);
  });
}

function validateHostPorts(
  problems: Problems,
  path: string,
  containers: readonly Container[],
): void {
  const taken = new Set<string>();
  containers.forEach((container, index) => {
    (container.ports ?? []).forEach((port, at) => {
      if (!port.hostPort) return;
      const identity = `${port.protocol}/${port.hostIP ?? ""}/${port.hostPort}`;
      if (taken.has(identity)) {
        problems.duplicate(`${path}[${index}].ports[${at}].hostPort`, identity);
      }
      taken.add(identity);
    });
  });
}

const ENV_SOURCES = [
  "fieldRef",
  "resourceFieldRef",
  "configMapKeyRef",
  "secretKeyRef",
  "fileKeyRef",
] as const;

function validateEnv(problems: Problems, path: string, env: readonly EnvVar[]): void {
  env.forEach((variable, index) => {
    const at = `${path}[${index}]`;
    if (!variable.name) problems.required(`${at}.name`);
    else problems.checkName(`${at}.name`, variable.name, checkEnvName);
    const source = variable.valueFrom;
    if (source === undefined) return;
    const from = `${at}.valueFrom`;
    for (const field of ["configMapKeyRef", "secretKeyRef"] as const) {
      const reference = source[field];
      if (reference === undefined) continue;
      if (!reference.name) problems.required(`${from}.${field}.name`);
      if (!reference.key) problems.required(`${from}.${field}.key`);
      else problems.checkName(`${from}.${field}.key`, reference.key, checkConfigKey);
    }
    if (source.fieldRef !== undefined) {
      validateFieldRef(problems, `${from}.fieldRef`, source.fieldRef, "env");
    }
    if (source.resourceFieldRef !== undefined) {
      const path = `${from}.resourceFieldRef`;
      validateResourceFieldRef(problems, path, source.resourceFieldRef, "env");
    }
    const count = ENV_SOURCES.filter((field) => source[field] !== undefined).length;
    if (count === 0) {
      problems.invalid(
        from,
        "",
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, " +
          "`secretKeyRef` or `fileKeyRef`",
      );
    } else if (variable.value) {
      problems.invalid(from, "", "may not be specified when `value` is not empty");
    } else if (count > 1) {
      problems.invalid(from, "", "may not have more than one field specified at a time");
    }
  });
}

function validateMounts(
  problems: Problems,
  path: string,
  mounts: readonly VolumeMount[],
  volumes: ReadonlySet<string>,
): void {
  const taken = new Set<string>();
  mounts.forEach((mount, index) => {
    const at = `${path}[${index}]`;
    if (!mount.name) problems.required(`${at}.name`);
    if (!volumes.has(mount.name)) problems.notFound(`${at}.name`, mount.name);
    if (!mount.mountPath) problems.required(`${at}.mountPath`);
    if (taken.has(mount.mountPath)) {
      problems.invalid(`${at}.mountPath`, mount.mountPath, "must be unique");
    }
    taken.add(mount.mountPath);
    if (mount.subPath) validateLocalPath(problems, `${path}.subPath`, mount.subPath);
    if (!mount.subPathExpr) return;
    if (mount.subPath) {
      problems.invalid(
        `${at}.subPathExpr`,
        mount.subPathExpr,
        "subPathExpr and subPath are mutually exclusive",
      );
    }
    validateLocalPath(problems, `${path}.subPathExpr`, mount.subPathExpr);
  });
}

function validateProbes(problems: Problems, at: string, container: Container): void {
  for (const field of ["livenessProbe", "readinessProbe", "startupProbe"] as const) {
    const probe = container[field];
    if (probe === undefined) continue;
    const path = `${at}.${field}`;
    validateHandler(problems, path, probe);
    validateTimes(problems, path, probe);
    if (field !== "readinessProbe" && probe.successThreshold !== 1) {
      problems.invalid(`${path}.successThreshold`, probe.successThreshold ?? 0, "must be 1");
    }
    const grace = probe.terminationGracePeriodSeconds;
    if (grace === undefined) continue;
    const gracePath = `${path}.terminationGracePeriodSeconds`;
    if (grace <= 0) problems.invalid(gracePath, grace, "must be greater than 0");
    if (field === "readinessProbe") {
      problems.invalid(gracePath, grace, "must not be set for readinessProbes");
    }
  }
  for (const hook of ["postStart", "preStop"] as const) {
    const handler = container.lifecycle?.[hook];
    if (handler !== undefined) validateHandler(problems, `${at}.lifecycle.${hook}`, handler);
  }
}

function validateTimes(problems: Problems, path: string, probe: Probe): void {
  for (
    const field of [
      "initialDelaySeconds",
      "timeoutSeconds",
      "periodSeconds",
      "successThreshold",
      "failureThreshold",
    ] as const
  ) problems.nonNegative(`${path}.${field}`, probe[field]);
}

type Handler = Pick<Probe, "exec" | "httpGet" | "tcpSocket" | "grpc"> & {
  readonly sleep?: { readonly seconds: number };
};

function validateHandler(problems: Problems, path: string, handler: Handler): void {
  const present = HANDLERS.filter((field) => handler[field] !== undefined);
  if (present.length === 0) return problems.required(path, "must specify a handler type");
  for (const extra of present.slice(1)) {
    problems.forbidden(`${path}.${extra}`, "may not specify more than 1 handler type");
  }
  const { exec, httpGet, tcpSocket, grpc } = handler;
  switch (present[0]) {
    case "exec":
      if ((exec?.command ?? []).length === 0) problems.required(`${path}.exec.command`);
      break;
    case "httpGet":
      if (httpGet !== undefined) validateHttpGet(problems, `${path}.httpGet`, httpGet);
      break;
    case "tcpSocket":
      validatePort(problems, `${path}.tcpSocket.port`, tcpSocket?.port);
      break;
    case "grpc":
      validatePort(problems, `${path}.grpc.port`, grpc?.port);
      break;
  }
}

function validateHttpGet(problems: Problems, path: string, action: HTTPGetAction): void {
  if (!action.path) problems.required(`${path}.path`);
  validatePort(problems, `${path}.port`, action.port);
  if (action.scheme !== "HTTP" && action.scheme !== "HTTPS") {
    problems.notSupported(`${path}.scheme`, action.scheme ?? "", ["HTTP", "HTTPS"]);
  }
  for (const header of action.httpHeaders ?? []) {
    problems.checkName(`${path}.httpHeaders`, header.name, checkHttpHeaderName);
  }
}

function validatePort(problems: Problems, path: string, port: string | number | undefined): void {
  if (typeof port === "string") return problems.checkName(path, port, checkPortName);
  for (const detail of checkPortNumber(port ?? 0)) problems.invalid(path, port ?? 0, detail);
}
