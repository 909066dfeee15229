/** Auth: rules of users and roles, and what each request needs. */
import assert from "node:assert/strict";
import * as admin from "../admin_codec.ts";
import type { ApplyOutcome } from "../outcome.ts";
import { bytes, Drive } from "../testing/drive.ts";

function reason(outcome: { readonly kind: string } | undefined): string {
  if (outcome === undefined) return "ok";
  return outcome.kind === "auth" ? (outcome as { reason: string } & typeof outcome).reason : "ok";
}

function prepared(): {
  drive: Drive;
  as: (user: string) => { user: string; authRevision: number };
} {
  const drive = new Drive();
  const sent: [Parameters<Drive["send"]>[0], Uint8Array][] = [
    ["userAdd", admin.encodeUserAdd({ name: "root", hashedPassword: "h", noPassword: false })],
    ["userGrantRole", admin.encodeUserRole({ user: "root", role: "root" })],
    ["userAdd", admin.encodeUserAdd({ name: "ann", hashedPassword: "h", noPassword: true })],
    ["roleAdd", admin.encodeName("r")],
    ["userGrantRole", admin.encodeUserRole({ user: "ann", role: "r" })],
    ...(["a:c:read", "c:e:readWrite", "x::write"].map((
      grant,
    ): [Parameters<Drive["send"]>[0], Uint8Array] => {
      const [key, end, type] = grant.split(":");
      const permission = { type: type as "read", key: bytes(key), rangeEnd: bytes(end) };
      return ["roleGrantPermission", admin.encodeRoleGrant({ role: "r", permission })];
    })),
    ["authEnable", new Uint8Array(0)],
  ];
  for (const [kind, body] of sent) assert.equal(drive.send(kind, body).kind, "authChanged");
  return { drive, as: (user) => ({ user, authRevision: drive.machine.auth.revision }) };
}

Deno.test("enabling needs the root user with the root role", () => {
  const drive = new Drive();
  assert.equal(reason(drive.send("authEnable")), "rootUserNotExist");
  drive.send(
    "userAdd",
    admin.encodeUserAdd({ name: "root", hashedPassword: "", noPassword: true }),
  );
  assert.equal(reason(drive.send("authEnable")), "rootRoleNotExist");
});

Deno.test("ranges are covered by the union of grants", () => {
  const { drive, as } = prepared();
  const read = (key: string, rangeEnd: string): string =>
    reason(drive.machine.range(
      { kind: "range", key: bytes(key), rangeEnd: bytes(rangeEnd) },
      as("ann"),
    ));
  assert.equal(read("a", "e"), "ok");
  assert.equal(read("b", ""), "ok");
  assert.equal(read("a", "f"), "permissionDenied");
  assert.equal(read("a", "\0"), "permissionDenied");
  assert.equal(read("x", ""), "permissionDenied");
  assert.equal(reason(drive.machine.range({ kind: "range", key: bytes("a") })), "userEmpty");
});

Deno.test("writes, previous values and old revisions", () => {
  const { drive, as } = prepared();
  const put = (key: string, prevKv: boolean): ApplyOutcome =>
    drive.request({ kind: "put", key: bytes(key), value: bytes(""), prevKv }, as("ann"));
  assert.equal(put("c", true).kind, "put");
  assert.equal(reason(put("a", false)), "permissionDenied");
  assert.equal(put("x", false).kind, "put");
  assert.equal(reason(put("x", true)), "permissionDenied");
  const old = { user: "ann", authRevision: 1 };
  const late = drive.request({ kind: "put", key: bytes("c"), value: bytes("") }, old);
  assert.equal(reason(late), "authOldRevision");
});

Deno.test("root's rules", () => {
  const { drive, as } = prepared();
  const send = (kind: Parameters<Drive["send"]>[0], body: Uint8Array, user = "root"): string =>
    reason(drive.send(kind, body, as(user)));
  assert.equal(send("userDelete", admin.encodeName("root")), "invalidAuthMgmt");
  assert.equal(
    send("userRevokeRole", admin.encodeUserRole({ user: "root", role: "root" })),
    "invalidAuthMgmt",
  );
  assert.equal(send("userDelete", admin.encodeName("ann"), "ann"), "permissionDenied");
  assert.equal(send("roleAdd", admin.encodeName("r")), "roleAlreadyExist");
  assert.equal(send("roleDelete", admin.encodeName("nope")), "roleNotFound");
  assert.equal(send("userDelete", admin.encodeName("ann")), "ok");
});
