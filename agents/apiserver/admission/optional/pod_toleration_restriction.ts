/**
 * Pods tolerate what their namespace gives them, and no more than it lets them.
 * In: pods about to be written, annotations of namespaces. Out: merged tolerations, or a refusal.
 * Never: takes a toleration away unless another covers it. Off by default.
 * Source: plugin/pkg/admission/podtolerationrestriction, pkg/util/tolerations (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { equalJson } from "../../../api/patch/json_patch.ts";
import { namespaces, pods } from "../../../api/resources.ts";
import { ApiError } from "../../../api/status.ts";
import { qosClassOf } from "../../../api/kinds/pod/qos.ts";
import { cachedObject, type Core } from "../../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.ts";
import type { AdmissionSettings, Toleration } from "../settings.ts";

const DEFAULTS = "scheduler.alpha.kubernetes.io/defaultTolerations";
const WHITELIST = "scheduler.alpha.kubernetes.io/tolerationsWhitelist";
const MEMORY_PRESSURE: Toleration = {
  key: "node.kubernetes.io/memory-pressure",
  operator: "Exists",
  effect: "NoSchedule",
};

export function podTolerationRestriction(
  cluster: AdmissionSettings["podTolerations"],
): AdmissionPlugin {
  const isPod = ({ resource, subresource, operation }: AdmissionRequest) =>
    resource === pods && subresource === "" && (operation === "CREATE" || operation === "UPDATE");
  return {
    name: "PodTolerationRestriction",
    admit(request, core) {
      if (!isPod(request)) return;
      const spec = (request.object!.spec ??= {});
      const given: Toleration[] = [];
      if (request.operation === "CREATE") {
        given.push(...tolerationsIn(core, request.namespace, DEFAULTS) ?? cluster.default);
      }
      if (qosClassOf(spec) !== "BestEffort") given.push(MEMORY_PRESSURE);
      if (given.length > 0) spec.tolerations = mergeTolerations(spec.tolerations ?? [], given);
    },
    validate(request, core) {
      if (!isPod(request)) return;
      const held: readonly Toleration[] = request.object!.spec?.tolerations ?? [];
      const own = tolerationsIn(core, request.namespace, WHITELIST);
      const list = own ?? cluster.whitelist;
      if (list.length === 0) return;
      if (held.every((one) => list.some((other) => covers(other, one)))) return;
      throw plain(
        "pod tolerations (possibly merged with namespace default tolerations) conflict with its " +
          `${own === null ? "cluster" : "namespace"} whitelist`,
      );
    },
  };
}

/** @returns null where the namespace does not say. Errors: throws ApiError for what is no list. */
function tolerationsIn(core: Core, name: string, key: string): readonly Toleration[] | null {
  const namespace = cachedObject(core.feed, namespaces, { namespace: "", name });
  const text = (namespace as KubeObject | undefined)?.metadata.annotations?.[key];
  if (text === undefined) return null;
  if (text === "") return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw plain((error as Error).message);
  }
  if (!Array.isArray(value)) throw plain(`annotation ${key} of namespace ${name} is no list`);
  return value;
}

/** Upstream answers these without a reason, as a 500. */
function plain(message: string): ApiError {
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure" } as const;
  return new ApiError({ ...status, message, code: 500 });
}

/** Both lists; of two where one covers the other, that one alone. */
export function mergeTolerations(
  first: readonly Toleration[],
  second: readonly Toleration[],
): Toleration[] {
  const all = [...first, ...second];
  const merged: Toleration[] = [];
  for (const [i, one] of all.entries()) {
    const isKnown = merged.some((other) => covers(other, one));
    const isCovered = all.slice(i + 1).some((other) =>
      !equalJson(one, other) && covers(other, one)
    );
    if (!isKnown && !isCovered) merged.push(one);
  }
  return merged;
}

/** Whether `wide` tolerates all that `one` does. */
export function covers(wide: Toleration, one: Toleration): boolean {
  if (equalJson(wide, one)) return true;
  const { key = "", operator = "", effect = "", tolerationSeconds } = wide;
  if ((one.key ?? "") !== key && (key !== "" || operator !== "Exists")) return false;
  if ((one.effect ?? "") !== effect && effect !== "") return false;
  if (effect === "NoExecute" && tolerationSeconds !== undefined) {
    if (one.tolerationSeconds === undefined) return false;
    if (one.tolerationSeconds > tolerationSeconds) return false;
  }
  if (operator === "Exists") return true;
  if (operator !== "" && operator !== "Equal") return false;
  return one.operator === "Equal" && (one.value ?? "") === (wide.value ?? "");
}
