/** A database that nobody has said anything in: what a file is compared with when nothing runs. */
import { type JsonObject, Replica, schemaFromJson } from '../../ovsdb/index.ts';
import { vswitchSchema } from '../../spec/vswitch-schema.ts';

export function emptyReplica(): Replica {
  const replica = new Replica(schemaFromJson(vswitchSchema as unknown as JsonObject));
  replica.apply({ Open_vSwitch: { '00000000-0000-0000-0000-000000000001': { insert: {} } } });
  return replica;
}
