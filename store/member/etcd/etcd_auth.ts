/**
 * The auth service's questions, answered from the member's replicated auth state.
 * In: names, passwords, tokens, who asks. Out: names, permissions, tokens, failures.
 * Never: lets a password or its hash out.
 */
import type { StateMachineApi } from "../../mvcc/api.ts";
import { authFailure, type Identity } from "../../mvcc/outcome.ts";
import type { StoreFailure } from "../../mvcc/types.ts";
import type { AuthApi } from "../../wire/etcd/member_api.ts";
import { Passwords } from "./passwords.ts";
import type { Tokens } from "./tokens.ts";

export class EtcdAuth implements AuthApi {
  readonly #machine: StateMachineApi;
  readonly #tokens: Tokens;
  readonly #passwords = new Passwords();

  constructor(machine: StateMachineApi, tokens: Tokens) {
    this.#machine = machine;
    this.#tokens = tokens;
  }

  enabled(): boolean {
    return this.#machine.auth.enabled;
  }

  revision(): number {
    return this.#machine.auth.revision;
  }

  authenticate: AuthApi["authenticate"] = async (name, password) => {
    const user = this.#machine.auth.authenticate(name);
    if ("kind" in user) return user;
    if (this.#passwords.isBusy) return { kind: "tooManyRequests" };
    if (!await this.#passwords.check(password, user.hashedPassword)) {
      return authFailure("authFailed");
    }
    return { kind: "token", token: this.#tokens.issue(name) };
  };

  hashPassword(password: string): Promise<string> {
    return this.#passwords.hash(password);
  }

  callerOfToken: AuthApi["callerOfToken"] = (token) => this.#tokens.read(token);

  callerOfCertificate(commonName: string): Identity {
    return { user: commonName, authRevision: this.revision() };
  }

  requireAdmin(caller: Identity | null): StoreFailure | null {
    return this.#machine.auth.checkAdmin(caller ?? undefined) ?? null;
  }

  users: AuthApi["users"] = (caller) =>
    this.#asAdmin(
      caller,
      () => ({ kind: "names" as const, names: this.#machine.auth.userNames() }),
    );

  roles: AuthApi["roles"] = (caller) =>
    this.#asAdmin(
      caller,
      () => ({ kind: "names" as const, names: this.#machine.auth.roleNames() }),
    );

  /** Users may ask about themselves. */
  user: AuthApi["user"] = (name, caller) => {
    const answer = () => {
      const user = this.#machine.auth.user(name);
      if (user === undefined) return authFailure("userNotFound");
      return { kind: "names" as const, names: user.roles };
    };
    return caller?.user === name ? Promise.resolve(answer()) : this.#asAdmin(caller, answer);
  };

  /** Users may ask about roles they have. */
  role: AuthApi["role"] = (name, caller) => {
    const answer = () => {
      const permissions = this.#machine.auth.role(name);
      if (permissions === undefined) return authFailure("roleNotFound");
      return { kind: "permissions" as const, permissions };
    };
    const own = caller !== null && this.#machine.auth.user(caller.user)?.roles.includes(name);
    return own ? Promise.resolve(answer()) : this.#asAdmin(caller, answer);
  };

  #asAdmin<T>(caller: Identity | null, answer: () => T | StoreFailure): Promise<T | StoreFailure> {
    return Promise.resolve(this.requireAdmin(caller) ?? answer());
  }
}
