/** Kubeconfigs of webhooks: files that they name, whom they show what, and what is refused. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readAuthorizers, readCredentials, readEndpoint } from "./webhook_files.ts";

const FLAG = "--authorization-webhook-config-file";

const KUBECONFIG = `
apiVersion: v1
kind: Config
clusters:
- name: hook
  cluster: {server: "https://hook.example.com/judge", certificate-authority: ca.pem}
users:
- name: apiserver
  user: {client-certificate: client.pem, client-key: client.key}
- name: "*.corp.example"
  user: {token: of-the-corp}
- name: one.default.svc
  user: {token: of-one}
- name: one.default.svc:8443
  user: {token: of-another-port}
contexts: [{name: c, context: {cluster: hook, user: apiserver}}]
current-context: c
`;

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of ["ca.pem", "client.pem", "client.key"]) {
      await Deno.writeTextFile(join(folder, name), `PEM of ${name}`);
    }
    await Deno.writeTextFile(join(folder, "hook.yaml"), KUBECONFIG);
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("files that a kubeconfig names are read from its own folder", () =>
  withFolder(async (folder) => {
    assert.deepEqual(await readEndpoint(FLAG, join(folder, "hook.yaml")), {
      server: "https://hook.example.com/judge",
      ca: "PEM of ca.pem",
      certificate: "PEM of client.pem",
      key: "PEM of client.key",
    });
    await Deno.remove(join(folder, "client.key"));
    await assert.rejects(
      readEndpoint(FLAG, join(folder, "hook.yaml")),
      /client\.key: No such file/,
    );
    await Deno.writeTextFile(join(folder, "hook.yaml"), "clusters: []");
    await assert.rejects(readEndpoint(FLAG, join(folder, "hook.yaml")), /current-context/);
  }));

Deno.test("a webhook is shown what the user of its name has, else that of a star, else the current", () =>
  withFolder(async (folder) => {
    const show = await readCredentials(
      "--admission-control-config-file",
      join(folder, "hook.yaml"),
    );
    const table: readonly (readonly [hostPort: string, shown: string])[] = [
      ["one.default.svc:443", "of-one"],
      ["one.default.svc:8443", "of-another-port"],
      ["a.corp.example:443", "of-the-corp"],
      ["a.b.corp.example:443", "of-the-corp"],
    ];
    for (const [hostPort, shown] of table) assert.equal(show(hostPort).token, shown, hostPort);
    assert.equal(show("a.corp.example:444").token, undefined, "a star speaks of port 443");
    assert.equal(show("other.default.svc:443").certificate, "PEM of client.pem");
  }));

Deno.test("modes become authorizers in their order", () =>
  withFolder(async (folder) => {
    const webhook = {
      file: join(folder, "hook.yaml"),
      version: "v1",
      authorizedTtlMillis: 1,
      unauthorizedTtlMillis: 2,
    } as const;
    const rows = await readAuthorizers({
      tokens: null,
      audit: null,
      authorization: { kind: "modes", modes: ["Webhook", "Node", "RBAC"], webhook },
    });
    assert.deepEqual(rows.map(({ type }) => type), ["Webhook", "Node", "RBAC"]);
    const [first] = rows;
    assert(first.type === "Webhook");
    assert.equal(first.webhook.failurePolicy, "NoOpinion");
    assert.equal(first.webhook.endpoint.server, "https://hook.example.com/judge");
  }));
