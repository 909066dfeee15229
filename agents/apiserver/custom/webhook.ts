/**
 * Conversion by webhook: objects are brought to a version before a verb asks for them in it.
 * In: stored objects, drafts. Out: their other faces, remembered for as long as the objects live.
 * Never: takes from an answer a change of identity; of metadata only labels and annotations.
 * Source: apiextensions-apiserver's apiserver/conversion/webhook_converter.go (v1.36).
 */
import {
  type CustomResourceDefinition,
} from "../../api/kinds/extensions/custom_resource_definition.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import { customResourceDefinitions } from "../../api/resources.ts";
import { internalError } from "../../api/status.ts";
import { copyJson, deepFreeze } from "../registry.ts";
import { apiVersionOf, cacheOf, type Core, prefixOf } from "../verbs/core.ts";
import type { Conversion } from "./convert.ts";

const TIMEOUT_SECONDS = 30;
/** Objects in one question. */
const BATCH = 500;

/** What webhooks have made, by the object they were asked about. */
export class WebhookConversion implements Conversion {
  readonly #made = new WeakMap<KubeObject, Map<string, KubeObject>>();

  converted(object: KubeObject, apiVersion: string): KubeObject | undefined {
    return this.#made.get(object)?.get(apiVersion);
  }

  remember(object: KubeObject, made: KubeObject): void {
    const known = this.#made.get(object) ?? new Map<string, KubeObject>();
    known.set(made.apiVersion!, made);
    this.#made.set(object, known);
  }
}

/** Brings stored objects to the version of a row. Errors: rejects with ApiError 500. */
export function convertStored(
  core: Core,
  resource: Resource,
  objects: readonly KubeObject[],
): Promise<void> {
  return convert(core, resource, objects, apiVersionOf(resource));
}

/** Brings a draft to the version that it is kept in. Errors: rejects with ApiError 500. */
export function convertDraft(core: Core, resource: Resource, draft: KubeObject): Promise<void> {
  const { group, version } = resource.storedAs ?? resource;
  return convert(core, resource, [draft], `${group}/${version}`);
}

async function convert(
  core: Core,
  resource: Resource,
  objects: readonly KubeObject[],
  wanted: string,
): Promise<void> {
  const { conversion } = core.custom;
  const waiting = objects.filter((object) =>
    object.apiVersion !== wanted && conversion.converted(object, wanted) === undefined
  );
  for (let at = 0; at < waiting.length; at += BATCH) {
    await ask(core, resource, waiting.slice(at, at + BATCH), wanted);
  }
}

async function ask(
  core: Core,
  resource: Resource,
  objects: readonly KubeObject[],
  wanted: string,
): Promise<void> {
  const fail = (message: string) => {
    const from = objects[0].apiVersion;
    return internalError(
      `conversion webhook for ${from}, Kind=${resource.kind} failed: ${message}`,
    );
  };
  const definition = cacheOf(core, customResourceDefinitions)
    .get(`${prefixOf(customResourceDefinitions)}${resource.plural}.${resource.group}`)
    ?.object as CustomResourceDefinition | undefined;
  const webhook = definition?.spec?.conversion?.webhook;
  if (webhook?.clientConfig === undefined) throw fail("no webhook is configured");
  const uid = core.random.uuid();
  const body = JSON.stringify({
    kind: "ConversionReview",
    apiVersion: "apiextensions.k8s.io/v1",
    request: { uid, desiredAPIVersion: wanted, objects },
  });
  const outcome = await core.webhooks.post(core, webhook.clientConfig, {
    body,
    seconds: TIMEOUT_SECONDS,
  });
  if (outcome.kind === "failed") throw fail(outcome.message);
  const made = readReview(outcome.text, { uid, wanted, count: objects.length });
  if (typeof made === "string") throw fail(made);
  objects.forEach((object, index) => {
    const problem = differs(object, made[index], wanted);
    if (problem !== null) throw fail(`invalid converted object at index ${index}: ${problem}`);
  });
  objects.forEach((object, index) => {
    (core.custom.conversion as WebhookConversion).remember(object, joined(object, made[index]));
  });
}

interface Review {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly response?: {
    readonly uid?: string;
    readonly result?: { readonly status?: string; readonly message?: string };
    readonly convertedObjects?: readonly KubeObject[];
  };
}

/** @returns the objects of an answer, or what is wrong with it */
function readReview(
  text: string,
  asked: { readonly uid: string; readonly wanted: string; readonly count: number },
): readonly KubeObject[] | string {
  let review: Review;
  try {
    review = JSON.parse(text);
  } catch (error) {
    return `invalid response: ${(error as Error).message}`;
  }
  const { response } = review ?? {};
  if (response === undefined || response === null) return "no response provided";
  if (review.kind !== "ConversionReview" || review.apiVersion !== "apiextensions.k8s.io/v1") {
    return `expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got ` +
      `${review.apiVersion}, Kind=${review.kind}`;
  }
  if (response.uid !== asked.uid) return `expected response.uid=${asked.uid}, got ${response.uid}`;
  const { status, message } = response.result ?? {};
  if (status === undefined || status === "") return "response.result.status was missing";
  if (status !== "Success") return message || "response.result.status was '" + status + "'";
  const objects = response.convertedObjects;
  if (!Array.isArray(objects) || objects.length !== asked.count) {
    return `expected ${asked.count} converted objects, got ${objects?.length ?? 0}`;
  }
  return objects;
}

const IDENTITY = ["name", "namespace", "uid"] as const;

function differs(object: KubeObject, made: KubeObject, wanted: string): string | null {
  if (typeof made !== "object" || made === null || typeof made.metadata !== "object") {
    return "it is no object with metadata";
  }
  if (made.apiVersion !== wanted) {
    return `invalid apiVersion ${made.apiVersion}, expected ${wanted}`;
  }
  if (made.kind !== object.kind) return `invalid kind ${made.kind}, expected ${object.kind}`;
  for (const field of IDENTITY) {
    if ((made.metadata[field] ?? "") === (object.metadata[field] ?? "")) continue;
    return `metadata.${field} must not change`;
  }
  return null;
}

/** The converted body under the original's metadata. */
function joined(object: KubeObject, made: KubeObject): KubeObject {
  const { labels, annotations } = made.metadata;
  const metadata = { ...copyJson(object.metadata) };
  delete metadata.labels;
  delete metadata.annotations;
  return deepFreeze({
    ...made,
    metadata: {
      ...metadata,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
  });
}
