/**
 * From what a database says to what it should say: the changes, each with a line for a person and the operations of one
 * transaction (RFC 7047 §5.2).
 *
 * Terms. *Ours*: a row whose external_ids:weft-owner is the file's name.
 *
 * Invariants. Rows that are not ours are not touched, and of ours only what a file can say; a name that others have is a problem,
 * and then nothing is to be carried out. From a database that says what it should there are no changes.
 */
import { datumFromJson, equalData } from '../../ovsdb/data.ts';
import type { Json, JsonObject, Replica, ReplicaRow } from '../../ovsdb/index.ts';
import { MANAGED, OWNER, type WantedBridge, type WantedPort, type WantedRow } from './rows.ts';
import { bridgeText, portText } from './text.ts';

export interface Change {
  /** + comes, - goes, ~ changes. */
  readonly text: string;
  readonly operations: readonly JsonObject[];
}

export interface Plan {
  readonly changes: readonly Change[];
  /** Why it cannot be carried out. */
  readonly problems: readonly string[];
}

const ROOT = 'Open_vSwitch';

const byUuid = (uuid: string): Json => [['_uuid', '==', ['uuid', uuid]]];
const idsOf = (row: ReplicaRow, column: string): readonly string[] => row.refs(column);

/** What a new row is inserted with. */
function newRow({ columns, maps }: WantedRow, more: JsonObject): JsonObject {
  const pairs = Object.entries(maps).map(([column, map]) => [column, ['map', Object.entries(map)]] as const);
  return { ...more, ...columns, ...Object.fromEntries(pairs) };
}

const valueText = (json: Json): string => {
  if (Array.isArray(json)) return `[${((json[1] ?? []) as readonly Json[]).map(valueText).join(',')}]`;
  return typeof json === 'string' ? json : JSON.stringify(json);
};

interface Update {
  readonly words: readonly string[];
  readonly operations: readonly JsonObject[];
}

/** What makes a row what it should be. */
function updateOf(row: ReplicaRow, { columns, maps }: WantedRow): Update {
  const words: string[] = [];
  const values: Record<string, Json> = {};
  for (const [column, value] of Object.entries(columns)) {
    const { type } = row.table.byName.get(column)!;
    if (equalData(datumFromJson(type, value, null), row.datum(column))) continue;
    values[column] = value;
    words.push(`${column}=${valueText(value)}`);
  }
  const mutations: Json[] = [];
  for (const [column, wanted] of Object.entries(maps)) {
    const known = row.map(column);
    const managed = MANAGED[row.table.name]?.[column] ?? [...known.keys()];
    const gone = managed.filter((key) => known.has(key) && known.get(key) !== wanted[key]);
    const come = Object.entries(wanted).filter(([key, value]) => known.get(key) !== value);
    if (gone.length > 0) mutations.push([column, 'delete', ['set', gone]]);
    if (come.length > 0) mutations.push([column, 'insert', ['map', come]]);
    for (const key of gone) if (wanted[key] === undefined) words.push(`${column}:${key} goes`);
    for (const [key, value] of come) words.push(`${column}:${key}=${value}`);
  }
  const at = { table: row.table.name, where: byUuid(row.uuid) };
  return {
    words,
    operations: [
      ...(Object.keys(values).length > 0 ? [{ op: 'update', ...at, row: values }] : []),
      ...(mutations.length > 0 ? [{ op: 'mutate', ...at, mutations }] : []),
    ],
  };
}

class Planner {
  readonly changes: Change[] = [];
  readonly problems: string[] = [];
  readonly #replica: Replica;
  readonly #owner: string;
  #names = 0;

  constructor(replica: Replica, owner: string) {
    this.#replica = replica;
    this.#owner = owner;
  }

  plan(wanted: ReadonlyMap<string, WantedBridge>): void {
    const root = this.#replica.table(ROOT).values().next().value;
    if (!root) {
      this.problems.push('the database is not initialized: "ovs-vsctl init" does it');
      return;
    }
    const bridges = this.#rows('Bridge', idsOf(root, 'bridges'));
    for (const bridge of bridges) {
      if (!this.#isOurs(bridge)) continue;
      const want = wanted.get(bridge.string('name'));
      for (const port of this.#rows('Port', idsOf(bridge, 'ports'))) {
        const name = port.string('name');
        if (name === bridge.string('name') || want?.ports.has(name) || !this.#isOurs(port)) continue;
        const removal = { op: 'mutate', table: 'Bridge', where: byUuid(bridge.uuid) };
        const mutations = [['ports', 'delete', ['uuid', port.uuid]]];
        this.#add(`- port ${name} of ${bridge.string('name')}`, want ? [{ ...removal, mutations }] : []);
      }
      if (want) continue;
      const mutations = [['bridges', 'delete', ['uuid', bridge.uuid]]];
      this.#add(`- bridge ${bridge.string('name')}`, [{ op: 'mutate', table: ROOT, where: [], mutations }]);
    }
    const known = new Map(bridges.map((row) => [row.string('name'), row]));
    for (const [name, want] of wanted) {
      const row = known.get(name);
      if (!row) this.#addBridge(want);
      else if (this.#isOurs(row)) this.#changeBridge(row, want);
      else this.problems.push(`there is a bridge ${name} already, which is not this file's`);
    }
  }

  #add(text: string, operations: readonly JsonObject[]): void {
    this.changes.push({ text, operations });
  }

  #rows(table: string, uuids: readonly string[]): ReplicaRow[] {
    return uuids.map((uuid) => this.#replica.row(table, uuid)).filter((row) => row !== null);
  }

  #isOurs(row: ReplicaRow): boolean {
    return row.map('external_ids').get(OWNER) === this.#owner;
  }

  #insert(table: string, row: JsonObject, operations: JsonObject[]): Json {
    const name = `row${this.#names++}`;
    operations.push({ op: 'insert', table, row, 'uuid-name': name });
    return ['named-uuid', name];
  }

  /** A port with its interface. */
  #insertPort(name: string, row: WantedRow, own: WantedRow, operations: JsonObject[]): Json {
    const face = this.#insert('Interface', newRow(own, { name }), operations);
    return this.#insert('Port', newRow(row, { name, interfaces: face }), operations);
  }

  #addBridge({ bridge, row, interface: own, ports }: WantedBridge): void {
    const operations: JsonObject[] = [];
    const mark: WantedRow = { columns: {}, maps: { external_ids: { [OWNER]: this.#owner } } };
    const local = this.#insertPort(bridge.name, mark, own, operations);
    const found = [...ports.values()].filter((port) => this.#isFree(port));
    const others = found.map((port) => this.#insertPort(port.port.name, port.row, port.interface, operations));
    const controllers = (bridge.controllers ?? []).map((target) => this.#insertController(target, operations));
    const refs = { ports: ['set', [local, ...others]], controller: ['set', controllers] };
    const name = this.#insert('Bridge', newRow(row, { name: bridge.name, ...refs }), operations);
    operations.push({ op: 'mutate', table: ROOT, where: [], mutations: [['bridges', 'insert', ['set', [name]]]] });
    this.#add(`+ bridge ${bridge.name}: ${bridgeText(bridge)}`, operations);
    for (const { port } of found) this.#add(`+ port ${port.name} of ${bridge.name}: ${portText(port)}`, []);
  }

  /** Whether nobody else has a port's name. */
  #isFree({ port }: WantedPort): boolean {
    for (const row of this.#replica.table('Port').values()) {
      if (row.string('name') !== port.name || this.#isOurs(row)) continue;
      this.problems.push(`there is a port ${port.name} already, which is not this file's`);
      return false;
    }
    return true;
  }

  #changeBridge(row: ReplicaRow, want: WantedBridge): void {
    const { name } = want.bridge;
    const ports = new Map(this.#rows('Port', idsOf(row, 'ports')).map((port) => [port.string('name'), port]));
    const local = ports.get(name);
    const [own] = local ? this.#rows('Interface', idsOf(local, 'interfaces')) : [];
    this.#change(`~ bridge ${name}`, updateOf(row, want.row), own ? updateOf(own, want.interface) : null);
    this.#changeControllers(row, want);
    for (const [portName, wanted] of want.ports) {
      const port = ports.get(portName);
      if (port && this.#isOurs(port)) this.#changePort(name, port, wanted);
      else if (this.#isFree(wanted)) this.#addPort(row.uuid, wanted);
    }
  }

  /** Controllers of a bridge that the file names, in place of those that it named before; others' stay. */
  #changeControllers(row: ReplicaRow, { bridge }: WantedBridge): void {
    const known = this.#rows('Controller', idsOf(row, 'controller'));
    const wanted = bridge.controllers ?? [];
    const gone = known.filter((one) => this.#isOurs(one) && !wanted.includes(one.string('target')));
    const come = wanted.filter((target) => !known.some((one) => one.string('target') === target));
    const operations: JsonObject[] = [];
    const names = come.map((target) => this.#insertController(target, operations));
    const mutations: Json[] = [];
    if (gone.length > 0) mutations.push(['controller', 'delete', ['set', gone.map(({ uuid }) => ['uuid', uuid])]]);
    if (come.length > 0) mutations.push(['controller', 'insert', ['set', names]]);
    if (mutations.length === 0) return;
    operations.push({ op: 'mutate', table: 'Bridge', where: byUuid(row.uuid), mutations });
    const signs = [...gone.map((one) => `-${one.string('target')}`), ...come.map((target) => `+${target}`)];
    this.#add(`~ controllers of ${bridge.name}: ${signs.join(' ')}`, operations);
  }

  #insertController(target: string, operations: JsonObject[]): Json {
    const row = { target, external_ids: ['map', [[OWNER, this.#owner]]] };
    return this.#insert('Controller', row, operations);
  }

  #change(what: string, first: Update, second: Update | null): void {
    const words = [...first.words, ...(second?.words ?? [])];
    if (words.length > 0)
      this.#add(`${what}: ${words.join(' ')}`, [...first.operations, ...(second?.operations ?? [])]);
  }

  #changePort(bridge: string, row: ReplicaRow, want: WantedPort): void {
    const [face] = this.#rows('Interface', idsOf(row, 'interfaces'));
    const second = face ? updateOf(face, want.interface) : null;
    this.#change(`~ port ${want.port.name} of ${bridge}`, updateOf(row, want.row), second);
  }

  #addPort(bridge: string, { port, row, interface: own }: WantedPort): void {
    const operations: JsonObject[] = [];
    const name = this.#insertPort(port.name, row, own, operations);
    const mutations: Json = [['ports', 'insert', ['set', [name]]]];
    operations.push({ op: 'mutate', table: 'Bridge', where: byUuid(bridge), mutations });
    this.#add(`+ port ${port.name} of ${port.bridge}: ${portText(port)}`, operations);
  }
}

/** @param owner the file's name, with which its rows are marked */
export function planChanges(replica: Replica, wanted: ReadonlyMap<string, WantedBridge>, owner: string): Plan {
  const planner = new Planner(replica, owner);
  planner.plan(wanted);
  return planner;
}
