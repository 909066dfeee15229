/**
 * What a row of the table of resources says: names, scope, verbs, and the kind's own rules.
 * In: nothing. Out: types only; rows stand in `resources.ts`, rules in one file per kind.
 * Never: I/O. Source: upstream's registry strategies and discovery documents (v1.36).
 */
import type { KubeObject, UserInfo } from "./meta.ts";
import type { Shape } from "./patch/apply/shape.ts";
import type { CheckedDecode } from "./schema/strict.ts";

/** One problem with one field; `status.ts` words it as upstream does. */
export interface FieldError {
  readonly type:
    | "required"
    | "invalid"
    | "notSupported"
    | "duplicate"
    | "forbidden"
    | "tooLong"
    | "tooMany"
    | "typeInvalid"
    | "notFound"
    | "internal";
  /** `spec.containers[0].name` */
  readonly path: string;
  readonly value?: unknown;
  readonly detail: string;
}

/** One column of a Table answer, as kubectl prints it. */
export interface TableColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  readonly format?: "name" | "int32" | "int64" | "";
  readonly description: string;
  /** 0 = always shown, 1 = only with `-o wide`. */
  readonly priority: 0 | 1;
  /** @param nowMillis wall clock, for ages. */
  readonly cell: (object: KubeObject, nowMillis: number) => string | number | boolean | null;
}

/** Context that rules need but must not read by themselves. */
export interface RuleContext {
  /** Wall clock, milliseconds since 1970. */
  readonly nowMillis: number;
  /** A fresh random UUID. */
  readonly newUid: () => string;
  /** Who asks, where a kind records it. */
  readonly user?: UserInfo;
}

/** How a subresource that writes a corner of the object does it. */
export interface PartRules {
  /** Puts everything back but what the subresource is for. */
  readonly prepare: (draft: KubeObject, old: KubeObject, context?: RuleContext) => void;
  /** Runs after the kind's `validate`, instead of its `validateUpdate`. */
  readonly validateUpdate?: (draft: KubeObject, old: KubeObject) => FieldError[];
}

/** A kind's own rules. All work on a private, mutable draft and are synchronous. */
export interface Rules {
  /** Fills defaults as upstream's defaulting functions do. */
  readonly setDefaults?: (draft: KubeObject) => void;
  /** Clears what a creator may not set (status, generation…). */
  readonly prepareForCreate?: (draft: KubeObject, context: RuleContext) => void;
  /** Restores what an updater may not change (status…) and bumps nothing: generation is generic. */
  readonly prepareForUpdate?: (draft: KubeObject, old: KubeObject, context: RuleContext) => void;
  /** For the status subresource. Default: all but status and a little metadata from `old`. */
  readonly prepareForStatusUpdate?: (
    draft: KubeObject,
    old: KubeObject,
    context?: RuleContext,
  ) => void;
  readonly validate?: (draft: KubeObject) => FieldError[];
  /** Runs on create instead of `validate`. */
  readonly validateCreate?: (draft: KubeObject) => FieldError[];
  /** Only what the change itself breaks; `validate` runs on every update as well. */
  readonly validateUpdate?: (draft: KubeObject, old: KubeObject) => FieldError[];
  readonly validateStatusUpdate?: (draft: KubeObject, old: KubeObject) => FieldError[];
  /** By the subresource's name: `approval`, `resize`… */
  readonly parts?: Readonly<Record<string, PartRules>>;
  /** Extra field selectors beside metadata.name and metadata.namespace. */
  readonly selectableFields?: Readonly<Record<string, (object: KubeObject) => string>>;
  readonly columns?: readonly TableColumn[];
  /** Seconds of grace a delete gets when it names none; absent = immediate removal. */
  readonly defaultGraceSeconds?: (object: KubeObject) => number;
  /** What happens to dependents when a delete names no propagation. */
  readonly defaultPropagation?: "Background" | "Orphan";
  /** metadata.generation moves when these top-level fields change. Default: ["spec"]. */
  readonly generationFields?: readonly string[];
  /** Decides instead of `generationFields` whether an update is a new generation. */
  readonly isNewGeneration?: (draft: KubeObject, old: KubeObject) => boolean;
  /** Finalizers that every deletion waits for. */
  readonly deletionFinalizers?: readonly string[];
  readonly validateName?:
    | "dns1123Subdomain"
    | "dns1123Label"
    | "dns1035Label"
    | "pathSegment"
    | "ipAddress";
}

/** A type that no generated table describes: what the schema of its definition says. */
export interface CustomType {
  /** Whether a webhook converts between the versions, so that objects have to be waited for. */
  readonly asksWebhook: boolean;
  /** Drops what the schema does not know; tidies and checks the header. */
  readonly check: (object: object) => CheckedDecode;
  /** How it merges under server-side apply. */
  readonly shape: Shape;
  /** The schema of the whole object, for OpenAPI documents. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** Where the scale subresource finds its numbers: names from the root. */
  readonly scale?: {
    readonly specReplicas: readonly string[];
    readonly statusReplicas: readonly string[];
    readonly labelSelector?: readonly string[];
  };
}

export interface Resource {
  /** "" for core. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** Key of the type in the generated field tables. */
  readonly typeName: string;
  readonly verbs: readonly Verb[];
  readonly subresources: readonly Subresource[];
  readonly rules: Rules;
  /** Set for a resource that a definition describes. */
  readonly custom?: CustomType;
  /** A client's row of a custom resource, which names it and knows none of its rules. */
  readonly isStandIn?: true;
  /** What whoever uses it is warned of: `v1 Endpoints is deprecated in v1.33+; use …`. */
  readonly deprecation?: string;
  /** Set where the objects are kept as those of another resource: one store, two faces. */
  readonly storedAs?: {
    readonly group: string;
    readonly version: string;
    readonly plural: string;
    /** From what is kept to what this resource serves. Shares unchanged parts. */
    readonly fromStored: (stored: KubeObject) => KubeObject;
    /** From what a client sent (defaulted, validated) to what is kept. */
    readonly toStored: (object: KubeObject) => KubeObject;
  };
}

export type Verb =
  | "create"
  | "get"
  | "list"
  | "watch"
  | "update"
  | "patch"
  | "delete"
  | "deletecollection";

export interface Subresource {
  /** "status", "scale", "binding", "log", "exec", … */
  readonly name: string;
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly typeName: string;
  readonly verbs: readonly Verb[];
  /** How it prints, where it is of a type of its own. */
  readonly columns?: readonly TableColumn[];
  /** Set where it is the whole of a custom object. */
  readonly custom?: CustomType;
}
