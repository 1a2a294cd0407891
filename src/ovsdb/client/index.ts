/** A client's side of the database protocol: what the switch daemon configures itself from. */
export { DatabaseClient } from './client.ts';
export { Replica, ReplicaRow } from './replica.ts';
