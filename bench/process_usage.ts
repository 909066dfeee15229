/**
 * What a running process costs: processor time and memory, as the kernel accounts for it.
 * In: a process id. Out: seconds of CPU used so far, bytes resident. Never: disturbs the process.
 * Source: proc(5), fields of /proc/PID/stat and /proc/PID/status.
 */

/** Clock ticks per second on every Linux that Deno runs on. */
const TICKS_PER_SECOND = 100;

/** @returns seconds of user and system time, all threads. */
export function cpuSeconds(pid: number): number {
  return readCpu(`/proc/${pid}/stat`);
}

/** @returns the same of the thread that the process began with, the one that runs JavaScript */
export function mainThreadSeconds(pid: number): number {
  return readCpu(`/proc/${pid}/task/${pid}/stat`);
}

function readCpu(path: string): number {
  const stat = Deno.readTextFileSync(path);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** @returns bytes of memory that the process holds now. */
export function residentBytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Share of one core used over a while, 0..1 and above. */
export async function cpuShare(pid: number, seconds: number): Promise<number> {
  const before = cpuSeconds(pid);
  const started = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return (cpuSeconds(pid) - before) / ((performance.now() - started) / 1000);
}
