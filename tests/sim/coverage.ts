/**
 * What a run exercised, so that a simulation that tests nothing is noticed.
 * In: counts while it runs. Out: one sum over many runs, and its lines.
 * Never: influences the run.
 */

export class Coverage {
  runs = 0;
  simulatedMillis = 0;
  events = 0;
  operations = 0;
  acknowledged = 0;
  unknown = 0;
  elections = 0;
  snapshotsWritten = 0;
  snapshotsInstalled = 0;
  snapshotsResumed = 0;
  /** Log indexes of applied changes of membership, by run. */
  confChanges = new Set<number>();
  membershipChanges = 0;
  leaderTransfers = 0;
  leasesGranted = 0;
  leasesExpired = 0;
  watches = 0;
  watchEvents = 0;
  watchResumes = 0;
  progressNotices = 0;
  compactions = 0;
  autoCompactions = 0;
  alarmsRaised = 0;
  authChanges = 0;
  /** Requests that an alarm or auth refused. */
  refusedByRule = 0;
  messages = 0;
  messagesLost = 0;
  messagesDoubled = 0;
  messagesReordered = 0;
  /** Searches of the per-key linearizability checker, and those it gave up. */
  keysSearched = 0;
  searchesGivenUp = 0;
  readonly faults = new Map<string, number>();

  fault(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }

  /** Ends a run: what was counted apart goes into the sums. */
  close(): void {
    this.membershipChanges += this.confChanges.size;
    this.confChanges = new Set();
  }

  add(other: CoverageData): void {
    for (const [name, value] of Object.entries(other.sums)) {
      const sums = this as unknown as Record<string, number>;
      sums[name] = (sums[name] ?? 0) + value;
    }
    for (const [kind, count] of other.faults) {
      this.faults.set(kind, (this.faults.get(kind) ?? 0) + count);
    }
  }

  /** @returns plain data for another thread */
  toData(): CoverageData {
    const sums: Record<string, number> = {};
    for (const [name, value] of Object.entries(this)) {
      if (typeof value === "number") sums[name] = value;
    }
    return { sums, faults: [...this.faults] };
  }

  format(): string {
    const words = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    const lines = Object.entries(this.toData().sums)
      .filter(([name]) => name !== "simulatedMillis")
      .map(([name, value]) => `  ${words(name).padEnd(22)} ${Math.round(value)}`);
    const faults = [...this.faults].sort().map(([kind, count]) => `${kind} ${count}`);
    return [...lines, `  faults                 ${faults.join(", ")}`].join("\n");
  }
}

export interface CoverageData {
  readonly sums: Record<string, number>;
  readonly faults: readonly (readonly [string, number])[];
}
