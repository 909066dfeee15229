/**
 * `componentstatuses`: how the parts of the control plane are, asked when it is asked.
 * In: the health that each part tells. Out: one ComponentStatus a part, or one by name.
 * Never: keeps anything, or opens a connection. Source: registry/core/componentstatus (v1.36).
 */
import type { CallTarget, ListOptions } from "../../../api/call.ts";
import type { KubeObject } from "../../../api/meta.ts";
import { notFound } from "../../../api/status.ts";
import type { ComponentHealth } from "../../ports.ts";
import type { Core, VerbAnswer } from "../core.ts";
import { selectionOf } from "../selection.ts";

/** Errors: throws ApiError 404, with upstream's singular. */
export function getComponent(core: Core, target: CallTarget): VerbAnswer {
  const found = core.components().find(({ name }) => name === target.name);
  if (found === undefined) throw notFound({ group: "", resource: "componentstatus" }, target.name);
  return { kind: "plain", object: statusOf(found), created: false };
}

/** Errors: throws ApiError 400 for selectors that can't be read. */
export function listComponents(
  core: Core,
  target: CallTarget,
  options: ListOptions,
): VerbAnswer {
  const { matches = () => true } = selectionOf(target, options);
  const items = core.components().map(statusOf).filter(matches);
  return { kind: "plainList", items, metadata: { resourceVersion: "" } };
}

function statusOf({ name, problem }: ComponentHealth): KubeObject {
  const condition = problem === null
    ? { type: "Healthy", status: "True", message: "ok" }
    : { type: "Healthy", status: "False", error: problem };
  return {
    apiVersion: "v1",
    kind: "ComponentStatus",
    metadata: { name },
    conditions: [condition],
  };
}
