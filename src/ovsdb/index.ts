/**
 * OVSDB: the database of RFC 7047 and its server, as Open vSwitch 3.1 has it.
 *
 * What. `Storage` reads and writes database files; `Server` holds databases, sessions, locks and transactions that wait;
 * `Remote` brings clients to it over sockets; `ControlSocket` is what ovs-appctl talks to. Below them: `json` (exact numbers,
 * streams), `types`, `data`, `schema`, `condition`, `mutation`; `execution` (the operations), `transaction` and `indexes` (what
 * follows from them), `monitor`, `session`, `log` (the file format).
 *
 * Terms. *Atom*, *Datum*: one value, a column's value. *Difference*: what turns one datum into another. *Root set*: tables whose
 * rows live without being referred to; all other rows are garbage as soon as no strong reference leads to them. *Weak
 * reference*: vanishes with the row that it refers to. *Ephemeral* columns are not kept in the file. *Record*: one transaction in
 * the file. *Trigger*: a transaction that waits.
 *
 * Invariants.
 * - A Row, once committed, never changes; a change makes a new one. A Datum never changes at all.
 * - A transaction is on the disk before it is answered, when it is durable, and in the file before that in any case.
 * - A session hears of what its own transaction changed before it hears that it is done.
 * - Inside the room errors are thrown as OvsdbError; they leave it as the protocol's error objects.
 * - No clock and no random number but those of the Environment.
 *
 * Differences on purpose. Overflow of `*=` is found for every sign (the reference overflows in silence when both are negative, and
 * dies when a negative number is multiplied by 0). An error that names one of several rows or columns may name another one: the
 * reference takes the first of a hash table.
 *
 * Not supported: is_connected and status of the rows that `db:` remotes come from; clustered databases, relay and
 * active-backup, RBAC and read-only remotes. A database in a file keeps no history of transactions, as with the reference:
 * monitor_cond_since always answers with the whole content.
 */

export { DatabaseClient, Replica, ReplicaRow } from './client/index.ts';
export { OvsdbError } from './error.ts';
export { type Json, type JsonObject, parseJson, stringify } from './json.ts';
export { Remote } from './remote.ts';
export { schemaFromJson } from './schema.ts';
export { Server } from './server.ts';
export { Storage } from './storage.ts';
export { CommandError, ControlSocket } from './unixctl.ts';
