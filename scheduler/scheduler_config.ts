/**
 * What a scheduler is made with.
 * In: nothing. Out: the type of its configuration.
 * Never: reads YAML; `agents/kube_scheduler/config.ts` does.
 */

import type { DeviceMatcher } from "./devices/device_row.ts";
import type { ProfileConfig } from "./profile.ts";
import type { QueueConfig } from "./queue.ts";

/** Times what a scheduler does now and then; the scheduler itself reads no clock. */
export interface SchedulerWatch {
  /** Milliseconds with fractions; only differences are looked at. */
  now(): number;
  /** Pods to evict were looked for. @param helped whether some were found */
  preempted(schedulerName: string, helped: boolean, millis: number): void;
}

export interface SchedulerConfig {
  /** Default: one profile with all defaults. */
  readonly profiles?: readonly ProfileConfig[];
  readonly queue?: QueueConfig;
  /** Whether equal pods share score columns; false decides each pod in full. Default true. */
  readonly shareColumns?: boolean;
  /** What selectors of devices mean; absent = no device is ever selected. */
  readonly matchDevice?: DeviceMatcher;
  /** 32-bit number that all ties hang on. Default 1. */
  readonly seed?: number;
  /** Told of preemptions and asked the time of groups' tries; absent = nobody wants to know. */
  readonly watch?: SchedulerWatch;
}
