/**
 * Rows of pods as they come and change, made from scratch only where something new is to be read.
 * In: pods, what is known of them already, look-ups of services, controllers and volumes.
 * Out: `PodRow`s whose templates are interned. Never: trusts that two objects are equal without
 * looking; objects are frozen, so one and the same part has the same content.
 */
import { NO_DEVICES, NO_VOLUMES } from "../../scheduler/mod.ts";
import type { PodRow, PodTemplate, TemplateTable } from "../../scheduler/mod.ts";
import { type ClaimLookup, resolveClaims } from "./devices/pod_claims.ts";
import { encodePod, encodeSpec } from "./encode.ts";
import { usesClaims } from "./encode_volumes.ts";
import type { Pod, PodSpec } from "./kinds.ts";
import { defaultSelector, type Selectors } from "./spread_selector.ts";
import type { VolumeBinder } from "./volume_binder.ts";

type Labels = Readonly<Record<string, string>>;
const NO_LABELS: Labels = {};

/** What a spec was encoded to last, for which namespace and labels. */
interface Encoded {
  readonly namespace: string;
  readonly labels: Labels;
  readonly template: PodTemplate;
}

export class PodEncoder {
  readonly #templates: TemplateTable;
  readonly #selectors: Selectors;
  readonly #binder: VolumeBinder;
  readonly #claims: ClaimLookup;
  readonly #encoded = new WeakMap<PodSpec, Encoded>();

  /** @param look how services, volumes and claims to devices are found */
  constructor(
    templates: TemplateTable,
    look: {
      readonly selectors: Selectors;
      readonly binder: VolumeBinder;
      readonly claims: ClaimLookup;
    },
  ) {
    this.#templates = templates;
    this.#selectors = look.selectors;
    this.#binder = look.binder;
    this.#claims = look.claims;
  }

  /** @returns the row of a pod that waits for a node. */
  waiting(pod: Pod): PodRow {
    const spreadSelector = defaultSelector(pod, this.#selectors);
    const volumes = this.#binder.resolve(pod).needs;
    const devices = resolveClaims(pod, this.#claims);
    const isPlain = spreadSelector.length === 0 && volumes === NO_VOLUMES &&
      devices === NO_DEVICES;
    if (!isPlain || hasRun(pod)) {
      const context = { spreadSelector, volumes, devices };
      return encodePod(pod, this.#templates.intern(encodeSpec(pod, context)));
    }
    const { namespace = "", labels = NO_LABELS } = pod.metadata;
    const before = this.#encoded.get(pod.spec);
    if (before?.namespace === namespace && sameLabels(before.labels, labels)) {
      return encodePod(pod, before.template);
    }
    const template = this.#templates.intern(encodeSpec(pod));
    this.#encoded.set(pod.spec, { namespace, labels, template });
    return encodePod(pod, template);
  }

  /**
   * @param old the pod before the change that brought it here, undefined for one that is new
   * @param known its row so far
   * @returns the row of a pod that has its node
   */
  assigned(pod: Pod, old?: Pod, known?: PodRow): PodRow {
    if (!usesClaims(pod) && old !== undefined && known !== undefined && demandsTheSame(old, pod)) {
      return encodePod(pod, known.template);
    }
    const volumes = this.#binder.resolve(pod).needs;
    return encodePod(pod, this.#templates.intern(encodeSpec(pod, { volumes })));
  }
}

/** Whether its containers may hold something else than they ask for. */
function hasRun({ status }: Pod): boolean {
  return status?.containerStatuses !== undefined ||
    status?.initContainerStatuses !== undefined || status?.resources !== undefined;
}

/** Whether two versions of a pod differ in nothing that its template is made of. */
function demandsTheSame(old: Pod, now: Pod): boolean {
  if (old.metadata.labels !== now.metadata.labels) return false;
  if (old.status !== now.status && (hasRun(old) || hasRun(now))) return false;
  if (old.spec === now.spec) return true;
  const before: Readonly<Record<string, unknown>> = { ...old.spec, nodeName: now.spec.nodeName };
  const after: Readonly<Record<string, unknown>> = { ...now.spec };
  const fields = Object.keys(after);
  return fields.length === Object.keys(before).length &&
    fields.every((field) => before[field] === after[field]);
}

function sameLabels(a: Labels, b: Labels): boolean {
  if (a === b) return true;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
