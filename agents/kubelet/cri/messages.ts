/**
 * The part of CRI v1 that the kubelet speaks, as protobuf messages.
 * In: plain objects with the field names of the CRI in camelCase. Out: bytes, and back.
 * Never: I/O. 64-bit integers come back as strings, for nanoseconds don't fit a number.
 * Source: names and field numbers of runtime.v1 (cri-api 0.36).
 */
import protobuf from "protobufjs";

/** Message → "field number type"; a `*` before the type repeats it, `map` is string to string. */
const MESSAGES: Readonly<Record<string, readonly string[]>> = {
  VersionRequest: ["version 1 string"],
  VersionResponse: [
    "runtimeName 2 string",
    "runtimeVersion 3 string",
    "runtimeApiVersion 4 string",
  ],
  StatusRequest: ["verbose 1 bool"],
  RuntimeCondition: ["type 1 string", "status 2 bool", "reason 3 string", "message 4 string"],
  RuntimeStatus: ["conditions 1 *RuntimeCondition"],
  StatusResponse: ["status 1 RuntimeStatus"],
  DNSConfig: ["servers 1 *string", "searches 2 *string", "options 3 *string"],
  PortMapping: ["protocol 1 int32", "containerPort 2 int32", "hostPort 3 int32", "hostIp 4 string"],
  Mount: ["containerPath 1 string", "hostPath 2 string", "readonly 3 bool", "propagation 5 int32"],
  NamespaceOption: ["network 1 int32", "pid 2 int32", "ipc 3 int32", "targetId 4 string"],
  Int64Value: ["value 1 int64"],
  SecurityProfile: ["profileType 1 int32", "localhostRef 2 string"],
  LinuxSandboxSecurityContext: [
    "namespaceOptions 1 NamespaceOption",
    "runAsUser 3 Int64Value",
    "runAsGroup 8 Int64Value",
    "supplementalGroups 5 *int64",
    "privileged 6 bool",
    "seccomp 9 SecurityProfile",
  ],
  LinuxPodSandboxConfig: [
    "cgroupParent 1 string",
    "securityContext 2 LinuxSandboxSecurityContext",
    "sysctls 3 map",
  ],
  PodSandboxMetadata: ["name 1 string", "uid 2 string", "namespace 3 string", "attempt 4 uint32"],
  PodSandboxConfig: [
    "metadata 1 PodSandboxMetadata",
    "hostname 2 string",
    "logDirectory 3 string",
    "dnsConfig 4 DNSConfig",
    "portMappings 5 *PortMapping",
    "labels 6 map",
    "annotations 7 map",
    "linux 8 LinuxPodSandboxConfig",
  ],
  RunPodSandboxRequest: ["config 1 PodSandboxConfig", "runtimeHandler 2 string"],
  RunPodSandboxResponse: ["podSandboxId 1 string"],
  PodSandboxIdRequest: ["podSandboxId 1 string"],
  PodIP: ["ip 1 string"],
  PodSandboxNetworkStatus: ["ip 1 string", "additionalIps 2 *PodIP"],
  PodSandboxStatus: [
    "id 1 string",
    "metadata 2 PodSandboxMetadata",
    "state 3 int32",
    "createdAt 4 int64",
    "network 5 PodSandboxNetworkStatus",
  ],
  PodSandboxStatusResponse: ["status 1 PodSandboxStatus"],
  PodSandboxFilter: ["id 1 string", "labelSelector 3 map"],
  ListPodSandboxRequest: ["filter 1 PodSandboxFilter"],
  PodSandbox: [
    "id 1 string",
    "metadata 2 PodSandboxMetadata",
    "state 3 int32",
    "createdAt 4 int64",
    "labels 5 map",
  ],
  ListPodSandboxResponse: ["items 1 *PodSandbox"],
  ImageSpec: ["image 1 string", "annotations 2 map"],
  KeyValue: ["key 1 string", "value 2 bytes"],
  LinuxContainerResources: [
    "cpuPeriod 1 int64",
    "cpuQuota 2 int64",
    "cpuShares 3 int64",
    "memoryLimitInBytes 4 int64",
    "oomScoreAdj 5 int64",
  ],
  Capability: ["addCapabilities 1 *string", "dropCapabilities 2 *string"],
  LinuxContainerSecurityContext: [
    "capabilities 1 Capability",
    "privileged 2 bool",
    "namespaceOptions 3 NamespaceOption",
    "runAsUser 5 Int64Value",
    "runAsGroup 12 Int64Value",
    "readonlyRootfs 7 bool",
    "supplementalGroups 8 *int64",
    "noNewPrivs 11 bool",
    "maskedPaths 13 *string",
    "readonlyPaths 14 *string",
    "seccomp 15 SecurityProfile",
  ],
  LinuxContainerConfig: [
    "resources 1 LinuxContainerResources",
    "securityContext 2 LinuxContainerSecurityContext",
  ],
  ContainerMetadata: ["name 1 string", "attempt 2 uint32"],
  ContainerConfig: [
    "metadata 1 ContainerMetadata",
    "image 2 ImageSpec",
    "command 3 *string",
    "args 4 *string",
    "workingDir 5 string",
    "envs 6 *KeyValue",
    "mounts 7 *Mount",
    "labels 9 map",
    "annotations 10 map",
    "logPath 11 string",
    "stdin 12 bool",
    "stdinOnce 13 bool",
    "tty 14 bool",
    "linux 15 LinuxContainerConfig",
  ],
  CreateContainerRequest: [
    "podSandboxId 1 string",
    "config 2 ContainerConfig",
    "sandboxConfig 3 PodSandboxConfig",
  ],
  ContainerIdMessage: ["containerId 1 string"],
  StopContainerRequest: ["containerId 1 string", "timeout 2 int64"],
  ContainerFilter: ["id 1 string", "podSandboxId 3 string", "labelSelector 4 map"],
  ListContainersRequest: ["filter 1 ContainerFilter"],
  Container: [
    "id 1 string",
    "podSandboxId 2 string",
    "metadata 3 ContainerMetadata",
    "state 6 int32",
    "createdAt 7 int64",
    "labels 8 map",
  ],
  ListContainersResponse: ["containers 1 *Container"],
  UInt64Value: ["value 1 uint64"],
  CpuUsage: ["timestamp 1 int64", "usageCoreNanoSeconds 2 UInt64Value"],
  MemoryUsage: ["timestamp 1 int64", "workingSetBytes 2 UInt64Value"],
  ContainerAttributes: ["id 1 string", "metadata 2 ContainerMetadata", "labels 3 map"],
  ContainerStats: [
    "attributes 1 ContainerAttributes",
    "cpu 2 CpuUsage",
    "memory 3 MemoryUsage",
  ],
  ListContainerStatsRequest: [],
  ListContainerStatsResponse: ["stats 1 *ContainerStats"],
  ContainerStatusRequest: ["containerId 1 string", "verbose 2 bool"],
  ContainerStatus: [
    "id 1 string",
    "metadata 2 ContainerMetadata",
    "state 3 int32",
    "createdAt 4 int64",
    "startedAt 5 int64",
    "finishedAt 6 int64",
    "exitCode 7 int32",
    "image 8 ImageSpec",
    "imageRef 9 string",
    "reason 10 string",
    "message 11 string",
    "labels 12 map",
    "annotations 13 map",
    "logPath 15 string",
    "imageId 17 string",
  ],
  ContainerStatusResponse: ["status 1 ContainerStatus"],
  ExecSyncRequest: ["containerId 1 string", "cmd 2 *string", "timeout 3 int64"],
  ExecSyncResponse: ["stdout 1 bytes", "stderr 2 bytes", "exitCode 3 int32"],
  ExecRequest: [
    "containerId 1 string",
    "cmd 2 *string",
    "tty 3 bool",
    "stdin 4 bool",
    "stdout 5 bool",
    "stderr 6 bool",
  ],
  AttachRequest: [
    "containerId 1 string",
    "stdin 2 bool",
    "tty 3 bool",
    "stdout 4 bool",
    "stderr 5 bool",
  ],
  PortForwardRequest: ["podSandboxId 1 string", "port 2 *int32"],
  UrlResponse: ["url 1 string"],
  ImageStatusRequest: ["image 1 ImageSpec", "verbose 2 bool"],
  Image: ["id 1 string", "repoTags 2 *string", "repoDigests 3 *string", "size 4 uint64"],
  ImageStatusResponse: ["image 1 Image"],
  ListImagesRequest: [],
  ListImagesResponse: ["images 1 *Image"],
  AuthConfig: ["username 1 string", "password 2 string", "serverAddress 4 string"],
  PullImageRequest: ["image 1 ImageSpec", "auth 2 AuthConfig", "sandboxConfig 3 PodSandboxConfig"],
  PullImageResponse: ["imageRef 1 string"],
  Empty: [],
};

export type MessageName = string;

const root = buildRoot();

function buildRoot(): protobuf.Root {
  const built = new protobuf.Root();
  for (const [name, fields] of Object.entries(MESSAGES)) {
    const type = new protobuf.Type(name);
    for (const field of fields) {
      const [fieldName, number, declared] = field.split(" ");
      if (declared === "map") {
        type.add(new protobuf.MapField(fieldName, Number(number), "string", "string"));
      } else {
        const repeated = declared.startsWith("*");
        const rule = repeated ? "repeated" : undefined;
        const typeName = repeated ? declared.slice(1) : declared;
        type.add(new protobuf.Field(fieldName, Number(number), typeName, rule));
      }
    }
    built.add(type);
  }
  return built.resolveAll() as protobuf.Root;
}

/** @returns the message's bytes. Errors: throws on a field of the wrong type. */
export function encodeMessage(name: MessageName, value: object): Uint8Array {
  const type = root.lookupType(name);
  return type.encode(type.fromObject(value)).finish();
}

/**
 * Decodes one message; absent scalars hold their zero, absent lists are empty, absent messages
 * null.
 * Errors: throws on malformed bytes.
 */
export function decodeMessage<T>(name: MessageName, bytes: Uint8Array): T {
  const type = root.lookupType(name);
  return type.toObject(type.decode(bytes), { longs: String, defaults: true }) as T;
}
