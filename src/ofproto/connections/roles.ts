/** Which controller commands: one primary at the most (OpenFlow 1.2 §6.3.4). */
import type { RoleMessage } from '../../openflow/message/role.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import type { Connection } from './connection.ts';

/** OFPCRR: another controller has become primary. */
const PRIMARY_REQUEST = 0;

export class Election {
  readonly #connections: () => Iterable<Connection>;
  #generation: bigint | null = null;

  constructor(connections: () => Iterable<Connection>) {
    this.#connections = connections;
  }

  /** Of the last request for primary or secondary; null when there was none with one. */
  get generationId(): bigint | null {
    return this.#generation;
  }

  /** Null when it is done. */
  request(connection: Connection, { role, generationId }: RoleMessage): OfErrorName | null {
    if (role === 'nochange') return null;
    if (role !== 'equal' && generationId !== null && !this.#accepts(generationId)) return 'OFPRRFC_STALE';
    if (role === 'primary' && connection.role !== 'primary') this.#demote(connection);
    connection.role = role;
    return null;
  }

  /** Generations run in a circle: one that is less than half of it behind is stale. */
  #accepts(generationId: bigint): boolean {
    if (this.#generation !== null && BigInt.asIntN(64, generationId - this.#generation) < 0n) return false;
    this.#generation = generationId;
    return true;
  }

  #demote(winner: Connection): void {
    for (const other of this.#connections()) {
      if (other === winner || other.role !== 'primary') continue;
      other.role = 'secondary';
      if (other.isConnected)
        other.tell({
          kind: 'role_status',
          role: 'secondary',
          generationId: this.#generation,
          reason: PRIMARY_REQUEST,
        });
    }
  }
}
