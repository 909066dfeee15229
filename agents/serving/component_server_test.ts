/**
 * A component's own server: what is for everybody, and what for whom the API server lets; over real
 * sockets, whose certificate counts.
 */
import assert from "node:assert/strict";
import { request } from "node:https";
import { issueCertificate, makeAuthority } from "../apiserver/auth/certificates.ts";
import { serviceUnavailable } from "../api/status.ts";
import {
  answerComponent,
  type ComponentFace,
  type ComponentRequest,
  jsonAnswer,
  listenComponent,
  metricsAnswer,
} from "./component_server.ts";
import type { Access, AskedAccess } from "./delegated_access.ts";
import { processMetrics } from "./process_metrics.ts";

const MASTER = { name: "root", groups: ["system:masters"] };

function faceOf(problem: string | null): ComponentFace {
  return {
    health: { healthz: {}, livez: {}, readyz: { "informer-sync": () => problem } },
    documents: {
      "/metrics": () => metricsAnswer(["up 1"]),
      "/configz": () => jsonAnswer({ componentconfig: {} }),
    },
  };
}

/** Knows the token "good" as ann's, who may get /metrics alone. */
class Rules implements Access {
  readonly asked: AskedAccess[] = [];
  isAway = false;

  identify(token: string) {
    if (this.isAway) return Promise.reject(serviceUnavailable("away"));
    return Promise.resolve(token === "good" ? { name: "ann", groups: ["scrapers"] } : null);
  }

  allows(user: { readonly name: string }, asked: AskedAccess) {
    this.asked.push(asked);
    if (this.isAway) return Promise.reject(serviceUnavailable("away"));
    const { path, verb } = (asked as { nonResourceAttributes: { path: string; verb: string } })
      .nonResourceAttributes;
    return Promise.resolve(user.name === "ann" && path === "/metrics" && verb === "get");
  }
}

type Case = readonly [Partial<ComponentRequest>, code: number, text: RegExp];

const TOKEN = { authorization: "Bearer good" };
const ANN = { peer: { name: "ann", groups: [] } };
const EVE = { peer: { name: "eve", groups: [] } };

const CASES: readonly Case[] = [
  [{ url: "/healthz" }, 200, /^ok$/],
  [{ url: "/livez", method: "HEAD" }, 200, /^ok$/],
  [{ url: "/livez", authorization: "Bearer bad" }, 200, /^ok$/],
  [{ url: "/healthz", method: "POST" }, 403, /User \\"system:anonymous\\" cannot post path/],
  [{ url: "/readyz" }, 500, /\[-\]informer-sync failed: reason withheld/],
  [{ url: "/readyz?exclude=informer-sync" }, 200, /^ok$/],
  [{ url: "/readyz/informer-sync" }, 403, /User \\"system:anonymous\\" cannot get path/],
  [{ url: "/readyz/informer-sync", peer: MASTER }, 500, /^not yet$/],
  [{ url: "/readyz/nothing", peer: MASTER }, 404, /could not find/],
  [{ url: "/metrics" }, 403, /User \\"system:anonymous\\" cannot get path/],
  [{ url: "/metrics", authorization: "Bearer bad" }, 401, /Unauthorized/],
  [{ url: "/metrics", authorization: "Basic Z29vZA==" }, 403, /User \\"system:anonymous\\"/],
  [{ url: "/metrics", ...TOKEN }, 200, /^up 1\n$/],
  [{ url: "/metrics?x=y", ...ANN }, 200, /^up 1\n$/],
  [{ url: "/metrics", ...EVE, ...TOKEN }, 403, /User \\"eve\\" cannot get path \\"\/metrics\\"/],
  [{ url: "/metrics", method: "POST", ...ANN }, 403, /cannot post path/],
  [{ url: "/metrics", method: "POST", peer: MASTER }, 405, /does not allow this method/],
  [{ url: "/configz", ...TOKEN }, 403, /User \\"ann\\" cannot get path \\"\/configz\\"/],
  [{ url: "/configz", peer: MASTER }, 200, /componentconfig/],
  [{ url: "//metrics", ...ANN }, 403, /cannot get path/],
  [{ url: "/%6Detrics", ...ANN }, 403, /cannot get path/],
  [{ url: "/toString", peer: MASTER }, 404, /could not find/],
];

Deno.test("health is for everybody, all else for whom the rules let", async () => {
  const face = faceOf("not yet");
  for (const [asked, code, text] of CASES) {
    const about = JSON.stringify(asked);
    const request = { method: "GET", url: "/", peer: null, ...asked };
    const answer = await answerComponent(face, new Rules(), request);
    assert.equal(answer.code, code, `${about}: ${answer.text}`);
    assert.match(answer.text, text, about);
  }
});

Deno.test("while the API server is away health is told, and nobody but a master gets more", async () => {
  const rules = new Rules();
  rules.isAway = true;
  const codeFor = async (asked: Partial<ComponentRequest>) => {
    const request = { method: "GET", url: "/metrics", peer: null, ...asked };
    return (await answerComponent(faceOf(null), rules, request)).code;
  };
  assert.equal(await codeFor({ url: "/readyz" }), 200);
  assert.equal(rules.asked.length, 0);
  assert.equal(await codeFor(TOKEN), 401);
  assert.equal(await codeFor(ANN), 500);
  assert.equal(await codeFor({ peer: MASTER }), 200);
});

Deno.test("a certificate counts where the authority that is trusted now signed it", async () => {
  const times = { nowMillis: Date.now(), lifetimeMillis: 600_000 };
  const authorityOf = (commonName: string) => makeAuthority({ commonName, ...times });
  const [ours, others] = await Promise.all([authorityOf("ca"), authorityOf("ca")]);
  const subject = { commonName: "root", organizations: ["system:masters"] };
  const clientOf = (ca: typeof ours) =>
    issueCertificate(ca, { subject, usage: "client", ...times });
  const serving = await issueCertificate(ours, {
    subject: { commonName: "scheduler" },
    usage: "server",
    names: ["127.0.0.1"],
    ...times,
  });
  const [client, stranger] = await Promise.all([clientOf(ours), clientOf(others)]);
  const listener = await listenComponent(
    { ...serving, bind: "127.0.0.1", port: 0, clientCa: others.certificate },
    { face: faceOf(null), access: new Rules() },
  );
  const ask = (pair: { readonly certificate?: string; readonly key?: string }, path: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const asked = request({
        ...{ host: "127.0.0.1", port: listener.port, path },
        ...{ ca: ours.certificate, cert: pair.certificate, key: pair.key, agent: false },
      }, (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode));
      });
      asked.on("error", reject);
      asked.end();
    });
  try {
    assert.equal(await ask({}, "/healthz"), 200);
    assert.equal(await ask({}, "/metrics"), 403);
    assert.equal(await ask(client, "/metrics"), 403);
    assert.throws(() => listener.trust(""));
    assert.equal(await ask(client, "/metrics"), 403);
    listener.trust(ours.certificate);
    assert.equal(await ask(client, "/metrics"), 200);
    assert.equal(await ask(stranger, "/metrics"), 403);
    assert.equal(await ask(stranger, "/readyz"), 200);
  } finally {
    await listener.close();
  }
});

Deno.test("what a process tells of itself: whether it leads only where there is a lease", () => {
  const line = /^leader_election_master_status\{name="kube-scheduler"\} ([01])$/m;
  const told = (leads: boolean | null) =>
    line.exec(processMetrics({ name: "kube-scheduler", leads }).join("\n"))?.[1];
  assert.deepEqual([told(true), told(false), told(null)], ["1", "0", undefined]);
});
