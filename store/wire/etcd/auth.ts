/**
 * The Auth service: users, roles, permissions, tokens.
 * In: requests as protobuf. Out: commands in which passwords are replaced by hashes, answers.
 * Never: lets a password reach the log, an error or an answer.
 * Source: etcdserverpb.Auth.
 */
import { encodePermission } from "../../mvcc/admin_codec.ts";
import { ProtoReader, ProtoWriter } from "../../mvcc/proto.ts";
import type { Identity } from "../../mvcc/outcome.ts";
import type { UnaryCall } from "../grpc/brief_call.ts";
import type { Method } from "../grpc/server.ts";
import { GrpcCode } from "../grpc/status.ts";
import type { ServiceContext } from "./context.ts";

/** @returns the service's methods by path */
export function authMethods(context: ServiceContext): [string, Method][] {
  const service = "/etcdserverpb.Auth/";
  const { auth } = context.member;
  const unary = (run: (message: Uint8Array, call: UnaryCall) => void): Method => ({
    kind: "unary",
    run,
  });
  return [
    [`${service}AuthEnable`, context.command("authEnable")],
    [`${service}AuthDisable`, context.command("authDisable")],
    [`${service}AuthStatus`, unary((_, call) => authStatus(context, call))],
    [`${service}Authenticate`, unary((message, call) => authenticate(context, message, call))],
    [`${service}UserAdd`, unary((message, call) => userAdd(context, message, call))],
    [
      `${service}UserGet`,
      unary((message, call) => names(context, call, (who) => auth.user(firstText(message), who))),
    ],
    [`${service}UserList`, unary((_, call) => names(context, call, (who) => auth.users(who)))],
    [`${service}UserDelete`, context.command("userDelete")],
    [`${service}UserChangePassword`, unary((message, call) => password(context, message, call))],
    [`${service}UserGrantRole`, context.command("userGrantRole")],
    [`${service}UserRevokeRole`, context.command("userRevokeRole")],
    [`${service}RoleAdd`, context.command("roleAdd")],
    [`${service}RoleGet`, unary((message, call) => roleGet(context, message, call))],
    [`${service}RoleList`, unary((_, call) => names(context, call, (who) => auth.roles(who)))],
    [`${service}RoleDelete`, context.command("roleDelete")],
    [`${service}RoleGrantPermission`, context.command("roleGrantPermission")],
    [`${service}RoleRevokePermission`, context.command("roleRevokePermission")],
  ];
}

function authStatus(context: ServiceContext, call: UnaryCall): void {
  context.asAdmin(call, () => {
    context.reply(call, (writer) => {
      writer.boolField(2, context.member.auth.enabled());
      writer.int64Field(3, context.member.auth.revision());
    });
  });
}

function authenticate(context: ServiceContext, message: Uint8Array, call: UnaryCall): void {
  const request = readCredentials(message, 0);
  if (request === null) return context.malformed(call);
  const promised = context.member.auth.authenticate(request.name, request.password);
  void context.replyWith(call, promised, (writer, { token }) => writer.stringField(2, token));
}

interface Credentials {
  readonly name: string;
  readonly password: string;
  readonly noPassword: boolean;
  /** A hash the client made itself. */
  readonly hash: string;
}

/** Name 1, password 2, options 3 { no_password 1 }; `hashField` is 4 in an add, 3 in a change. */
function readCredentials(message: Uint8Array, hashField: number): Credentials | null {
  const reader = new ProtoReader(message);
  const found = { name: "", password: "", noPassword: false, hash: "" };
  while (reader.next()) {
    if (reader.field === 1) found.name = reader.string();
    else if (reader.field === 2) found.password = reader.string();
    else if (reader.field === hashField) found.hash = reader.string();
    else if (reader.field === 3 && hashField === 4) {
      const options = reader.message();
      while (options.next()) {
        if (options.field === 1) found.noPassword = options.bool();
        else options.skip();
      }
      if (options.failed) return null;
    } else reader.skip();
  }
  return reader.failed ? null : found;
}

function userAdd(context: ServiceContext, message: Uint8Array, call: UnaryCall): void {
  const request = readCredentials(message, 4);
  if (request === null) return context.malformed(call);
  context.asCaller(call, (caller) => {
    void submitHashed(context, call, { request, caller, kind: "userAdd" });
  });
}

function password(context: ServiceContext, message: Uint8Array, call: UnaryCall): void {
  const request = readCredentials(message, 3);
  if (request === null) return context.malformed(call);
  context.asCaller(call, (caller) => {
    void submitHashed(context, call, { request, caller, kind: "userChangePassword" });
  });
}

async function submitHashed(
  context: ServiceContext,
  call: UnaryCall,
  change: {
    readonly request: Credentials;
    readonly caller: Identity | null;
    readonly kind: "userAdd" | "userChangePassword";
  },
): Promise<void> {
  const { request, caller, kind } = change;
  let hash = request.hash;
  if (request.password !== "" && !request.noPassword) {
    try {
      hash = await context.member.auth.hashPassword(request.password);
    } catch {
      return call.fail({ code: GrpcCode.internal, message: "etcdserver: password not hashed" });
    }
  }
  const writer = new ProtoWriter(256);
  writer.stringField(1, request.name);
  if (request.noPassword) {
    const start = writer.beginMessage(3);
    writer.boolField(1, true);
    writer.endMessage(start);
  }
  writer.stringField(kind === "userAdd" ? 4 : 3, hash);
  context.submit(call, { kind, message: writer.finish(), caller });
}

type NameList = ReturnType<ServiceContext["member"]["auth"]["users"]>;

function names(
  context: ServiceContext,
  call: UnaryCall,
  ask: (caller: Identity | null) => NameList,
): void {
  context.asCaller(call, (caller) => {
    void context.replyWith(call, ask(caller), (writer, list) => {
      for (const name of list.names) writer.stringField(2, name);
    });
  });
}

function roleGet(context: ServiceContext, message: Uint8Array, call: UnaryCall): void {
  const name = firstText(message);
  context.asCaller(call, (caller) => {
    void context.replyWith(call, context.member.auth.role(name, caller), (writer, role) => {
      for (const permission of role.permissions) encodePermission(writer, 2, permission);
    });
  });
}

/** Field 1 as text; malformed bytes name nobody, and nobody is not found. */
function firstText(message: Uint8Array): string {
  const reader = new ProtoReader(message);
  let text = "";
  while (reader.next()) {
    if (reader.field === 1) text = reader.string();
    else reader.skip();
  }
  return reader.failed ? "" : text;
}
