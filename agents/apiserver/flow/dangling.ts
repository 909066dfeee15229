/**
 * Tells of each flow schema whether its priority level exists.
 * In: schemas and levels as the caches hold them. Out: the condition Dangling in their status.
 * Never: writes what stands there already.
 * Source: apiserver's util/flowcontrol/apf_controller.go (v1.36).
 */
import { flowSchemas } from "../../api/resources.ts";
import type { FlowSchema, FlowSchemaCondition } from "../../api/schema/generated/flowcontrol_v1.ts";
import { APISERVER } from "../auth/authorize.ts";
import { copyJson } from "../registry.ts";
import type { Core } from "../verbs/core.ts";
import { formatTime } from "../verbs/meta_rules.ts";
import { updateObject } from "../verbs/update.ts";

/** @param hasLevel whether a priority level of a name exists */
export async function tellDangling(
  core: Core,
  schemas: readonly FlowSchema[],
  hasLevel: (name: string) => boolean,
): Promise<void> {
  for (const schema of schemas) {
    const level = schema.spec.priorityLevelConfiguration.name;
    const wanted = conditionOf(level, hasLevel(level));
    const conditions = schema.status?.conditions ?? [];
    const found = conditions.find(({ type }) => type === "Dangling");
    const isSame = found?.status === wanted.status && found?.message === wanted.message;
    if (isSame) continue;
    const lastTransitionTime = found?.status === wanted.status
      ? found?.lastTransitionTime
      : formatTime(core.clock.nowMillis());
    const others = conditions.filter(({ type }) => type !== "Dangling");
    const status = { conditions: [...others, { ...wanted, lastTransitionTime }] };
    await writeStatus(core, schema, status);
  }
}

function conditionOf(level: string, isThere: boolean): FlowSchemaCondition {
  const reference = "This FlowSchema references the PriorityLevelConfiguration object named " +
    JSON.stringify(level);
  return isThere
    ? { type: "Dangling", status: "False", reason: "Found", message: `${reference} and it exists` }
    : {
      type: "Dangling",
      status: "True",
      reason: "NotFound",
      message: `${reference} but there is no such object`,
    };
}

async function writeStatus(
  core: Core,
  schema: FlowSchema,
  status: FlowSchema["status"],
): Promise<void> {
  const name = schema.metadata.name!;
  const target = {
    resource: flowSchemas,
    subresource: "status",
    namespace: "",
    name,
    user: APISERVER,
  };
  try {
    await updateObject(core, target, { ...copyJson(schema), status }, {});
  } catch (error) {
    // Another writer was faster; its event brings the next look.
    core.log("debug", "a flow schema changed meanwhile", { name, error: String(error) });
  }
}
