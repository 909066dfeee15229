/**
 * The selectors of a list, watch or delete-collection as one predicate over stored objects.
 * In: a resource, a namespace, selector texts. Out: a Selection for the cache.
 * Never: reads objects. Errors: throws ApiError 400 with upstream's words.
 */
import {
  compileFieldSelector,
  parseFieldSelector,
  requiredValue,
} from "../../api/field_selector.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import { matchesLabels, parseLabelSelector } from "../../api/selector.ts";
import { badRequest } from "../../api/status.ts";
import type { Selection } from "../cache/watcher.ts";
import { storageKey } from "../registry.ts";
import { prefixOf } from "./core.ts";

export interface SelectorTexts {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** Fields whose value the caches index, by plural. */
export const INDEXED_FIELDS: Readonly<Record<string, string>> = { pods: "spec.nodeName" };

export function selectionOf(
  target: { readonly resource: Resource; readonly namespace: string; readonly name?: string },
  texts: SelectorTexts,
): Selection {
  const { resource } = target;
  const tests: ((object: KubeObject) => boolean)[] = [];
  let name = target.name ?? "";
  let namespace = target.namespace;
  let indexValue: string | undefined;
  if (texts.labelSelector) {
    const parsed = parseLabelSelector(texts.labelSelector);
    if (parsed.kind === "error") throw badRequest(parsed.message);
    tests.push((object) => matchesLabels(parsed.selector, object.metadata.labels));
  }
  if (texts.fieldSelector) {
    const compiled = compileFieldSelector(resource, texts.fieldSelector);
    if (compiled.kind === "error") throw badRequest(compiled.message);
    tests.push(compiled.selector);
    const parsed = parseFieldSelector(texts.fieldSelector);
    if (parsed.kind === "ok") {
      name ||= requiredValue(parsed.selector, "metadata.name") ?? "";
      namespace ||= requiredValue(parsed.selector, "metadata.namespace") ?? "";
      const field = resource.group === "" ? INDEXED_FIELDS[resource.plural] : undefined;
      if (field !== undefined) indexValue = requiredValue(parsed.selector, field);
    }
  }
  if (target.name) tests.push((object) => object.metadata.name === target.name);
  return {
    keyPrefix: prefixFor(resource, namespace, name),
    ...(indexValue === undefined ? {} : { indexValue }),
    ...matchesOf(resource, tests),
  };
}

function prefixFor(resource: Resource, namespace: string, name: string): string {
  const prefix = prefixOf(resource);
  if (!resource.namespaced) return prefix + name;
  return namespace === "" ? prefix : storageKey(prefix, namespace, name);
}

function matchesOf(
  resource: Resource,
  tests: readonly ((object: KubeObject) => boolean)[],
): Pick<Selection, "matches"> {
  if (tests.length === 0) return {};
  const all = tests.length === 1
    ? tests[0]
    : (object: KubeObject) => tests.every((test) => test(object));
  const view = resource.storedAs?.fromStored;
  return { matches: view === undefined ? all : (stored) => all(view(stored)) };
}
