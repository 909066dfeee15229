/**
 * What every patch function answers.
 * In: nothing. Out: types.
 * Never: the wording of HTTP; `status.ts` turns a failure into a Status.
 */

/** JSON as it travels. */
// deno-lint-ignore no-explicit-any
export type Json = any;

export type PatchOutcome =
  | { readonly kind: "patched"; readonly value: Json }
  /** The patch document itself is malformed: 400. */
  | { readonly kind: "malformed"; readonly message: string }
  /** More than a patch may ask for: 413. */
  | { readonly kind: "oversized"; readonly message: string }
  /** Well formed, but it can't be applied to this object: 422. */
  | { readonly kind: "unappliable"; readonly message: string };
