/** What holds data goes when its last user has gone, and not before. */
import assert from "node:assert/strict";
import { memoryView } from "../../../tests/fakes/memory_view.ts";
import type { KubeObject } from "../../api/meta.ts";
import {
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  volumeAttributesClasses,
} from "../../api/resources.ts";
import type { Resource } from "../../api/resource.ts";
import type { Controller } from "../controller.ts";
import {
  attributesProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from "./plan_storage_protection.ts";

const GOING = { deletionTimestamp: "2026-01-02T03:04:05Z" };
const pvc = (more: object): KubeObject => ({ metadata: { namespace: "n", name: "c", ...more } });
const user = (nodeName: string, volume: object): KubeObject => ({
  metadata: { namespace: "n", name: "p" },
  spec: { nodeName, volumes: [{ name: "v", ...volume }] },
});
const CLAIMED = { persistentVolumeClaim: { claimName: "c" } };

/** finalizers that the plan writes; null where it leaves the object alone */
function written(
  controller: Controller,
  key: string,
  entries: readonly (readonly [Resource, readonly KubeObject[]])[],
): readonly string[] | null {
  const view = memoryView(controller, entries);
  const [action] = controller.plan(key, { view, nowMillis: 0 });
  if (action === undefined) return null;
  assert.equal(action.kind, "update");
  return action.kind === "update" ? action.object.metadata.finalizers! : null;
}

Deno.test("a claim is held by pods that have a node", () => {
  const held = ["kubernetes.io/pvc-protection"];
  const cases: readonly [KubeObject, readonly KubeObject[], readonly string[] | null][] = [
    [pvc({}), [], held],
    [pvc({ finalizers: held }), [], null],
    [pvc({ ...GOING }), [], null],
    [pvc({ ...GOING, finalizers: ["x", ...held] }), [], ["x"]],
    [pvc({ ...GOING, finalizers: held }), [user("node", CLAIMED)], null],
    [pvc({ ...GOING, finalizers: held }), [user("", CLAIMED)], []],
    [pvc({ ...GOING, finalizers: held }), [user("node", { emptyDir: {} })], []],
  ];
  for (const [claim, users, expected] of cases) {
    const entries = [[persistentVolumeClaims, [claim]], [pods, users]] as const;
    assert.deepEqual(written(claimProtectionController, "n/c", entries), expected);
  }
  const own = pvc({ ...GOING, name: "p-v", finalizers: held });
  const entries = [
    [persistentVolumeClaims, [own]],
    [pods, [user("node", { ephemeral: {} })]],
  ] as const;
  assert.equal(written(claimProtectionController, "n/p-v", entries), null);
});

Deno.test("a volume is held while it is bound", () => {
  const finalizers = ["kubernetes.io/pv-protection"];
  for (const [phase, expected] of [["Bound", null], ["Released", []]] as const) {
    const volume = { metadata: { name: "v", ...GOING, finalizers }, status: { phase } };
    const entries = [[persistentVolumes, [volume]]] as const;
    assert.deepEqual(written(volumeProtectionController, "/v", entries), expected);
  }
});

Deno.test("an attributes class is held by the volumes and claims of it", () => {
  const finalizers = ["kubernetes.io/vac-protection"];
  const going = { metadata: { name: "a", ...GOING, finalizers } };
  const cases: readonly [object, readonly string[] | null][] = [
    [{ spec: { volumeAttributesClassName: "a" } }, null],
    [{ status: { modifyVolumeStatus: { targetVolumeAttributesClassName: "a" } } }, null],
    [{ spec: { volumeAttributesClassName: "b" } }, []],
  ];
  for (const [more, expected] of cases) {
    const entries = [
      [volumeAttributesClasses, [going]],
      [persistentVolumeClaims, [{ ...pvc({}), ...more }]],
    ] as const;
    assert.deepEqual(written(attributesProtectionController, "/a", entries), expected);
  }
});
