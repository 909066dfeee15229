/**
 * From a definition to the rows of the resources that it defines, one for each served version.
 * In: an established definition. Out: rows that every verb takes like those of the table.
 * Never: the store. Source: apiextensions-apiserver's registry/customresource/strategy.go and
 * apiserver/customresource_handler.go (v1.36).
 */
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
} from "../../api/kinds/extensions/custom_resource_definition.ts";
import type { KubeObject } from "../../api/meta.ts";
import { equalJson } from "../../api/patch/json_patch.ts";
import type { CustomType, FieldError, Resource, Rules, Subresource } from "../../api/resource.ts";
import { ALL_VERBS, PART_VERBS, scaleOf } from "../../api/row.ts";
import { checkDecoded, type CheckedDecode } from "../../api/schema/strict.ts";
import { columnsOf } from "./columns.ts";
import { type Conversion, storedAsOf } from "./convert.ts";
import { parseJsonPath } from "./json_path.ts";
import { dropNulls, pruneObject, type Schema, setDefaults } from "./schema/prune.ts";
import { SchemaRules } from "./schema/rules.ts";
import { shapeOfObject } from "./schema/shape.ts";
import { validateLists, validateValue } from "./schema/validate.ts";

const META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

export type Version = CustomResourceDefinitionVersion;

/** What a condition of a definition says; false where it says nothing. */
export function isTrue(definition: CustomResourceDefinition, type: string): boolean {
  return (definition.status?.conditions ?? [])
    .some((condition) => condition.type === type && condition.status === "True");
}

/** The rows of an established definition, by version in the order of its spec. */
export function rowsOf(definition: CustomResourceDefinition, conversion: Conversion): Resource[] {
  if (!isTrue(definition, "Established")) return [];
  return definition.spec!.versions
    .filter((version) => version.served)
    .map((version) => rowOf(definition, version, conversion));
}

/** @returns `io.example.v1.Widget` for a Widget of example.io/v1. */
export function customTypeName(group: string, version: string, kind: string): string {
  return [...group.split(".").reverse(), version, kind].join(".");
}

function rowOf(
  definition: CustomResourceDefinition,
  version: Version,
  conversion: Conversion,
): Resource {
  const { spec, status, metadata } = definition;
  const { group, scope } = spec!;
  const names = status!.acceptedNames!;
  const kind = names.kind;
  const typeName = customTypeName(group, version.name, kind);
  const isTerminating = metadata.deletionTimestamp !== undefined;
  const schema: Schema = version.schema?.openAPIV3Schema ?? { type: "object" };
  const hasStatus = version.subresources?.status !== undefined;
  const custom: CustomType = {
    asksWebhook: spec!.conversion?.strategy === "Webhook",
    check: (object) => checkObject(schema, object as Record<string, unknown>),
    shape: shapeOfObject(schema),
    schema: schema as Readonly<Record<string, unknown>>,
    ...scalePaths(version),
  };
  const storedAs = storedAsOf({ definition, version, schema, conversion });
  return {
    group,
    version: version.name,
    kind,
    plural: names.plural,
    singular: names.singular ?? "",
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: scope === "Namespaced",
    typeName,
    verbs: isTerminating ? ALL_VERBS.filter((verb) => verb !== "create") : ALL_VERBS,
    subresources: subresourcesOf(version, { group, kind, typeName, custom }),
    rules: rulesOf(version, schema, hasStatus),
    custom,
    ...(storedAs === undefined ? {} : { storedAs }),
    ...deprecationOf(group, version, kind),
  };
}

function subresourcesOf(
  version: Version,
  of: Pick<Resource, "group" | "kind" | "typeName"> & { readonly custom: CustomType },
): Subresource[] {
  const parts: Subresource[] = [];
  if (version.subresources?.status !== undefined) {
    parts.push({ ...of, name: "status", version: version.name, verbs: PART_VERBS });
  }
  if (version.subresources?.scale !== undefined) parts.push(scaleOf());
  return parts;
}

function deprecationOf(
  group: string,
  { name, deprecated, deprecationWarning }: Version,
  kind: string,
): Pick<Resource, "deprecation"> {
  if (deprecated !== true) return {};
  return { deprecation: deprecationWarning ?? `${group}/${name} ${kind} is deprecated` };
}

/** `.spec.replicas` -> ["spec", "replicas"] */
function namesOf(path: string): readonly string[] {
  return path.split(".").slice(1);
}

function scalePaths({ subresources }: Version): Pick<CustomType, "scale"> {
  const scale = subresources?.scale;
  if (scale === undefined) return {};
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = scale;
  return {
    scale: {
      specReplicas: namesOf(specReplicasPath),
      statusReplicas: namesOf(statusReplicasPath),
      ...(labelSelectorPath ? { labelSelector: namesOf(labelSelectorPath) } : {}),
    },
  };
}

/** The header is the API server's to check, the rest is tidied as the schema says. */
function checkObject(schema: Schema, object: Record<string, unknown>): CheckedDecode {
  const unknown: string[] = [];
  const { metadata } = object;
  if (metadata !== undefined && metadata !== null) {
    const checked = checkDecoded(META, metadata);
    if (checked.kind === "error") return checked;
    unknown.push(...checked.unknown.map((text) => text.replace('field "', 'field "metadata.')));
  }
  pruneObject(schema, object, (path) => {
    if (unknown.length < MAX_REPORTED) unknown.push(`unknown field ${JSON.stringify(path)}`);
  });
  return { kind: "ok", value: object, unknown };
}

const MAX_REPORTED = 100;

/** All but the header, which its own rules judge. */
function bodyOf(object: KubeObject): Record<string, unknown> {
  const { metadata, ...rest } = object;
  const { name, generateName } = metadata;
  // A schema may ask something of the name.
  return { ...rest, metadata: { name, ...(generateName ? { generateName } : {}) } };
}

function rulesOf(version: Version, schema: Schema, hasStatus: boolean): Rules {
  const rules = new SchemaRules(schema);
  const validate = (draft: KubeObject, old: KubeObject | undefined): FieldError[] => {
    const value = bodyOf(draft);
    const before = old === undefined ? undefined : bodyOf(old);
    const errors = validateValue(schema, value, before);
    if (errors.length > 0) return errors;
    const lists = validateLists(schema, value);
    const broken = before === undefined
      ? lists
      : lists.filter(({ path }) =>
        !validateLists(schema, before).some((known) => known.path === path)
      );
    return broken.length > 0 ? broken : rules.check(value, before);
  };
  return {
    setDefaults: (draft) => {
      pruneObject(schema, draft);
      dropNulls(schema, draft);
      setDefaults(schema, draft);
    },
    prepareForCreate: (draft) => {
      if (hasStatus) delete draft.status;
      draft.metadata.generation = 1;
    },
    prepareForUpdate: (draft, old) => {
      if (hasStatus) restore(draft, old, "status");
    },
    prepareForStatusUpdate: keepAllButStatus,
    isNewGeneration: (draft, old) => {
      const names = new Set([...Object.keys(draft), ...Object.keys(old)]);
      names.delete("metadata");
      if (hasStatus) names.delete("status");
      return [...names].some((name) => !equalJson(draft[name], old[name]));
    },
    generationFields: [],
    validateCreate: (draft) => validate(draft, undefined),
    validateUpdate: validate,
    validateStatusUpdate: validate,
    columns: columnsOf(version),
    selectableFields: selectableFieldsOf(version),
  };
}

function restore(draft: KubeObject, old: KubeObject, field: string): void {
  if (old[field] === undefined) delete draft[field];
  else draft[field] = old[field];
}

function keepAllButStatus(draft: KubeObject, old: KubeObject): void {
  for (const field of new Set([...Object.keys(draft), ...Object.keys(old)])) {
    if (field !== "status" && field !== "metadata") restore(draft, old, field);
  }
  const { managedFields } = draft.metadata;
  draft.metadata = { ...old.metadata };
  if (managedFields === undefined) delete draft.metadata.managedFields;
  else draft.metadata.managedFields = managedFields;
}

function selectableFieldsOf(version: Version): NonNullable<Rules["selectableFields"]> {
  return Object.fromEntries((version.selectableFields ?? []).map(({ jsonPath }) => {
    const path = parseJsonPath(jsonPath);
    const read = (object: KubeObject) => {
      const [value] = path.kind === "path" ? path.find(object) : [];
      return value === undefined || value === null ? "" : String(value);
    };
    return [jsonPath.replace(/^\./, ""), read];
  }));
}
