/**
 * Gives pods the defaults of their namespace's LimitRanges and holds them to the limits.
 * In: pods and claims about to be created, pods being resized. Out: requests and limits filled in,
 * or a refusal that names every limit that is broken.
 * Never: looks at other pods; that is a quota's work. Source: plugin/pkg/admission/limitranger.
 */
import type { KubeObject } from "../../api/meta.ts";
import { podTotal } from "../../api/kinds/pod/totals.ts";
import { compareQuantities, milliOf } from "../../api/quantity.ts";
import { limitRanges, persistentVolumeClaims, pods } from "../../api/resources.ts";
import { forbidden } from "../../api/status.ts";
import { cacheOf, type Core, prefixOf } from "../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

type Spec = KubeObject["spec"];
type Amounts = Readonly<Record<string, string>>;

const ANNOTATION = "kubernetes.io/limit-ranger";

/** One kind of limit on one thing: `Container`, `Pod` or `PersistentVolumeClaim`. */
interface Subject {
  readonly type: string;
  readonly requests: Amounts;
  readonly limits: Amounts;
}

export const limitRanger: AdmissionPlugin = {
  name: "LimitRanger",
  admit(request, core) {
    if (request.object === null || request.resource !== pods || !isCreate(request)) return;
    for (const range of limitRangesOf(core, request)) fillDefaults(request.object, range);
  },
  validate(request, core) {
    const { object, operation, resource, subresource } = request;
    if (object === null) return;
    const isPod = resource === pods;
    const isClaim = resource === persistentVolumeClaims;
    const isResize = isPod && subresource === "resize" && operation === "UPDATE";
    const isJudged = isResize || (isPod && isCreate(request)) ||
      (isClaim && (isCreate(request) || operation === "UPDATE"));
    if (!isJudged) return;
    const problems = limitRangesOf(core, request)
      .flatMap((range) => findBroken(range, object, isPod));
    if (problems.length === 0) return;
    const words = problems.length === 1 ? problems[0] : `[${problems.join(", ")}]`;
    throw forbidden({ group: resource.group, resource: resource.plural }, request.name, words);
  },
};

function isCreate({ operation, subresource }: AdmissionRequest): boolean {
  return operation === "CREATE" && subresource === "";
}

function limitRangesOf(core: Core, { namespace }: AdmissionRequest): KubeObject[] {
  const cache = cacheOf(core, limitRanges);
  if (cache.size === 0) return [];
  const keyPrefix = `${prefixOf(limitRanges)}${namespace}/`;
  return cache.select({ keyPrefix }).map((stored) => stored.object);
}

/** Requests and limits that a container leaves open are taken from the range. */
export function fillDefaults(pod: KubeObject, range: KubeObject): void {
  const limits: Record<string, string> = {};
  const requests: Record<string, string> = {};
  for (const item of range.spec?.limits ?? []) {
    if (item.type !== "Container") continue;
    Object.assign(limits, item.default);
    Object.assign(requests, item.defaultRequest);
  }
  const told: string[] = [];
  const fill = (container: Spec, word: string) => {
    const resources = (container.resources ??= {});
    for (const [field, defaults] of [["requests", requests], ["limits", limits]] as const) {
      const missing = Object.keys(defaults).filter((name) => !(name in (resources[field] ?? {})));
      if (missing.length === 0) continue;
      resources[field] = { ...resources[field] };
      for (const name of missing) resources[field][name] = defaults[name];
      const part = field === "requests" ? "request" : "limit";
      told.push(`${missing.sort().join(", ")} ${part} for ${word} ${container.name}`);
    }
  };
  for (const container of pod.spec?.containers ?? []) fill(container, "container");
  for (const container of pod.spec?.initContainers ?? []) fill(container, "init container");
  if (told.length === 0) return;
  const annotations = (pod.metadata.annotations ??= {});
  annotations[ANNOTATION] = `LimitRanger plugin set: ${told.join("; ")}`;
}

/** @returns what an object breaks of one range, in upstream's words */
export function findBroken(range: KubeObject, object: KubeObject, isPod: boolean): string[] {
  const problems: string[] = [];
  for (const item of range.spec?.limits ?? []) {
    for (const subject of subjectsOf(item.type, object, isPod)) {
      for (const [name, bound] of Object.entries<string>(item.min ?? {})) {
        push(problems, belowMinimum(subject, name, bound));
      }
      for (const [name, bound] of Object.entries<string>(item.max ?? {})) {
        push(problems, aboveMaximum(subject, name, bound));
      }
      for (const [name, bound] of Object.entries<string>(item.maxLimitRequestRatio ?? {})) {
        push(problems, aboveRatio(subject, name, bound));
      }
    }
  }
  return problems;
}

function push(problems: string[], problem: string | null): void {
  if (problem !== null) problems.push(problem);
}

function subjectsOf(type: string, object: KubeObject, isPod: boolean): Subject[] {
  const resourcesOf = (container: Spec): Subject => ({
    type,
    requests: container.resources?.requests ?? {},
    limits: container.resources?.limits ?? {},
  });
  if (type === "PersistentVolumeClaim") return isPod ? [] : [resourcesOf(object.spec ?? {})];
  if (!isPod) return [];
  const { containers = [], initContainers = [] } = object.spec ?? {};
  if (type === "Container") return [...containers, ...initContainers].map(resourcesOf);
  if (type !== "Pod") return [];
  return [{
    type,
    requests: podTotal(object.spec, "requests"),
    limits: podTotal(object.spec, "limits"),
  }];
}

function belowMinimum({ limits, requests, type }: Subject, name: string, bound: string) {
  const words = `minimum ${name} usage per ${type} is ${bound}`;
  const request = requests[name];
  if (request === undefined) return `${words}.  No request is specified`;
  if (compareQuantities(request, bound) < 0) return `${words}, but request is ${request}`;
  const limit = limits[name];
  const isBelow = limit !== undefined && compareQuantities(limit, bound) < 0;
  return isBelow ? `${words}, but limit is ${limit}` : null;
}

function aboveMaximum({ limits, requests, type }: Subject, name: string, bound: string) {
  const words = `maximum ${name} usage per ${type} is ${bound}`;
  const [request, limit] = [requests[name], limits[name]];
  const isClaim = type === "PersistentVolumeClaim";
  if (isClaim && request === undefined) return `${words}.  No request is specified`;
  if (!isClaim && limit === undefined) return `${words}.  No limit is specified`;
  if (!isClaim && compareQuantities(limit, bound) > 0) return `${words}, but limit is ${limit}`;
  const isAbove = request !== undefined && compareQuantities(request, bound) > 0;
  return isAbove ? `${words}, but request is ${request}` : null;
}

function aboveRatio({ limits, requests, type }: Subject, name: string, bound: string) {
  const words = `${name} max limit to request ratio per ${type} is ${bound}`;
  const [request, limit] = [milliOf(requests[name]), milliOf(limits[name])];
  if (request === 0) return `${words}, but no request is specified or request is 0`;
  if (limit === 0) return `${words}, but no limit is specified or limit is 0`;
  const ratio = limit / request;
  return ratio > milliOf(bound) / 1000
    ? `${words}, but provided ratio is ${ratio.toFixed(6)}`
    : null;
}
