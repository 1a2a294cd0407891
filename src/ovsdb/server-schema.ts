/** The schema of the `_Server` database, in which a server tells of its databases (ovsdb-server(5) of the reference). */
import type { Json } from './json.ts';

const optional = (key: Json): Json => ({ type: { key, min: 0, max: 1 } });

export const serverSchema: Json = {
  name: '_Server',
  version: '1.2.0',
  cksum: '3009684573 744',
  tables: {
    Database: {
      columns: {
        name: { type: 'string' },
        model: { type: { key: { type: 'string', enum: ['set', ['clustered', 'relay', 'standalone']] } } },
        connected: { type: 'boolean' },
        leader: { type: 'boolean' },
        schema: optional('string'),
        cid: optional('uuid'),
        sid: optional('uuid'),
        index: optional('integer'),
      },
    },
  },
};
