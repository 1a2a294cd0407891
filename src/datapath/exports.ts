/** What the module exports; the contract stands at the top of assembly/index.ts. */

/** `w` is a Worker's address, `now` microseconds. */
export interface DatapathExports {
  init(w: number): number;
  process(w: number, port: number, budget: number, now: number): number;
  control(w: number, now: number): number;
  popDirty(w: number): number;
  takeFromWorkers(w: number, now: number): number;
  popRung(w: number): number;
  drainPort(w: number, port: number): number;
  cacheFlush(w: number): void;
}

const names: readonly (keyof DatapathExports)[] = [
  'init',
  'process',
  'control',
  'popDirty',
  'takeFromWorkers',
  'popRung',
  'drainPort',
  'cacheFlush',
];

/** @throws when a function is missing: the module is of another version */
export function exportsOf(instance: WebAssembly.Instance): DatapathExports {
  for (const name of names)
    if (typeof instance.exports[name] !== 'function') throw new Error(`the datapath module exports no ${name}()`);
  return instance.exports as unknown as DatapathExports;
}
