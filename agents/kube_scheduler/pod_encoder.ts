/**
 * Rows of pods as they come and change, made from scratch only where something new is to be read.
 * In: pods, the needs of their volumes, what is known of them already, look-ups of services,
 * controllers and claims. Out: `PodRow`s whose templates are interned.
 * Never: trusts that two objects are equal without looking; objects are frozen, so one and the same
 * part has the same content.
 */
import { equalJson } from "../api/patch/json_patch.ts";
import { NO_SURROUNDINGS } from "../../scheduler/mod.ts";
import type { PodRow, PodTemplate, TemplateTable, VolumeNeeds } from "../../scheduler/mod.ts";
import { type ClaimLookup, resolveClaims } from "./devices/pod_claims.ts";
import { encodePod, encodeSpec } from "./encode.ts";
import type { Pod, PodSpec } from "./kinds.ts";
import { defaultSelector, type Selectors } from "./spread_selector.ts";

type Labels = Readonly<Record<string, string>>;
const NO_LABELS: Labels = {};

/** A pod that was read whole, and what its own words come to. */
interface Encoded {
  readonly pod: Pod;
  readonly template: PodTemplate;
}

export class PodEncoder {
  readonly #templates: TemplateTable;
  readonly #selectors: Selectors;
  readonly #claims: ClaimLookup;
  /** By specs, which equal pods may share. */
  readonly #encoded = new WeakMap<PodSpec, Encoded>();
  /** The one encoded last: pods often come in rows of the same kind. */
  #last: Encoded | undefined;

  /** @param look how services and claims to devices are found */
  constructor(
    templates: TemplateTable,
    look: { readonly selectors: Selectors; readonly claims: ClaimLookup },
  ) {
    this.#templates = templates;
    this.#selectors = look.selectors;
    this.#claims = look.claims;
  }

  /** @returns the row of a pod that waits for a node. */
  waiting(pod: Pod, volumes: VolumeNeeds): PodRow {
    const surroundings = {
      defaultSpreadSelector: defaultSelector(pod, this.#selectors),
      volumes,
      devices: resolveClaims(pod, this.#claims),
    };
    return encodePod(pod, this.#templates.vary(this.#templateOf(pod), surroundings));
  }

  /**
   * @param before the pod as it was and its row, as far as there are any
   * @returns the row of a pod that has its node
   */
  assigned(
    pod: Pod,
    volumes: VolumeNeeds,
    { old, known }: { readonly old?: Pod; readonly known?: PodRow } = {},
  ): PodRow {
    const isAsBefore = old !== undefined && known !== undefined && demandTheSame(old, pod) &&
      equalJson(known.template.spec.volumes, volumes);
    if (isAsBefore) return encodePod(pod, known.template);
    const surroundings = { ...NO_SURROUNDINGS, volumes };
    return encodePod(pod, this.#templates.vary(this.#templateOf(pod), surroundings));
  }

  /** @returns the template of what the pod itself says. */
  #templateOf(pod: Pod): PodTemplate {
    if (hasRun(pod)) return this.#templates.intern(encodeSpec(pod));
    const sharing = this.#encoded.get(pod.spec);
    if (sharing !== undefined && demandTheSame(sharing.pod, pod)) return sharing.template;
    if (this.#last !== undefined && demandTheSame(this.#last.pod, pod)) return this.#last.template;
    this.#last = { pod, template: this.#templates.intern(encodeSpec(pod)) };
    this.#encoded.set(pod.spec, this.#last);
    return this.#last.template;
  }
}

/** Whether its containers may hold something else than they ask for. */
function hasRun({ status }: Pod): boolean {
  return status?.containerStatuses !== undefined ||
    status?.initContainerStatuses !== undefined || status?.resources !== undefined;
}

/** Whether two pods, or versions of one, differ in nothing that their own words come to. */
function demandTheSame(a: Pod, b: Pod): boolean {
  const { namespace = "", labels = NO_LABELS } = a.metadata;
  if (namespace !== (b.metadata.namespace ?? "")) return false;
  if (!equalJson(labels, b.metadata.labels ?? NO_LABELS)) return false;
  if (a.status !== b.status && (hasRun(a) || hasRun(b))) return false;
  return a.spec === b.spec || sameDemands(a.spec, b.spec);
}

/** As above. Where a pod is, and which claims it names, is no demand of its own. */
function sameDemands(a: PodSpec, b: PodSpec): boolean {
  let fields = 0;
  for (const name in a) if (!OTHERS.has(name)) fields++;
  for (const name in b) {
    if (OTHERS.has(name)) continue;
    if (!equalJson(a[name as keyof PodSpec], b[name as keyof PodSpec])) return false;
    fields--;
  }
  return fields === 0 && (a.volumes === b.volumes || !hasImages(a) && !hasImages(b));
}

const OTHERS: ReadonlySet<string> = new Set(["nodeName", "volumes"]);

function hasImages({ volumes = [] }: PodSpec): boolean {
  for (const { image } of volumes) if (image !== undefined) return true;
  return false;
}
