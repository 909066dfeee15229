/**
 * Raised alarms by member, and what may still be done while one stands.
 * In: alarm commands in log order. Out: the list, and failures for requests an alarm forbids.
 * Never: raises an alarm itself; the runner proposes one when its disk or quota says so.
 * Source: etcd's alarm store and its capped and corrupt appliers.
 */
import type { AlarmRequest } from "./admin_codec.ts";
import type { AlarmMember, AlarmType } from "./outcome.ts";
import type { RequestOp, StoreFailure, TxnRequest } from "./types.ts";

export class AlarmSet {
  readonly #raised = new Map<string, AlarmMember>();
  #noSpace = false;
  #corrupt = false;

  /** @returns raised alarms of a type, of all types for "none", sorted by type and member. */
  list(type: AlarmType): AlarmMember[] {
    return [...this.#raised.values()]
      .filter(({ alarm }) => type === "none" || alarm === type)
      .sort((a, b) =>
        a.alarm !== b.alarm
          ? (a.alarm === "noSpace" ? -1 : 1)
          : a.memberId < b.memberId
          ? -1
          : a.memberId > b.memberId
          ? 1
          : 0
      );
  }

  /** @returns the alarms concerned: those asked for, raised, or taken back. */
  apply(request: AlarmRequest): AlarmMember[] {
    const { action, memberId, alarm } = request;
    if (action === "get") return this.list(alarm);
    if (alarm === "none") return [];
    const name = `${alarm}:${memberId}`;
    const standing = this.#raised.get(name);
    if (action === "activate") {
      const member = standing ?? { memberId, alarm };
      this.#raised.set(name, member);
      this.#refresh();
      return [member];
    }
    this.#raised.delete(name);
    this.#refresh();
    return standing === undefined ? [] : [standing];
  }

  #refresh(): void {
    const types = new Set([...this.#raised.values()].map(({ alarm }) => alarm));
    this.#noSpace = types.has("noSpace");
    this.#corrupt = types.has("corrupt");
  }

  /** Whether data may be read and written at all. */
  checkData(): StoreFailure | undefined {
    return this.#corrupt ? { kind: "corrupt" } : undefined;
  }

  /** Whether data may grow: puts and lease grants. */
  checkGrowth(): StoreFailure | undefined {
    if (this.#corrupt) return { kind: "corrupt" };
    return this.#noSpace ? { kind: "noSpace" } : undefined;
  }

  /** A transaction without a put, nested ones included, may run without space. */
  checkTxn(request: TxnRequest): StoreFailure | undefined {
    if (this.#corrupt) return { kind: "corrupt" };
    return this.#noSpace && grows(request) ? { kind: "noSpace" } : undefined;
  }
}

function grows(request: TxnRequest): boolean {
  const opGrows = (op: RequestOp): boolean => op.kind === "put" || (op.kind === "txn" && grows(op));
  return request.success.some(opGrows) || request.failure.some(opGrows);
}
