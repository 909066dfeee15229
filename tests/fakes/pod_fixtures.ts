/**
 * A pod, its sandbox and its container as tests of the kubelet start from.
 * In: the fields that a case cares about. Out: whole objects. Never: state between calls.
 */
import type { KubeObject } from "../../agents/api/meta.ts";
import type { Container, Sandbox } from "../../agents/kubelet/runtime_port.ts";

/** The present of these fixtures, milliseconds since 1970. */
export const NOW = 1_000_000;

export function pod(spec: object = {}, more: object = {}): KubeObject {
  return {
    metadata: { name: "web", namespace: "default", uid: "u1" },
    spec: { containers: [{ name: "c", image: "busybox" }], restartPolicy: "Always", ...spec },
    ...more,
  };
}

export function sandbox(over: Partial<Sandbox> = {}): Sandbox {
  return {
    id: "s0",
    podUid: "u1",
    attempt: 0,
    ready: true,
    createdAtMillis: 0,
    ips: ["10.88.0.2"],
    ...over,
  };
}

export function container(over: Partial<Container> = {}): Container {
  return {
    id: "c0",
    sandboxId: "s0",
    podUid: "u1",
    name: "c",
    attempt: 0,
    state: "running",
    createdAtMillis: 0,
    startedAtMillis: NOW - 60_000,
    finishedAtMillis: 0,
    exitCode: 0,
    reason: "",
    message: "",
    image: "busybox",
    imageId: "sha256:1",
    logPath: "",
    ...over,
  };
}
