/**
 * A pod's volumes on this machine: folders made, files written, and the mounts of a container.
 * In: the pod and ways to look objects up. Out: files below `<root>/pods/<uid>/volumes`, mounts.
 * Supports emptyDir, hostPath, configMap, secret, downwardAPI, projected; any other kind is refused
 * by name. Never: follows a path out of its volume; secrets are written 0600-style by their mode.
 */
import { dirname, join, normalize } from "node:path";
import type { KubeObject } from "../api/meta.ts";
import {
  decodeBase64,
  type EnvironmentContext,
  fieldValue,
  type Lookup,
  resourceValue,
} from "./environment.ts";
import { propagationOf } from "./runtime_config.ts";
import type { ContainerConfig } from "./runtime_port.ts";

type Spec = KubeObject["spec"];

export interface VolumeContext extends Pick<EnvironmentContext, "hostIP" | "podIPs"> {
  /** Folder of the kubelet's own state. */
  readonly root: string;
  readonly lookup: Lookup;
  /** A token bound to the pod, for a projected serviceAccountToken. */
  readonly token: (
    pod: KubeObject,
    request: { audience?: string; expirationSeconds?: number },
  ) => Promise<string>;
}

const DEFAULT_MODE = 0o644;
const DEFAULT_TOKEN_SECONDS = 3607;

interface VolumeFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
}

/** Folder of everything a pod has on this machine's disk. */
export function podFolder(root: string, pod: KubeObject): string {
  return join(root, "pods", String(pod.metadata.uid));
}

/**
 * Makes every volume of the pod ready; files whose contents did not change are left alone.
 * @returns host path by volume name.
 * Errors: throws naming the volume and what is missing.
 */
export async function prepareVolumes(
  pod: KubeObject,
  context: VolumeContext,
): Promise<Map<string, string>> {
  const paths = new Map<string, string>();
  for (const volume of pod.spec.volumes ?? []) {
    try {
      paths.set(volume.name, await prepareVolume(pod, volume, context));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`MountVolume.SetUp failed for volume "${volume.name}" : ${why}`);
    }
  }
  return paths;
}

async function prepareVolume(
  pod: KubeObject,
  volume: Spec,
  context: VolumeContext,
): Promise<string> {
  if (volume.hostPath !== undefined) {
    await prepareHostPath(volume.hostPath);
    return volume.hostPath.path;
  }
  const folder = join(podFolder(context.root, pod), "volumes", volume.name);
  await Deno.mkdir(folder, { recursive: true });
  if (volume.emptyDir !== undefined) {
    await Deno.chmod(folder, 0o777);
    return folder;
  }
  const group: number | undefined = pod.spec.securityContext?.fsGroup;
  await writeFiles(folder, await filesOf(pod, volume, context), group);
  return folder;
}

async function prepareHostPath({ path, type = "" }: { path: string; type?: string }) {
  if (type === "DirectoryOrCreate") await Deno.mkdir(path, { recursive: true, mode: 0o755 });
  if (type === "FileOrCreate") (await Deno.open(path, { create: true, write: true })).close();
  if (type === "") return;
  const info = await Deno.stat(path);
  const fits = type.startsWith("Directory")
    ? info.isDirectory
    : type.startsWith("File")
    ? info.isFile
    : type === "Socket"
    ? info.isSocket
    : type === "CharDevice"
    ? info.isCharDevice
    : info.isBlockDevice;
  if (!fits) throw new Error(`hostPath type check failed: ${path} is not of type ${type}`);
}

async function filesOf(
  pod: KubeObject,
  volume: Spec,
  context: VolumeContext,
): Promise<VolumeFile[]> {
  if (volume.configMap !== undefined) {
    return await objectFiles("configMap", volume.configMap, context);
  }
  if (volume.secret !== undefined) {
    const source = { ...volume.secret, name: volume.secret.secretName };
    return await objectFiles("secret", source, context);
  }
  if (volume.downwardAPI !== undefined) return downwardFiles(pod, volume.downwardAPI, context);
  if (volume.projected !== undefined) return await projectedFiles(pod, volume.projected, context);
  const kind = Object.keys(volume).find((key) => key !== "name") ?? "none";
  throw new Error(`volume kind ${kind} is not supported on this node`);
}

async function projectedFiles(
  pod: KubeObject,
  projected: Spec,
  context: VolumeContext,
): Promise<VolumeFile[]> {
  const files: VolumeFile[] = [];
  const encoder = new TextEncoder();
  const defaultMode = projected.defaultMode ?? DEFAULT_MODE;
  for (const source of projected.sources ?? []) {
    if (source.configMap) {
      files.push(...await objectFiles("configMap", { defaultMode, ...source.configMap }, context));
    }
    if (source.secret) {
      files.push(...await objectFiles("secret", { defaultMode, ...source.secret }, context));
    }
    if (source.downwardAPI) {
      files.push(...downwardFiles(pod, { defaultMode, ...source.downwardAPI }, context));
    }
    if (source.serviceAccountToken) {
      const { audience, expirationSeconds, path } = source.serviceAccountToken;
      const token = await context.token(pod, {
        ...(audience === undefined ? {} : { audience }),
        expirationSeconds: expirationSeconds ?? DEFAULT_TOKEN_SECONDS,
      });
      files.push({ path, bytes: encoder.encode(token), mode: defaultMode });
    }
  }
  return files;
}

async function objectFiles(
  kind: "configMap" | "secret",
  source: Spec,
  context: VolumeContext,
): Promise<VolumeFile[]> {
  const object = await context.lookup(kind, source.name);
  if (object === null) {
    if (source.optional) return [];
    throw new Error(`${kind.toLowerCase()} "${source.name}" not found`);
  }
  const bytes = bytesOf(kind, object);
  const mode = source.defaultMode ?? DEFAULT_MODE;
  if (source.items === undefined) {
    return [...bytes].map(([path, value]) => ({ path, bytes: value, mode }));
  }
  return source.items.flatMap((item: Spec) => {
    const value = bytes.get(item.key);
    if (value !== undefined) return [{ path: item.path, bytes: value, mode: item.mode ?? mode }];
    if (source.optional) return [];
    throw new Error(`references non-existent ${kind.toLowerCase()} key: ${item.key}`);
  });
}

function bytesOf(kind: "configMap" | "secret", object: KubeObject): Map<string, Uint8Array> {
  const encoder = new TextEncoder();
  const files = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(object.data ?? {})) {
    files.set(key, kind === "secret" ? decodeBase64(String(value)) : encoder.encode(String(value)));
  }
  for (const [key, value] of Object.entries(object.binaryData ?? {})) {
    files.set(key, decodeBase64(String(value)));
  }
  return files;
}

function downwardFiles(pod: KubeObject, source: Spec, context: VolumeContext): VolumeFile[] {
  const encoder = new TextEncoder();
  return (source.items ?? []).map((item: Spec) => ({
    path: item.path,
    bytes: encoder.encode(
      item.fieldRef !== undefined
        ? fieldValue(pod, item.fieldRef.fieldPath, context)
        : resourceValue(pod, null, item.resourceFieldRef),
    ),
    mode: item.mode ?? source.defaultMode ?? DEFAULT_MODE,
  }));
}

async function writeFiles(
  folder: string,
  files: readonly VolumeFile[],
  group: number | undefined,
): Promise<void> {
  for (const file of files) {
    const path = inside(folder, file.path);
    await Deno.mkdir(dirname(path), { recursive: true });
    if (await hasContents(path, file.bytes)) continue;
    // Renamed into place, so that a container never reads half a file.
    const draft = `${path}.new`;
    await Deno.writeFile(draft, file.bytes, { mode: file.mode });
    await Deno.chmod(draft, file.mode);
    if (group !== undefined) await Deno.chown(draft, null, group);
    await Deno.rename(draft, path);
  }
}

async function hasContents(path: string, bytes: Uint8Array): Promise<boolean> {
  try {
    const now = await Deno.readFile(path);
    return now.length === bytes.length && now.every((byte, index) => byte === bytes[index]);
  } catch {
    return false;
  }
}

/** Errors: throws when the path leaves the folder. */
function inside(folder: string, path: string): string {
  const full = normalize(join(folder, path));
  if (!full.startsWith(`${folder}/`)) throw new Error(`path ${path} leaves its volume`);
  return full;
}

/** Mounts of one container. Errors: throws when it names a volume that the pod lacks. */
export function mountsOf(
  container: Spec,
  volumes: ReadonlyMap<string, string>,
  expandPath: (text: string) => string,
): ContainerConfig["mounts"] {
  return (container.volumeMounts ?? []).map((mount: Spec) => {
    const hostPath = volumes.get(mount.name);
    if (hostPath === undefined) throw new Error(`volume "${mount.name}" is not declared`);
    const subPath = mount.subPathExpr === undefined ? mount.subPath : expandPath(mount.subPathExpr);
    return {
      containerPath: mount.mountPath.startsWith("/") ? mount.mountPath : `/${mount.mountPath}`,
      hostPath: subPath ? inside(hostPath, subPath) : hostPath,
      readonly: mount.readOnly === true,
      propagation: propagationOf(mount),
    };
  });
}
