/**
 * What must hold in every Raft group after every step, whatever the network and the disks did.
 * In: the cores of a group, and the entries they apply. Out: nothing, or the broken invariant.
 * Never: changes a core; is part of a running member.
 * Source: figure 3.2 of Ongaro's thesis; the checker's place is borrowed from LogCabin.
 */
import type { Entry, RaftCore } from "./types.ts";

/** What the checker remembers of one core, to look only at what changed. */
interface Seen {
  readonly core: RaftCore;
  term: number;
  commit: number;
  applied: number;
  /** Terms of the log as last checked, by index. */
  readonly terms: number[];
  /** The leadership whose completeness was checked, 0 when none. */
  ledTerm: number;
}

interface Committed {
  readonly term: number;
  /** The smallest term in which a member was seen to know of the commit. */
  knownInTerm: number;
}

/** Watches one group; call `check` after every step and `applied` for whatever a member applies. */
export class InvariantChecker {
  readonly #leaders = new Map<number, bigint>();
  /** For each (index, term): the term of the entry before it. */
  readonly #previousTerms: (Map<number, number> | undefined)[] = [];
  readonly #committed: (Committed | undefined)[] = [];
  readonly #applied: (Entry | undefined)[] = [];
  readonly #seen = new Map<bigint, Seen>();

  /** The largest index that any member has known to be committed. */
  get maxCommitted(): number {
    return Math.max(0, this.#committed.length - 1);
  }

  /**
   * Checks election safety, log matching, leader completeness and that marks only grow.
   * @param cores every running member; a restarted one is a new object
   * Errors: throws, naming the invariant, when one is broken.
   */
  check(cores: Iterable<RaftCore>): void {
    const all = Array.isArray(cores) ? cores as readonly RaftCore[] : [...cores];
    for (const core of all) {
      const seen = this.#see(core);
      this.#checkMarks(seen);
      this.#checkElection(core);
      this.#checkLog(seen);
      this.#checkCommitted(seen, all);
      this.#checkCompleteness(seen);
    }
  }

  /**
   * State-machine safety: nobody applies another entry at an index, or skips one.
   * @param id who applied
   * @param entries in the order they were applied
   */
  applied(id: bigint, entries: readonly Entry[]): void {
    for (const entry of entries) {
      const other = this.#applied[entry.index];
      if (other === undefined) {
        this.#applied[entry.index] = entry;
        continue;
      }
      const same = other.term === entry.term && other.kind === entry.kind &&
        sameBytes(other.data, entry.data);
      if (!same) {
        throw broken(`state-machine safety: ${id} applies another entry at ${entry.index}`);
      }
    }
  }

  #see(core: RaftCore): Seen {
    let seen = this.#seen.get(core.id);
    if (seen === undefined || seen.core !== core) {
      seen = { core, term: 0, commit: 0, applied: 0, terms: [], ledTerm: 0 };
      this.#seen.set(core.id, seen);
    }
    return seen;
  }

  #checkMarks(seen: Seen): void {
    const { id, term, commit, applied, lastIndex } = seen.core;
    if (term < seen.term) throw broken(`monotonic term: ${id} fell to ${term}`);
    if (commit < seen.commit) throw broken(`monotonic commit: ${id} fell to ${commit}`);
    if (applied < seen.applied) throw broken(`monotonic applied: ${id} fell to ${applied}`);
    if (commit > lastIndex) throw broken(`commit inside the log of ${id}`);
    if (applied > commit) throw broken(`${id} applies only what is committed`);
    seen.term = term;
    seen.commit = commit;
    seen.applied = applied;
  }

  #checkElection(core: RaftCore): void {
    if (core.role !== "leader") return;
    const leader = this.#leaders.get(core.term);
    if (leader === undefined) this.#leaders.set(core.term, core.id);
    else if (leader !== core.id) {
      throw broken(`election safety: ${leader} and ${core.id} both lead term ${core.term}`);
    }
  }

  /**
   * An index and a term name one entry, and with it one predecessor; by induction, logs that share
   * an entry share everything before it. Only what changed since the last check is walked.
   */
  #checkLog(seen: Seen): void {
    const { core, terms } = seen;
    terms.length = Math.min(terms.length, core.lastIndex + 1);
    for (let index = core.lastIndex; index >= core.firstIndex; index--) {
      const term = core.termAt(index);
      if (terms[index] === term) break;
      const previous = core.termAt(index - 1);
      if (previous > term) {
        throw broken(`terms never fall along the log of ${core.id} at ${index}`);
      }
      const byTerm = this.#previousTerms[index] ??= new Map();
      const known = byTerm.get(term);
      if (known === undefined) byTerm.set(term, previous);
      else if (known !== previous) {
        throw broken(`log matching: ${core.id} differs before ${index}/${term}`);
      }
      terms[index] = term;
    }
  }

  /** Members agree on what is committed, and leaders of later terms hold it. */
  #checkCommitted(seen: Seen, all: readonly RaftCore[]): void {
    const { core } = seen;
    for (let index = core.commit; index >= core.firstIndex; index--) {
      const term = core.termAt(index);
      const known = this.#committed[index];
      if (known === undefined) {
        this.#committed[index] = { term, knownInTerm: core.term };
        for (const other of all) {
          if (other.role === "leader" && other.term > core.term) this.#holds(other, index, term);
        }
        continue;
      }
      if (known.term !== term) {
        throw broken(`committed entries agree: ${core.id} differs at ${index}`);
      }
      if (known.knownInTerm <= core.term) break;
      known.knownInTerm = core.term;
    }
  }

  #checkCompleteness(seen: Seen): void {
    const { core } = seen;
    if (core.role !== "leader" || seen.ledTerm === core.term) return;
    seen.ledTerm = core.term;
    for (let index = core.firstIndex; index < this.#committed.length; index++) {
      const known = this.#committed[index];
      if (known !== undefined && known.knownInTerm < core.term) {
        this.#holds(core, index, known.term);
      }
    }
  }

  #holds(leader: RaftCore, index: number, term: number): void {
    if (index < leader.firstIndex - 1 || leader.termAt(index) === term) return;
    throw broken(
      `leader completeness: ${leader.id} leads term ${leader.term} without ${index}/${term}`,
    );
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Made only when something is: the checks run after every step, and texts cost more than they. */
function broken(invariant: string): Error {
  return new Error(`raft invariant broken: ${invariant}`);
}
