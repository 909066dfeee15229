/**
 * Numbers that every component has: when its process began, the memory it holds, whether it leads.
 * In: the component's name, whether it leads. Out: lines of /metrics.
 * Never: keeps anything; all of it is read when asked.
 * Source: component-base's metrics/prometheus (clientgo/leaderelection, process collector), v1.36.
 */

/** @param component.leads null for one that works without a lease */
export function processMetrics(
  component: { readonly name: string; readonly leads: boolean | null },
): string[] {
  const started = (Date.now() - performance.now()) / 1000;
  const lines = [
    ...gauge("process_start_time_seconds", "When the process began, since 1970.", started),
    ...gauge("process_resident_memory_bytes", "Memory in use.", Deno.memoryUsage().rss),
  ];
  if (component.leads === null) return lines;
  const name = "leader_election_master_status";
  const help = "1 where this process has the lease, 0 where it waits for it.";
  return [...lines, ...gauge(name, help, Number(component.leads), `{name="${component.name}"}`)];
}

function gauge(name: string, help: string, value: number, labels = ""): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name}${labels} ${value}`];
}
