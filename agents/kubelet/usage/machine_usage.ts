/**
 * What this machine uses: all processors' busy time, all memory that can't be had back at once.
 * In: the texts of `/proc/stat` and `/proc/meminfo`. Out: a Usage. Never: asks a control group;
 * the root group counts what these files count. Source: proc(5); cadvisor's working set, which is
 * what is in use less the file pages that nobody has touched lately.
 */
import type { Usage } from "./resource_metrics.ts";

/** The kernel tells user space of ticks of 10 ms, whatever its own are. */
const TICKS_PER_SECOND = 100;

/** Errors: throws where the kernel's files can't be read. */
export async function readMachineUsage(nowMillis: number): Promise<Usage> {
  const [stat, meminfo] = await Promise.all([
    Deno.readTextFile("/proc/stat"),
    Deno.readTextFile("/proc/meminfo"),
  ]);
  return {
    atMillis: nowMillis,
    cpuSeconds: parseBusySeconds(stat),
    memoryBytes: parseWorkingSet(meminfo),
  };
}

/** Seconds that the processors spent on anything but waiting; guests count as user time there. */
export function parseBusySeconds(stat: string): number {
  const [user = 0, nice = 0, system = 0, _idle, _waiting, interrupts = 0, soft = 0, stolen = 0] =
    (/^cpu +(.*)$/m.exec(stat)?.[1] ?? "").split(" ").map(Number);
  return (user + nice + system + interrupts + soft + stolen) / TICKS_PER_SECOND;
}

/** Bytes in use without inactive file pages. */
export function parseWorkingSet(meminfo: string): number {
  const bytes = (name: string) => {
    const line = meminfo.split("\n").find((one) => one.startsWith(`${name}:`));
    return Number(/\d+/.exec(line?.slice(name.length) ?? "")?.[0] ?? 0) * 1024;
  };
  return Math.max(0, bytes("MemTotal") - bytes("MemFree") - bytes("Inactive(file)"));
}
