/**
 * What stands between a request and its verb: the audit log, and the seats that requests share.
 * In: configuration and a Core. Out: both, opened, with their numbers and one way to close them.
 * Never: judges a request itself; `audit/` and `flow/` do.
 */
import { Audit } from "./audit/audit.ts";
import { type AuditSink, openAuditLog } from "./audit/log_file.ts";
import { AuditWebhook, joinSinks } from "./audit/webhook_sink.ts";
import type { ApiServerConfig } from "./config.ts";
import { FlowControl } from "./flow/flow_control.ts";
import type { Core } from "./verbs/core.ts";

export interface Guards {
  /** Null where no request leaves a trail. */
  readonly audit: Audit | null;
  readonly flow: FlowControl;
  /** Lines of /metrics. */
  readonly metrics: () => readonly string[];
  /** To be called when no request runs any more. */
  close(): Promise<void>;
}

/** Errors: rejects when the audit log can't be opened. */
export async function openGuards(config: ApiServerConfig, core: Core): Promise<Guards> {
  const audit = await openAudit(config, core);
  const serverSeats = config.maxRequestsInflight + config.maxMutatingRequestsInflight;
  const flow = new FlowControl({ core, serverSeats });
  await flow.settled();
  return {
    audit,
    flow,
    metrics: () => [...audit?.metrics() ?? [], ...flow.metrics()],
    async close() {
      flow.close();
      await audit?.close();
    },
  };
}

async function openAudit({ audit }: ApiServerConfig, core: Core): Promise<Audit | null> {
  if (audit === null) return null;
  const { clock, log, random } = core;
  const sinks: AuditSink[] = [];
  if (audit.log !== null) sinks.push(await openAuditLog(audit.log, { clock, log }));
  if (audit.webhook !== null) sinks.push(new AuditWebhook(audit.webhook, { clock, log }));
  const sink = sinks.length === 1 ? sinks[0] : joinSinks(sinks);
  const nowMillis = () => clock.nowMillis();
  return new Audit({ policy: audit.policy, sink, nowMillis, newId: () => random.uuid() });
}
