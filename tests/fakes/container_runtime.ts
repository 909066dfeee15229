/**
 * A container runtime in memory: every image is there, every container runs until it is stopped.
 * In: the calls of the ContainerRuntime port. Out: the port, and a note of each call.
 * Never: runs anything, or forgets a container that was not removed.
 */
import type { Container, ContainerRuntime, Sandbox } from "../../agents/kubelet/runtime_port.ts";

/** @param onCall told the name of each call that changes something. */
export function fakeRuntime(onCall: (call: string) => void): ContainerRuntime {
  const sandboxes = new Map<string, Sandbox>();
  const containers = new Map<string, Container>();
  const change = (id: string, part: Partial<Container>) => {
    const one = containers.get(id);
    if (one === undefined) throw new Error(`container "${id}" not found`);
    containers.set(id, { ...one, ...part });
  };
  return {
    version: () => Promise.resolve({ name: "fake", version: "1" }),
    problems: () => Promise.resolve([]),
    listSandboxes: () => Promise.resolve([...sandboxes.values()]),
    listContainers: () => Promise.resolve([...containers.values()]),
    listUsage: () => Promise.resolve([]),
    runSandbox: async (config) => {
      onCall("runSandbox");
      const id = `s${sandboxes.size}`;
      await Promise.resolve();
      sandboxes.set(id, {
        id,
        podUid: config.metadata.uid,
        attempt: config.metadata.attempt,
        ready: true,
        createdAtMillis: 1,
        ips: [`10.9.0.${sandboxes.size + 2}`],
      });
      return id;
    },
    stopSandbox: (id) => {
      onCall("stopSandbox");
      const one = sandboxes.get(id);
      if (one !== undefined) sandboxes.set(id, { ...one, ready: false });
      return Promise.resolve();
    },
    removeSandbox: (id) => Promise.resolve(void sandboxes.delete(id)),
    createContainer: ({ config, sandboxConfig, sandboxId }) => {
      onCall("createContainer");
      const id = `c${containers.size}`;
      containers.set(id, {
        id,
        sandboxId,
        podUid: sandboxConfig.metadata.uid,
        name: config.metadata.name,
        attempt: config.metadata.attempt,
        state: "created",
        createdAtMillis: 1,
        startedAtMillis: 0,
        finishedAtMillis: 0,
        exitCode: 0,
        reason: "",
        message: "",
        image: config.image.image,
        imageId: `sha256:${config.image.image}`,
        logPath: "",
      });
      return Promise.resolve(id);
    },
    startContainer: (id) => {
      onCall("startContainer");
      change(id, { state: "running", startedAtMillis: 2 });
      return Promise.resolve();
    },
    stopContainer: (id) => {
      onCall("stopContainer");
      change(id, { state: "exited", exitCode: 0, finishedAtMillis: 3 });
      return Promise.resolve();
    },
    removeContainer: (id) => Promise.resolve(void containers.delete(id)),
    hasImage: () => Promise.resolve(true),
    listImages: () => Promise.resolve([]),
    pullImage: () => Promise.resolve(onCall("pullImage")),
    execSync: () => Promise.resolve({ exitCode: 0, output: "" }),
    execUrl: () => Promise.reject(new Error("the fake runtime has no streaming server")),
    attachUrl: () => Promise.reject(new Error("the fake runtime has no streaming server")),
    portForwardUrl: () => Promise.reject(new Error("the fake runtime has no streaming server")),
    close: () => {},
  };
}
