/**
 * Gives each pod a service account and, unless it declines, a mounted token.
 * In: pods about to be created. Out: serviceAccountName, pull secrets, the projected volume.
 * Never: touches mirror pods. Source: plugin/pkg/admission/serviceaccount (v1.36).
 */
import type { KubeObject } from "../../api/meta.ts";
import { pods, serviceAccounts } from "../../api/resources.ts";
import { forbidden } from "../../api/status.ts";
import { cacheOf, type Core, keyOf } from "../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

const DEFAULT_NAME = "default";
const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX = "kube-api-access-";
const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";
const SUFFIX_LENGTH = 5;
const TOKEN_SECONDS = 3607;
const FILE_MODE = 0o644;
/** The account may still be on its way when the namespace is new. */
const WAIT_MILLIS = 500;

export const serviceAccount: AdmissionPlugin = {
  name: "ServiceAccount",
  admit(request, core) {
    if (request.resource !== pods || request.operation !== "CREATE" || request.subresource !== "") {
      return undefined;
    }
    const pod = request.object!;
    if (pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) return undefined;
    pod.spec ??= {};
    pod.spec.serviceAccountName ||= DEFAULT_NAME;
    pod.spec.serviceAccount = pod.spec.serviceAccountName;
    const account = accountOf(core, request, pod.spec.serviceAccountName);
    if (account === undefined) return waitForAccount(request, core, pod);
    outfit(pod, account);
    return undefined;
  },
};

function accountOf(core: Core, request: AdmissionRequest, name: string): KubeObject | undefined {
  const key = keyOf({ resource: serviceAccounts, namespace: request.namespace, name });
  return cacheOf(core, serviceAccounts).get(key)?.object;
}

async function waitForAccount(
  request: AdmissionRequest,
  core: Core,
  pod: KubeObject,
): Promise<void> {
  const name: string = pod.spec.serviceAccountName;
  const keyPrefix = keyOf({ resource: serviceAccounts, namespace: request.namespace, name });
  const outcome = cacheOf(core, serviceAccounts).watch({ kind: "state" }, {
    selection: { keyPrefix, matches: (object) => object.metadata.name === name },
    wantsBookmarks: false,
  });
  if (outcome.kind === "started") {
    const stopTimer = core.clock.after(WAIT_MILLIS, () => outcome.watcher.close());
    await outcome.watcher.next();
    stopTimer();
    outcome.watcher.close();
  }
  const account = accountOf(core, request, name);
  if (account === undefined) {
    const reason = `error looking up service account ${request.namespace}/${name}: ` +
      `serviceaccount ${JSON.stringify(name)} not found`;
    throw forbidden({ group: "", resource: "pods" }, request.name, reason);
  }
  outfit(pod, account);
}

function outfit(pod: KubeObject, account: KubeObject): void {
  const mounts = pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken;
  if (mounts !== false) mountToken(pod, volumeName(account));
  if (!(pod.spec.imagePullSecrets?.length > 0) && account.imagePullSecrets?.length > 0) {
    pod.spec.imagePullSecrets = account.imagePullSecrets.map((secret: object) => ({ ...secret }));
  }
}

/** One name for all pods of an account, so that equal pods stay equal and can share their spec. */
function volumeName({ metadata }: KubeObject): string {
  return VOLUME_PREFIX + metadata.uid!.replaceAll("-", "").slice(-SUFFIX_LENGTH);
}

function mountToken(pod: KubeObject, fresh: string): void {
  const { spec } = pod;
  const standing = (spec.volumes ?? []).find((volume: { name: string }) =>
    volume.name.startsWith(VOLUME_PREFIX)
  );
  const name: string = standing?.name ?? fresh;
  let isMounted = false;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    const mounts: { mountPath: string }[] = container.volumeMounts ?? [];
    if (mounts.some((mount) => mount.mountPath === MOUNT_PATH)) continue;
    container.volumeMounts = [...mounts, { name, readOnly: true, mountPath: MOUNT_PATH }];
    isMounted = true;
  }
  if (isMounted && standing === undefined) {
    spec.volumes = [...(spec.volumes ?? []), { name, projected: tokenSources() }];
  }
}

function tokenSources(): Record<string, unknown> {
  const namespacePath = {
    path: "namespace",
    fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" },
  };
  return {
    sources: [
      { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      { downwardAPI: { items: [namespacePath] } },
    ],
    defaultMode: FILE_MODE,
  };
}
