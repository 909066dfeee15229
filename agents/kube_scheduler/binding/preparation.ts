/**
 * What a placed pod needs before it is bound: volumes and devices for its claims.
 * In: planned bindings, the pods and nodes as seen last. Out: writes through the binders.
 * Never: binds a pod, or decides; the scheduler chose the node already.
 * Source: the PreBind and Unreserve steps of the Kubernetes v1.36 scheduling framework.
 */
import { ApiError } from "../../api/status.ts";
import type { PodRow, Scheduler } from "../../../scheduler/mod.ts";
import type { DeviceBinder } from "../devices/device_binder.ts";
import type { Pod } from "../kinds.ts";
import type { VolumeBinder } from "../volume_binder.ts";
import { type BindAction, BindingFault, type Preparation } from "./cohorts.ts";

/** Claims tell full seconds of when they were allocated, and have to be beyond their time. */
const CLAIM_TIME_STEP_MS = 1001;

export interface PreparationParts {
  readonly scheduler: Scheduler;
  readonly volumes: VolumeBinder;
  readonly devices: DeviceBinder;
  /** The pod as last seen, undefined when it is gone. */
  readonly lookUp: (pod: PodRow) => Pod | undefined;
  /** Told of each pod that waits for its devices. */
  readonly announceWait: (action: BindAction) => void;
}

function waitsForVolumes({ entry }: BindAction): boolean {
  return entry.pod.template.spec.volumes.waitingTerms.length > 0;
}

/** Names the step in what it fails with. */
async function step(plugin: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof BindingFault)) throw error;
    throw new BindingFault(`running PreBind plugin "${plugin}": ${error.message}`);
  }
}

export function createPreparation(
  { scheduler, volumes, devices, lookUp, announceWait }: PreparationParts,
): Preparation {
  const podOf = ({ entry: { pod } }: BindAction): Pod => {
    const object = lookUp(pod);
    if (object === undefined) throw new BindingFault(`pod ${pod.name} is gone`);
    return object;
  };

  const usesDevices = ({ entry: { pod } }: BindAction) =>
    pod.template.spec.devices.claims.length > 0 ||
    scheduler.devices.bindingsOf(pod.uid).length > 0;

  async function bindClaims({ entry: { pod } }: BindAction): Promise<void> {
    for (const binding of scheduler.devices.bindingsOf(pod.uid)) {
      if (binding.extended === null) {
        await devices.bind(pod, binding);
        scheduler.devices.confirm(binding.key);
      } else {
        const made = await devices.bindExtended(pod, binding);
        scheduler.devices.confirmExtended(binding.key, made);
      }
    }
  }

  const devicesReady = ({ entry: { pod, profile } }: BindAction): boolean => {
    try {
      return devices.readinessOf(pod, profile.deviceTimeoutMs) === "ready";
    } catch (error) {
      if (!(error instanceof BindingFault)) throw error;
      throw new BindingFault(`running PreBind plugin "DynamicResources": ${error.message}`);
    }
  };

  return {
    needs: (action) => waitsForVolumes(action) || usesDevices(action),
    async start(action) {
      const { table } = scheduler;
      const node = table.nodes[table.rowOf(action.nodeName)];
      const pod = podOf(action);
      if (node === undefined) throw new BindingFault(`node ${action.nodeName} is gone`);
      if (waitsForVolumes(action)) await step("VolumeBinding", volumes.reserve(pod, node));
      await step("DynamicResources", bindClaims(action));
      if (!devicesReady(action)) announceWait(action);
    },
    isComplete(action, waitedMillis) {
      const { bindTimeoutMs } = action.entry.profile;
      const areBound = volumes.isComplete(podOf(action));
      if (!areBound && waitedMillis >= bindTimeoutMs) {
        throw new BindingFault(
          'running PreBind plugin "VolumeBinding": timed out waiting for volumes to be bound',
        );
      }
      return devicesReady(action) && areBound;
    },
    timeouts: ({ entry: { profile } }) => [
      profile.bindTimeoutMs,
      profile.deviceTimeoutMs + CLAIM_TIME_STEP_MS,
    ],
    async undo(action) {
      const { pod } = action.entry;
      for (const key of pod.template.spec.devices.claims) await devices.unreserve(pod, key);
      await devices.discard(pod);
    },
  };
}
