/**
 * PURE. Keeps claims, volumes and attribute classes until nobody uses them: the finalizer that
 * admission sets is taken away from what is going once it is free.
 * In: an object's key, the view. Out: one update. Never: adds the finalizer to what is going.
 * Source: pkg/controller/volume/{pvcprotection,pvprotection,vacprotection} (v1.36).
 */
import type { KubeObject } from "../../api/meta.ts";
import {
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  volumeAttributesClasses,
} from "../../api/resources.ts";
import type { Resource } from "../../api/resource.ts";
import type { Action, Controller, PlanInput, View } from "../controller.ts";
import { attributesClassesOf } from "../../api/kinds/storage/persistent_volume_claim.ts";

interface Protection {
  readonly resource: Resource;
  readonly finalizer: string;
  readonly isUsed: (object: KubeObject, view: View) => boolean;
}

const CLAIMS: Protection = {
  resource: persistentVolumeClaims,
  finalizer: "kubernetes.io/pvc-protection",
  isUsed: (claim, view) => {
    const { namespace, name } = claim.metadata;
    return view.byIndex(pods, { index: BY_CLAIM, value: `${namespace}/${name}` }).length > 0;
  },
};
const VOLUMES: Protection = {
  resource: persistentVolumes,
  finalizer: "kubernetes.io/pv-protection",
  isUsed: (volume) => volume.status?.phase === "Bound",
};
const ATTRIBUTES: Protection = {
  resource: volumeAttributesClasses,
  finalizer: "kubernetes.io/vac-protection",
  isUsed: ({ metadata: { name } }, view) =>
    [persistentVolumes, persistentVolumeClaims].some((resource) =>
      view.list(resource).some((user) => attributesClassesOf(user).includes(name!))
    ),
};

/** Index: the claims of pods that have a node. */
const BY_CLAIM = "claim";

/** No kubelet starts a pod on a claim that is going, so pods without a node use nothing. */
function claimsOf({ metadata, spec }: KubeObject): readonly string[] {
  if (!spec?.nodeName) return [];
  const names = (spec.volumes ?? []).map((volume: KubeObject) =>
    volume.ephemeral === undefined
      ? volume.persistentVolumeClaim?.claimName
      : `${metadata.name}-${volume.name}`
  );
  return names.filter(Boolean).map((name: string) => `${metadata.namespace}/${name}`);
}

/** The row of run.ts for claims. */
export const claimProtectionController: Controller = {
  name: "pvc-protection-controller",
  workers: 2,
  watches: [
    { resource: persistentVolumeClaims, keysOf: keyOf },
    { resource: pods, keysOf: claimsOf, indexes: { [BY_CLAIM]: claimsOf } },
  ],
  plan: (key, input) => planProtection(key, input, CLAIMS),
};

/** The row of run.ts for volumes. */
export const volumeProtectionController: Controller = {
  name: "pv-protection-controller",
  workers: 1,
  watches: [{ resource: persistentVolumes, keysOf: keyOf }],
  plan: (key, input) => planProtection(key, input, VOLUMES),
};

/** The row of run.ts for attribute classes. */
export const attributesProtectionController: Controller = {
  name: "vac-protection-controller",
  workers: 1,
  watches: [
    { resource: volumeAttributesClasses, keysOf: keyOf },
    { resource: persistentVolumes, keysOf: attributesKeysOf },
    { resource: persistentVolumeClaims, keysOf: attributesKeysOf },
  ],
  plan: (key, input) => planProtection(key, input, ATTRIBUTES),
};

function keyOf({ metadata: { namespace = "", name } }: KubeObject): readonly string[] {
  return [`${namespace}/${name}`];
}

function attributesKeysOf(user: KubeObject): readonly string[] {
  return attributesClassesOf(user).map((name) => `/${name}`);
}

/** @param key namespace/name. */
function planProtection(key: string, input: PlanInput, protection: Protection): Action[] {
  const { resource, finalizer, isUsed } = protection;
  const [namespace, name] = key.split("/");
  const object = input.view.get(resource, { namespace, name });
  if (object === undefined) return [];
  const finalizers = object.metadata.finalizers ?? [];
  const isGoing = object.metadata.deletionTimestamp !== undefined;
  const isHeld = finalizers.includes(finalizer);
  if (!isGoing) return isHeld ? [] : [write(resource, object, [...finalizers, finalizer])];
  if (!isHeld || isUsed(object, input.view)) return [];
  return [write(resource, object, finalizers.filter((other) => other !== finalizer))];
}

function write(resource: Resource, object: KubeObject, finalizers: string[]): Action {
  return {
    kind: "update",
    resource,
    object: { ...object, metadata: { ...object.metadata, finalizers } },
  };
}
