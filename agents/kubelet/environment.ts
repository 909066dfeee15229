/**
 * The environment of a container: literals, config maps, secrets, pod fields, services.
 * In: the pod, the container, a way to look objects up. Out: name/value pairs in order, and the
 * command with `$(VAR)` replaced. Errors: throws naming the missing object or key.
 * Never: logs a value. Source: kubelet's makeEnvironmentVariables; the expansion rules of the API.
 */
import type { KubeObject } from "../api/meta.ts";
import { milliOf, unitsOf } from "../api/quantity.ts";

type Spec = KubeObject["spec"];

/** Looks up one object of the pod's namespace; null when it does not exist. */
export type Lookup = (
  kind: "configMap" | "secret",
  name: string,
) => Promise<KubeObject | null>;

export interface EnvironmentContext {
  readonly lookup: Lookup;
  /** Variables of the namespace's services and of the API server. */
  readonly services: Readonly<Record<string, string>>;
  readonly hostIP: string;
  readonly podIPs: readonly string[];
}

/** @returns variables in declaration order, later ones win. */
export async function resolveEnvironment(
  pod: KubeObject,
  container: Spec,
  context: EnvironmentContext,
): Promise<{ name: string; value: string }[]> {
  const values = new Map(Object.entries(context.services));
  for (const source of container.envFrom ?? []) {
    for (const [key, value] of Object.entries(await dataOf(source, context.lookup))) {
      values.set(`${source.prefix ?? ""}${key}`, value);
    }
  }
  for (const variable of container.env ?? []) {
    const value = variable.valueFrom === undefined
      ? expand(variable.value ?? "", values)
      : await valueFrom(pod, container, variable.valueFrom, context);
    if (value !== null) values.set(variable.name, value);
  }
  return [...values].map(([name, value]) => ({ name, value }));
}

async function dataOf(source: Spec, lookup: Lookup): Promise<Record<string, string>> {
  const kind = source.secretRef === undefined ? "configMap" : "secret";
  const reference = source.secretRef ?? source.configMapRef;
  const object = await lookup(kind, reference.name);
  if (object === null) {
    if (reference.optional) return {};
    throw new Error(`${kind.toLowerCase()} "${reference.name}" not found`);
  }
  return textData(kind, object);
}

/** Text values of a config map or secret. */
export function textData(kind: "configMap" | "secret", object: KubeObject): Record<string, string> {
  if (kind === "configMap") return object.data ?? {};
  const decoder = new TextDecoder();
  return Object.fromEntries(
    Object.entries(object.data ?? {}).map(([key, value]) => [
      key,
      decoder.decode(decodeBase64(String(value))),
    ]),
  );
}

export function decodeBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

/** null = leave the variable out (an optional reference without a target). */
async function valueFrom(
  pod: KubeObject,
  container: Spec,
  source: Spec,
  context: EnvironmentContext,
): Promise<string | null> {
  if (source.fieldRef !== undefined) return fieldValue(pod, source.fieldRef.fieldPath, context);
  if (source.resourceFieldRef !== undefined) {
    return resourceValue(pod, container, source.resourceFieldRef);
  }
  const kind = source.secretKeyRef === undefined ? "configMap" : "secret";
  const reference = source.secretKeyRef ?? source.configMapKeyRef;
  const object = await context.lookup(kind, reference.name);
  if (object === null) {
    if (reference.optional) return null;
    throw new Error(`${kind.toLowerCase()} "${reference.name}" not found`);
  }
  const value = textData(kind, object)[reference.key];
  if (value !== undefined) return value;
  if (reference.optional) return null;
  const word = kind === "secret" ? "Secret" : "ConfigMap";
  const { namespace } = pod.metadata;
  throw new Error(`couldn't find key ${reference.key} in ${word} ${namespace}/${reference.name}`);
}

/** A pod field as the downward API shows it. Errors: throws on an unsupported path. */
export function fieldValue(
  pod: KubeObject,
  path: string,
  context: Pick<EnvironmentContext, "hostIP" | "podIPs">,
): string {
  const keyed = /^metadata\.(labels|annotations)(?:\['(.+)'\])?$/.exec(path);
  if (keyed) {
    const map: Record<string, string> = pod.metadata[keyed[1] as "labels" | "annotations"] ?? {};
    if (keyed[2] !== undefined) return map[keyed[2]] ?? "";
    return Object.keys(map).sort().map((key) => `${key}=${JSON.stringify(map[key])}`).join("\n");
  }
  switch (path) {
    case "metadata.name":
      return pod.metadata.name ?? "";
    case "metadata.namespace":
      return pod.metadata.namespace ?? "";
    case "metadata.uid":
      return pod.metadata.uid ?? "";
    case "spec.nodeName":
      return pod.spec.nodeName ?? "";
    case "spec.serviceAccountName":
      return pod.spec.serviceAccountName ?? "";
    case "status.hostIP":
    case "status.hostIPs":
      return context.hostIP;
    case "status.podIP":
      return context.podIPs[0] ?? "";
    case "status.podIPs":
      return context.podIPs.join(",");
    default:
      throw new Error(`unsupported fieldPath: ${path}`);
  }
}

/** A container's own request or limit, divided and rounded up. */
export function resourceValue(pod: KubeObject, container: Spec, reference: Spec): string {
  const target = reference.containerName === undefined
    ? container
    : [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])]
      .find((one: Spec) => one.name === reference.containerName);
  const [part, name] = String(reference.resource).split(/\.(.+)/);
  const quantity = target?.resources?.[part]?.[name];
  const divisor = reference.divisor;
  if (name === "cpu") {
    const unit = divisor === undefined || divisor === "0" ? 1000 : milliOf(divisor);
    return String(Math.ceil(milliOf(quantity) / unit));
  }
  const unit = divisor === undefined || divisor === "0" ? 1 : unitsOf(divisor);
  return String(Math.ceil(unitsOf(quantity) / unit));
}

/**
 * Replaces `$(NAME)` by the variable's value; an unknown name stays, `$$` is a plain `$`.
 * @param values variables set so far
 */
export function expand(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(
    /\$(\$|\(([^)]*)\))/g,
    (whole, escaped: string, name: string | undefined) =>
      escaped === "$" ? "$" : values.get(name ?? "") ?? whole,
  );
}

/** Service variables as every container gets them, docker-links style. */
export function serviceEnvironment(services: readonly KubeObject[]): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const service of services) {
    const ip = service.spec?.clusterIP;
    const ports: Spec[] = service.spec?.ports ?? [];
    if (!ip || ip === "None" || ports.length === 0) continue;
    const name = (service.metadata.name ?? "").toUpperCase().replaceAll("-", "_");
    variables[`${name}_SERVICE_HOST`] = ip;
    variables[`${name}_SERVICE_PORT`] = String(ports[0].port);
    for (const port of ports) {
      const protocol = port.protocol ?? "TCP";
      const url = `${protocol.toLowerCase()}://${ip}:${port.port}`;
      if (port === ports[0]) variables[`${name}_PORT`] = url;
      if (port.name) {
        variables[`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll("-", "_")}`] = String(
          port.port,
        );
      }
      const prefix = `${name}_PORT_${port.port}_${protocol}`;
      variables[prefix] = url;
      variables[`${prefix}_PROTO`] = protocol.toLowerCase();
      variables[`${prefix}_PORT`] = String(port.port);
      variables[`${prefix}_ADDR`] = ip;
    }
  }
  return variables;
}
