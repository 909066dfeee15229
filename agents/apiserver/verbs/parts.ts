/**
 * Subresources that write one corner of an object's spec and nothing else.
 * In: a draft as the client sent it, the object as it is. Out: the draft, restored but for a part.
 * Never: lets a part's writer change the rest.
 * Source: the strategies of namespaces/finalize, pods/ephemeralcontainers, pods/resize (v1.36).
 */
import type { KubeObject } from "../../api/meta.ts";

interface Container {
  readonly name: string;
  readonly resources?: unknown;
  readonly resizePolicy?: unknown;
}

type Spec = Record<string, unknown>;

const PARTS: Readonly<Record<string, (sent: Spec, old: Spec) => Spec>> = {
  finalize: (sent, old) => withField(old, "finalizers", sent.finalizers),
  ephemeralcontainers: (sent, old) =>
    withField(old, "ephemeralContainers", sent.ephemeralContainers),
  resize: (sent, old) => ({
    ...old,
    containers: resized(sent.containers as Container[], old.containers as Container[]),
    ...(old.initContainers === undefined ? {} : {
      initContainers: resized(
        sent.initContainers as Container[],
        old.initContainers as Container[],
      ),
    }),
  }),
};

export function isPart(subresource: string): boolean {
  return Object.hasOwn(PARTS, subresource);
}

/** Puts everything back but what the subresource is for. */
export function keepAllButPart(subresource: string, draft: KubeObject, old: KubeObject): void {
  const spec = PARTS[subresource](draft.spec ?? {}, old.spec ?? {});
  for (const field of Object.keys(draft)) {
    if (field !== "metadata") delete draft[field];
  }
  for (const field of Object.keys(old)) {
    if (field !== "metadata") draft[field] = old[field];
  }
  draft.spec = spec;
}

function withField(spec: Spec, field: string, value: unknown): Spec {
  const { [field]: _, ...rest } = spec;
  return value === undefined ? rest : { ...rest, [field]: value };
}

function resized(
  sent: readonly Container[] | undefined,
  old: readonly Container[],
): readonly Container[] {
  return old.map((container) => {
    const same = sent?.find((other) => other.name === container.name);
    if (same === undefined) return container;
    return { ...container, resources: same.resources, resizePolicy: same.resizePolicy };
  });
}
