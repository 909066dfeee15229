/**
 * Specs that many objects have in common: kept once, checked once, encoded once.
 * In: specs of drafts that passed their checks. Out: the one frozen spec equal to another, its
 * JSON.
 * Never: shares between resources, or keeps more than its limit; a forgotten spec is checked again.
 */
import { encodeUtf8 } from "../../api/text/utf8.ts";
import { deepFreeze } from "../registry.ts";
import type { KnownSpec } from "./stored_bytes.ts";

/** Characters of JSON kept at most. */
const LIMIT_CHARACTERS = 8 * 1024 * 1024;

/** JSON of shared specs; other objects that hold a shared spec find it here too. */
const encoded = new WeakMap<object, KnownSpec>();

/** @returns the JSON of a spec where it is known. */
export function sharedJson(spec: unknown): KnownSpec | undefined {
  return typeof spec === "object" && spec !== null ? encoded.get(spec) : undefined;
}

export class SharedSpecs {
  readonly #specs = new Map<string, object>();
  #characters = 0;

  /** @param text JSON of the spec wanted. @returns the shared one, undefined when it is new. */
  find(text: string): object | undefined {
    return this.#specs.get(text);
  }

  /** Shares a spec from now on; it is frozen. @param text its JSON */
  add(text: string, spec: object): void {
    if (this.#characters + text.length > LIMIT_CHARACTERS) {
      this.#specs.clear();
      this.#characters = 0;
    }
    this.#characters += text.length;
    this.#specs.set(text, deepFreeze(spec));
    encoded.set(spec, { bytes: encodeUtf8(text), tail: "" });
  }
}
