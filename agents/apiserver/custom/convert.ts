/**
 * Objects between the version they are kept in and the version a client asks for.
 * In: a definition and one of its versions. Out: the `storedAs` of its row.
 * Never: calls a webhook; what one has answered is found here by the object it was asked about.
 * Source: apiextensions-apiserver's apiserver/conversion (v1.36).
 */
import type { CustomResourceDefinition } from "../../api/kinds/extensions/custom_resource_definition.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import { copyJson, deepFreeze } from "../registry.ts";
import { dropNulls, hasDefaults, pruneObject, type Schema, setDefaults } from "./schema/prune.ts";

/** How a definition's objects change version beside their apiVersion. */
export interface Conversion {
  /** What a webhook made of an object; undefined where none was asked. */
  converted(object: KubeObject, apiVersion: string): KubeObject | undefined;
}

interface Parts {
  readonly definition: CustomResourceDefinition;
  readonly version: { readonly name: string };
  readonly schema: Schema;
  readonly conversion: Conversion;
}

/** @returns undefined where objects are kept just as they are served */
export function storedAsOf(parts: Parts): Resource["storedAs"] {
  const { definition, version, schema, conversion } = parts;
  const { group, versions } = definition.spec!;
  const storage = versions.find((row) => row.storage)!.name;
  const stored = definition.status?.storedVersions ?? [];
  const isPlain = storage === version.name && stored.length === 1 && stored[0] === storage &&
    (definition.metadata.generation ?? 1) === 1;
  if (isPlain) return undefined;
  const shown = new WeakMap<KubeObject, KubeObject>();
  const apiVersion = `${group}/${version.name}`;
  const asksWebhook = definition.spec!.conversion?.strategy === "Webhook";
  return {
    group,
    version: storage,
    plural: definition.spec!.names.plural,
    fromStored: (object) => {
      const known = shown.get(object);
      if (known !== undefined) return known;
      const changed = conversion.converted(object, apiVersion);
      const made = tidied(schema, changed ?? object, apiVersion);
      // What a webhook has not answered yet is shown as it is, for once.
      const isFinal = !asksWebhook || changed !== undefined || object.apiVersion === apiVersion;
      if (isFinal) shown.set(object, made);
      return made;
    },
    toStored: (object) =>
      conversion.converted(object, `${group}/${storage}`) ??
        { ...object, apiVersion: `${group}/${storage}` },
  };
}

/** As the schema of today has it: an object of yesterday may lack defaults and hold old fields. */
function tidied(schema: Schema, object: KubeObject, apiVersion: string): KubeObject {
  const copy = copyJson(object);
  copy.apiVersion = apiVersion;
  pruneObject(schema, copy);
  if (hasDefaults(schema)) {
    dropNulls(schema, copy);
    setDefaults(schema, copy);
  }
  return deepFreeze(copy);
}
