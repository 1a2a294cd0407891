/** What a command of ovsdb-client has: the connection, the database's name, its arguments and options. */
import type { Json } from '../../ovsdb/json.ts';
import { stringify } from '../../ovsdb/json.ts';
import { type CliIo, Fatal, logLine } from '../common/io.ts';
import { prettyJson } from '../common/pretty.ts';
import { ConnectionError, type Rpc, type TlsFiles } from '../common/rpc.ts';
import { TablePrinter, type TableStyle } from '../common/table.ts';

export const PROGRAM = 'ovsdb-client';

export interface ClientOptions {
  timeout: number | null;
  style: TableStyle;
  hasTimestamps: boolean;
  mustForce: boolean;
  tls: TlsFiles;
  wants: 'help' | 'version' | null;
}

export class ClientContext {
  readonly io: CliIo;
  readonly options: ClientOptions;
  readonly rpc: Rpc;
  readonly server: string;
  /** Empty for commands that are about no database. */
  readonly database: string;
  readonly args: readonly string[];
  readonly printer: TablePrinter;

  constructor(io: CliIo, options: ClientOptions, rpc: Rpc, server: string, database: string, args: readonly string[]) {
    this.io = io;
    this.options = options;
    this.rpc = rpc;
    this.server = server;
    this.database = database;
    this.args = args;
    this.printer = new TablePrinter(options.style, io.out);
  }

  /** A request's result. @throws Fatal for an error */
  async ask(method: string, params: Json, whatFailed = 'server returned error reply: '): Promise<Json> {
    try {
      const { result, error } = await this.rpc.request(method, params);
      if (error !== null) throw new Fatal(`${whatFailed}${stringify(error, true)}`);
      return result;
    } catch (error) {
      if (error instanceof ConnectionError) throw new Fatal(`${this.server}: receive failed (${error.message})`);
      throw error;
    }
  }

  transact(operations: readonly Json[]): Promise<Json> {
    return this.ask('transact', [this.database, ...operations], 'transaction returned error: ');
  }

  printJson(json: Json): void {
    this.io.out(`${this.options.style.isPretty ? prettyJson(json) : stringify(json, true)}\n`);
  }

  log(level: string, text: string): void {
    logLine(this.io, 'ovsdb_client', level, text);
  }
}
