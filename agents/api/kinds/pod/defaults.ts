/**
 * Fills what a pod's or a template's author left out.
 * In: a mutable draft. Out: the same draft with every default. Never: validates.
 * Source: pkg/apis/core/v1/defaults.go and the generated defaulters (v1.36).
 */
import type {
  Container,
  EphemeralContainer,
  EphemeralContainerCommon,
  Pod,
  PodSpec,
  PodTemplateSpec,
  Probe,
  Volume,
} from "../../schema/generated/core_v1.ts";
import { setSourceDefaults } from "../storage/volume_sources.ts";

const FILE_MODE = 0o644;
const TOKEN_SECONDS = 3600;
export const DEFAULT_GRACE_SECONDS = 30;

type AnyContainer = Container | EphemeralContainerCommon;

/** Defaults of a pod itself: those of its spec and a few that templates do not get. */
export function setPodDefaults(pod: Pod): void {
  pod.spec ??= { containers: [] };
  const spec = pod.spec;
  setPodSpecDefaults(spec);
  for (const container of [...spec.containers ?? [], ...spec.initContainers ?? []]) {
    requestWhatIsLimited(container);
    if (spec.hostNetwork) {
      for (const port of container.ports ?? []) port.hostPort ??= port.containerPort;
    }
  }
  if (spec.resources?.limits) {
    spec.resources.requests = { ...spec.resources.limits, ...spec.resources.requests };
  }
  spec.enableServiceLinks ??= true;
}

function requestWhatIsLimited(container: Container): void {
  const limits = container.resources?.limits;
  if (limits === undefined) return;
  container.resources = {
    ...container.resources,
    requests: { ...limits, ...container.resources?.requests },
  };
}

/** Defaults of a controller's template. */
export function setPodTemplateDefaults(template: PodTemplateSpec | undefined): void {
  if (template === undefined) return;
  template.metadata ??= {};
  if (template.spec !== undefined) setPodSpecDefaults(template.spec);
}

/** Defaults that pods and templates share. */
export function setPodSpecDefaults(spec: PodSpec): void {
  spec.dnsPolicy ??= "ClusterFirst";
  spec.restartPolicy ??= "Always";
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= DEFAULT_GRACE_SECONDS;
  spec.schedulerName ??= "default-scheduler";
  // The two names of the service account are one field.
  if (spec.serviceAccountName === undefined && spec.serviceAccount !== undefined) {
    spec.serviceAccountName = spec.serviceAccount;
  } else if (spec.serviceAccountName !== undefined) {
    spec.serviceAccount = spec.serviceAccountName;
  }
  for (const volume of spec.volumes ?? []) setVolumeDefaults(volume);
  const ephemeral: readonly EphemeralContainer[] = spec.ephemeralContainers ?? [];
  const all: AnyContainer[] = [
    ...spec.initContainers ?? [],
    ...spec.containers ?? [],
    ...ephemeral,
  ];
  for (const container of all) setContainerDefaults(container);
}

/** The tag of an image's name; "latest" when it names neither tag nor digest. */
export function imageTag(image: string): string {
  const withoutDigest = image.split("@")[0];
  const tag = /:([^/:]+)$/.exec(withoutDigest)?.[1];
  return tag ?? (withoutDigest === image ? "latest" : "");
}

function setContainerDefaults(container: AnyContainer): void {
  container.imagePullPolicy ??= imageTag(container.image ?? "") === "latest"
    ? "Always"
    : "IfNotPresent";
  container.terminationMessagePath ??= "/dev/termination-log";
  container.terminationMessagePolicy ??= "File";
  // A struct in Go, which is written even where nothing stands in it.
  container.resources ??= {};
  for (const port of container.ports ?? []) port.protocol ??= "TCP";
  for (const variable of container.env ?? []) {
    const fieldRef = variable.valueFrom?.fieldRef;
    if (fieldRef !== undefined) fieldRef.apiVersion ??= "v1";
    const resourceFieldRef = variable.valueFrom?.resourceFieldRef;
    if (resourceFieldRef !== undefined) resourceFieldRef.divisor ??= "0";
  }
  const { livenessProbe, readinessProbe, startupProbe, lifecycle } = container;
  for (const probe of [livenessProbe, readinessProbe, startupProbe]) {
    if (probe !== undefined) setProbeDefaults(probe);
  }
  for (const handler of [lifecycle?.postStart, lifecycle?.preStop]) {
    setHttpGetDefaults(handler?.httpGet);
  }
}

function setHttpGetDefaults(action: Probe["httpGet"]): void {
  if (action === undefined) return;
  action.path ??= "/";
  action.scheme ??= "HTTP";
}

function setProbeDefaults(probe: Probe): void {
  probe.timeoutSeconds ??= 1;
  probe.periodSeconds ??= 10;
  probe.successThreshold ??= 1;
  probe.failureThreshold ??= 3;
  setHttpGetDefaults(probe.httpGet);
  if (probe.grpc !== undefined) probe.grpc.service ??= "";
}

function setVolumeDefaults(volume: Volume): void {
  if (Object.keys(volume).every((key) => key === "name")) volume.emptyDir = {};
  if (volume.secret) volume.secret.defaultMode ??= FILE_MODE;
  if (volume.configMap) volume.configMap.defaultMode ??= FILE_MODE;
  if (volume.downwardAPI) {
    volume.downwardAPI.defaultMode ??= FILE_MODE;
    for (const item of volume.downwardAPI.items ?? []) setFieldRefVersion(item);
  }
  setSourceDefaults(volume);
  if (volume.image) {
    volume.image.pullPolicy ??= imageTag(volume.image.reference ?? "") === "latest"
      ? "Always"
      : "IfNotPresent";
  }
  if (volume.ephemeral?.volumeClaimTemplate?.spec) {
    volume.ephemeral.volumeClaimTemplate.spec.volumeMode ??= "Filesystem";
  }
  if (volume.projected) {
    volume.projected.defaultMode ??= FILE_MODE;
    for (const source of volume.projected.sources ?? []) {
      if (source.serviceAccountToken) {
        source.serviceAccountToken.expirationSeconds ??= TOKEN_SECONDS;
      }
      for (const item of source.downwardAPI?.items ?? []) setFieldRefVersion(item);
    }
  }
}

function setFieldRefVersion(item: { fieldRef?: { apiVersion?: string } }): void {
  if (item.fieldRef) item.fieldRef.apiVersion ??= "v1";
}
