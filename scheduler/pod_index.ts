/**
 * Counts of pods by row, kept up to date as pods come and go: how many match a selector, and how
 * many carry an affinity term. Spreading and pod affinity read these columns instead of pods.
 * In: pods placed on rows. Out: `Int32Array[rows]` counters.
 * Never: keeps more than `MAX_COUNTERS` selectors; the one unused longest is dropped and recounted
 * when asked for again. Columns of terms vanish with the last pod that carries the term.
 */

import type { Labels, PodRow, PodSpecRow, PodTemplate, PodTerm, Requirement } from "./pod_row.ts";
import { matchesLabels } from "./selector.ts";
import { grown } from "./structures/columns.ts";

export const MAX_COUNTERS = 512;

/** Which pods a counter counts. */
export interface PodQuery {
  /** null = any namespace. */
  readonly namespaces: readonly string[] | null;
  /** Every selector must match. */
  readonly selectors: readonly (readonly Requirement[])[];
  readonly skipTerminating: boolean;
}

/** Pods matching a query, by row. */
export interface PodCounter {
  readonly key: string;
  readonly query: PodQuery;
  counts: Int32Array;
  total: number;
  /** False once dropped: it counts no longer. */
  live: boolean;
}

export type TermKind = "requiredAnti" | "required" | "preferred" | "preferredAnti";

/** Pods carrying one affinity term, by row. */
export interface TermColumn {
  readonly key: string;
  readonly kind: TermKind;
  readonly term: PodTerm;
  /** 1..100 for preferred terms, 0 for required ones. */
  readonly weight: number;
  counts: Int32Array;
  total: number;
}

/** What the index needs of the table around it. */
export interface PodSource {
  readonly capacity: number;
  readonly rows: number;
  podsAt(row: number): readonly PodRow[];
}

/** @returns whether a pod of this spec is one that the query counts. */
export function matchesQuery(query: PodQuery, spec: PodSpecRow): boolean {
  if (query.namespaces !== null && !query.namespaces.includes(spec.namespace)) return false;
  return query.selectors.every((selector) => matchesLabels(selector, spec.labels));
}

/** @returns whether a pod term means a pod of this spec, whose namespace has these labels. */
export function matchesTerm(term: PodTerm, spec: PodSpecRow, namespaceLabels: Labels): boolean {
  const inNamespace = term.namespaces.includes(spec.namespace) ||
    (term.namespaceSelector !== null && matchesLabels(term.namespaceSelector, namespaceLabels));
  return inNamespace && matchesLabels(term.selector, spec.labels);
}

interface TemplateTerm {
  readonly key: string;
  readonly kind: TermKind;
  readonly term: PodTerm;
  readonly weight: number;
}

function termsOf(spec: PodSpecRow): readonly TemplateTerm[] {
  const named = (kind: TermKind, term: PodTerm, weight: number): TemplateTerm => ({
    key: `${kind}/${weight}/${JSON.stringify(term)}`,
    kind,
    term,
    weight,
  });
  return [
    ...spec.requiredAntiAffinity.map((term) => named("requiredAnti", term, 0)),
    ...spec.requiredAffinity.map((term) => named("required", term, 0)),
    ...spec.preferredAffinity.map(({ term, weight }) => named("preferred", term, weight)),
    ...spec.preferredAntiAffinity.map(({ term, weight }) => named("preferredAnti", term, weight)),
  ];
}

const NO_TERMS: readonly TemplateTerm[] = [];

function hasOwnTerms(spec: PodSpecRow): boolean {
  return spec.requiredAntiAffinity.length > 0 || spec.requiredAffinity.length > 0 ||
    spec.preferredAffinity.length > 0 || spec.preferredAntiAffinity.length > 0;
}

/** Selector counters and term columns over the rows of one table. */
export class PodIndex {
  /** Moves when a term column comes or goes. */
  termSetGeneration = 0;
  readonly #source: PodSource;
  /** In order of last use, oldest first. */
  readonly #counters = new Map<string, PodCounter>();
  readonly #terms = new Map<string, TermColumn>();
  #termsOf = new WeakMap<PodTemplate, readonly TemplateTerm[]>();
  /** Counters that match a template; emptied whenever the set of counters changes. */
  #countersOf = new WeakMap<PodTemplate, readonly PodCounter[]>();

  constructor(source: PodSource) {
    this.#source = source;
  }

  /** @returns the live counter of a query, counting all pods when it is new. */
  counter(query: PodQuery): PodCounter {
    const key = JSON.stringify(query);
    let counter = this.#counters.get(key);
    if (counter !== undefined) {
      this.#counters.delete(key);
      this.#counters.set(key, counter);
      return counter;
    }
    counter = { key, query, counts: new Int32Array(this.#source.capacity), total: 0, live: true };
    this.#countAll(counter);
    this.#counters.set(key, counter);
    if (this.#counters.size > MAX_COUNTERS) {
      const oldest = this.#counters.values().next().value!;
      oldest.live = false;
      this.#counters.delete(oldest.key);
    }
    this.#countersOf = new WeakMap();
    return counter;
  }

  /** Marks a counter as used just now. */
  touch(counter: PodCounter): void {
    if (this.#counters.size <= MAX_COUNTERS / 2) return;
    this.#counters.delete(counter.key);
    this.#counters.set(counter.key, counter);
  }

  /** Every affinity term that some placed pod carries. */
  terms(): Iterable<TermColumn> {
    return this.#terms.values();
  }

  /** Whether any placed pod carries a term of the kind. */
  hasTerms(): boolean {
    return this.#terms.size > 0;
  }

  /** @returns the columns of terms that mean pods of this spec, in the order they came. */
  termsMeaning(spec: PodSpecRow, namespaceLabels: Labels): TermColumn[] {
    const meaning: TermColumn[] = [];
    for (const column of this.#terms.values()) {
      if (matchesTerm(column.term, spec, namespaceLabels)) meaning.push(column);
    }
    return meaning;
  }

  /** Called by the table when a pod is put on a row (1) or taken off it (-1). */
  change(pod: PodRow, row: number, sign: 1 | -1): void {
    for (const counter of this.#matching(pod.template)) {
      if (counter.query.skipTerminating && pod.terminating) continue;
      counter.counts[row] += sign;
      counter.total += sign;
    }
    const terms = this.#templateTerms(pod.template);
    if (terms.length > 0) this.#changeTerms(terms, row, sign);
  }

  grow(capacity: number): void {
    for (const counter of this.#counters.values()) {
      counter.counts = grown(counter.counts, capacity);
    }
    for (const column of this.#terms.values()) column.counts = grown(column.counts, capacity);
  }

  #changeTerms(terms: readonly TemplateTerm[], row: number, sign: 1 | -1): void {
    for (const { key, kind, term, weight } of terms) {
      let column = this.#terms.get(key);
      if (column === undefined) {
        const counts = new Int32Array(this.#source.capacity);
        column = { key, kind, term, weight, counts, total: 0 };
        this.#terms.set(key, column);
        this.termSetGeneration++;
      }
      column.counts[row] += sign;
      column.total += sign;
      if (column.total !== 0) continue;
      this.#terms.delete(key);
      this.termSetGeneration++;
    }
  }

  #countAll(counter: PodCounter): void {
    const { query, counts } = counter;
    const known = new Map<PodTemplate, boolean>();
    for (let row = 0; row < this.#source.rows; row++) {
      for (const pod of this.#source.podsAt(row)) {
        if (query.skipTerminating && pod.terminating) continue;
        let matches = known.get(pod.template);
        if (matches === undefined) {
          matches = matchesQuery(query, pod.template.spec);
          known.set(pod.template, matches);
        }
        if (!matches) continue;
        counts[row]++;
        counter.total++;
      }
    }
  }

  #matching(template: PodTemplate): readonly PodCounter[] {
    if (this.#counters.size === 0) return [];
    let counters = this.#countersOf.get(template);
    if (counters === undefined) {
      counters = [...this.#counters.values()].filter(({ query }) =>
        matchesQuery(query, template.spec)
      );
      this.#countersOf.set(template, counters);
    }
    return counters;
  }

  #templateTerms(template: PodTemplate): readonly TemplateTerm[] {
    if (!hasOwnTerms(template.spec)) return NO_TERMS;
    let terms = this.#termsOf.get(template);
    if (terms === undefined) {
      terms = termsOf(template.spec);
      this.#termsOf.set(template, terms);
    }
    return terms;
  }
}
